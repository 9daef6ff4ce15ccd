"""Small tables of the same shape as those that problems fetch, of numbers at random."""

import csv
from itertools import product
from pathlib import Path

import numpy as np

# By table: parameters with their number of levels, discrete ones last; and the columns of what was measured.
_REACTIONS = {
    "buchwald_hartwig": ({"base": 3, "ligand": 2, "aryl_halide": 3, "additive": 3}, {}, ["yield"]),
    "suzuki_yield": ({"electrophile": 2, "nucleophile": 3, "base": 2, "ligand": 3, "solvent": 2}, {}, ["yield"]),
    "suzuki_conversion": ({"halide": 3, "boronate": 4, "conditions": 4}, {}, ["conversion"]),
    "amide_coupling_hte": ({"amine": 3, "acid": 3, "condition": 6}, {}, ["yield"]),
    "reductive_amination": ({"substrate": 4, "solvent": 2}, {"AcOH_equiv": 3}, ["percent_conversion"]),
    "alkylation_deprotection": ({"electrophile": 4, "core": 2, "base": 3}, {}, ["yield"]),
}
_CHAN_LAM = {"boronic_acid_reactant": 2, "sulfonamide_reactant": 4, "base_reagent": 3}
_PILE = [
    "arxiv",
    "freelaw",
    "nih_exporter",
    "pubmed_central",
    "wikipedia_en",
    "dm_mathematics",
    "github",
    "philpapers",
    "stackexchange",
    "enron_emails",
    "gutenberg_pg_19",
    "pile_cc",
    "ubuntu_irc",
    "europarl",
    "hackernews",
    "pubmed_abstracts",
    "uspto_backgrounds",
]
_VALIDATED = [*_PILE[:5], "pile_cc", "github"]


def write(folder: Path) -> None:
    """All of them, in a folder that BBO_DATA may name."""
    rng = np.random.default_rng(0)
    for name, (texts, numbers, outputs) in _REACTIONS.items():
        levels = {p: ["None", *(f"{p} {k}" for k in range(1, n))] for p, n in texts.items()}
        levels |= {p: [str(float(k + 1)) for k in range(n)] for p, n in numbers.items()}
        points = list(product(*levels.values()))
        points = points[:-2] if name == "buchwald_hartwig" else points
        rows = [[*point, *(round(100 * rng.random(), 2) for _ in outputs)] for point in points]
        _write(folder / f"chemistry/{name}/data.csv", [*levels, *outputs], rows)
        _levels(folder / f"chemistry/{name}/levels.csv", levels, list(numbers), rng)
    _chan_lam(folder / "chemistry/chan_lam", rng)
    _mixtures(folder / "data_mixtures", rng)
    _curves(folder / "rl_hpo", rng)
    _designs(folder / "engineering/archgym_astrasim/designs.csv", rng)


def _levels(path, levels, numbers, rng):
    rows = []
    for p, names in levels.items():
        kind = "discrete" if p in numbers else "categorical"
        for k, level in enumerate(names):
            known = [""] * 2 if p in numbers else rng.random(2).round(2).tolist()
            rows.append([p, kind, k, level, "" if level == "None" or p in numbers else "CCO", 10, *known])
    _write(path, ["parameter", "type", "level_index", "level", "smiles", "n_rows", "d1", "d2"], rows)


def _chan_lam(folder, rng):
    levels = {p: [f"{p} {k}" for k in range(n)] for p, n in _CHAN_LAM.items()}
    points = list(product(*levels.values()))
    rows = [[*point, *(100 * rng.random(2)).round(2).tolist()] for point in points for _ in range(rng.integers(2, 4))]
    _write(folder / "data.csv", [*levels, "desired_yield", "undesired_yield"], rows)
    means = [[*point, 3, *(90 * rng.random(7)).round(6).tolist()] for point in points]
    kinds = [f"weighted_selectivity_{kind}" for kind in ("min", "mean", "max")]
    yields = ["desired_yield_mean", "undesired_yield_mean", "desired_yield_min", "undesired_yield_max"]
    _write(folder / "aggregated.csv", [*levels, "n_replicates", *kinds, *yields], means)
    _levels(folder / "levels.csv", levels, [], rng)


def _mixtures(folder, rng):
    def mixtures(n, d):
        return rng.dirichlet(np.ones(d), n).round(3).tolist()

    shared, large = mixtures(40, 17), mixtures(12, 17)
    sets = {"train_1m": mixtures(60, 17), "test_1m": shared, "test_60m": shared, "test_1B": large}
    for name, found in sets.items():
        part, size = name.split("_")
        inputs = [[k, *mixture] for k, mixture in enumerate(found)]
        _write(folder / f"regmix/{part}_mixture_{size}.csv", ["index", *(f"train_the_pile_{d}" for d in _PILE)], inputs)
        losses = [f"metric/the_pile_{d}_val_loss" for d in _VALIDATED]
        outputs = [[k, *(2 + rng.random(len(losses))).tolist()] for k in range(len(found))]
        _write(folder / f"regmix/{part}_pile_loss_{size}.csv", ["index", *losses], outputs)

    tried = mixtures(10, 4)
    models = {"Qwen2.5-0.5B": 10, "Qwen2.5-3B": 7, "Qwen2.5-7B": 5}
    rows = [[model, *tried[k], rng.random(), 900 / n + rng.random()] for model, n in models.items() for k in range(n)]
    header = ["model", *(f"ratio_{k}" for k in range(4)), "metric_avg_id+ood", "train_time"]
    _write(folder / "admire_ift_runs/admire_ift_runs.csv", header, rows)

    losses = ["loss_ArXiv", "loss_Github"]
    for name, d, sizes in (("pile5", 5, ("70M", "160M", "305M", "410M")), ("redpajama", 7, ("70M",))):
        steps = (10, 12, 13, 14, 16, 18, 20, 22, 24, 27, 30)
        tried = mixtures(8, d)
        rows = [
            [size, k, 1000 * step, *mixture, *(2 + rng.random(2)).tolist()]
            for size, (k, mixture), step in product(sizes, enumerate(tried), steps)
        ]
        header = ["model_size", "mix_id", "step", *(f"ratio_{k}" for k in range(d)), *losses]
        _write(folder / f"mixing_laws_{name}/runs.csv", header, rows)
    _write(folder / "mixing_laws_redpajama/valid_weights.csv", ["domain", "weight"], [["ArXiv", 0.3], ["Github", 0.6]])

    tried = mixtures(9, 7)
    rows = [
        [*mixture, float(size), 1e9 * step, 2 + rng.random()]
        for mixture, size, step in product(tried, (122_000_000, 310_000_000, 680_000_000, 937_000_000), range(1, 12))
    ]
    header = [*(f"weight_{k}" for k in range(7)), "model_size", "n_tokens", "openhermes_loss"]
    _write(folder / "dmsl_slimpajama/runs.csv", header, rows)


def _curves(folder, rng):
    inputs = {"log10_lr": (-4, -3), "gamma": (0.9, 0.99), "clip": (0.2, 0.3)}
    schedules = {f"{name}_{k}": v for name in ("log10_lr", "gamma") for k, v in enumerate([inputs[name]] * 3, 1)}
    for name, levels in {"enduro": inputs, "pong": inputs, "enduro_dynamic": schedules}.items():
        rows = [
            [*point, seed, k, 8000 * k, round(float(k + rng.random()), 3), 1.0, 80.0 * k]
            for point in list(product(*levels.values()))[:12]
            for seed in (0, 1, 2)
            for k in range(1, 38 if (point, seed) == ((-4, 0.9, 0.2), 1) else 101)
        ]
        header = [*levels, "seed", "eval_index", "timestep", "return_mean", "return_std", "wallclock_s"]
        _write(folder / f"hpo_rl_bench_ppo_{name}/curves.csv", header, rows)


def _designs(path, rng):
    header = ["topology-name", "dimension-type-1", "units-count-1", "link-bandwidth-1", "link-latency-1"]
    outputs = ["comms_time", "fwd_compute", "wg_compute", "ig_compute", "total_exposed_comm"]
    rows = []
    for k in range(70):
        kind, units, bandwidth = rng.choice(["N", "P"]), int(rng.integers(2, 9)), round(300 * rng.random(), 1)
        times = [3.1e6 + 1e8 * rng.random(), 1.5, 0.005, 0.005, 1e8 * rng.random()]
        rows.append(["Hierarchical", kind, units, bandwidth, k + 1, *times])
    _write(path, [*header, *outputs], rows)


def _write(path, header, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
