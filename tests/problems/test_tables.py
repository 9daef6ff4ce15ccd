"""The tables that problems fetch: what is made of public files, and what the tables themselves say.

Where BBO_DATA names a folder of them; public files lie in its folder `upstream`.
"""

import hashlib
import os
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import spearmanr

from bbo.objective import Minimize
from bbo.problems import PROBLEMS, hardware
from bbo.problems.chemistry import reactions
from bbo.problems.data import FOLDER, Dataset, as_it_is
from bbo.problems.mixtures import laws, recorded
from bbo.problems.mixtures.training_logs import pivoted
from bbo.problems.reinforcement_learning import curves

ROOT = Path(os.environ.get(FOLDER) or "nowhere")
pytestmark = pytest.mark.skipif(not (ROOT / "SOURCES.md").is_file(), reason=f"{FOLDER} names no folder with SOURCES.md")

REACTIONS = [
    reactions.AlkylationDeprotection,
    reactions.AmideCoupling,
    reactions.BuchwaldHartwig,
    reactions.ChanLam,
    reactions.ReductiveAmination,
    reactions.SuzukiConversion,
    reactions.SuzukiYield,
]
CURVES = [curves.PPOEnduro, curves.PPOPong, curves.PPOEnduroSchedules]
FILES = [kind.files for kind in REACTIONS]
DATASETS: list[Dataset] = [
    *(dataset for files in FILES for dataset in (files.rows, files.known)),
    reactions.ChanLam.files.means,
    *(dataset for pair in recorded.REGMIX.values() for dataset in pair),
    recorded.ADMIRE,
    recorded.LAWS,
    recorded.REDPAJAMA,
    recorded.WEIGHTS,
    recorded.SLIMPAJAMA,
    *(kind.dataset for kind in CURVES),
    hardware.DESIGNS,
]
# Of the table, its rows, and its best value, as SOURCES.md says; and how many points have that.
STATED = {
    "alkylation-deprotection": (96, 100.0, 10),
    "amide-coupling": (648, 99.5, 1),
    "buchwald-hartwig": (4599, 99.99999, 2),
    "chan-lam": (5684, None, None),
    "chan-lam-selectivity": (1920, 86.393813, 1),
    "reductive-amination": (768, 100.0, 11),
    "suzuki-conversion": (960, 100.0, 142),
    "suzuki-yield": (3696, 100.0, 3),
    "admire": (460, 0.593815, 1),
    "regmix": (512, 4.100113, 1),
    "slimpajama": (2188, None, 1),
    "mixing-laws": (1040, None, 1),
    "mixing-laws-redpajama": (294, None, 1),
    "ppo-enduro": (53_937, 411.2, 1),
    "ppo-enduro-schedules": (218_300, 431.233, 1),
    "ppo-pong": (32_400, -6.833, 1),
    "astrasim": (1792, 3064383.235, 1),
    "astrasim-reward": (1792, None, 1),
}


def _sha256(content):
    return hashlib.sha256(content).hexdigest()


def _said():
    return (ROOT / "SOURCES.md").read_text()


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda d: d.path)
def test_checksums_and_addresses_are_those_of_the_list_of_sources(dataset):
    path = dataset.path if (ROOT / dataset.path).is_file() else f"{dataset.path}.gz"
    (stated,) = re.findall(rf"`{re.escape(path)}` - [\d,]+ bytes, sha256 `(\w+)`", _said())
    assert _sha256((ROOT / path).read_bytes()) == stated
    assert _sha256(dataset.read()) == dataset.sha256
    for source in dataset.sources:
        assert f"sha256 `{source.sha256}`; {source.url}\n" in _said()


@pytest.mark.parametrize("dataset", [d for d in DATASETS if d.sources], ids=lambda d: d.path)
def test_public_files_become_the_table(dataset):
    contents = []
    for source in dataset.sources:
        owner, repository, _, *rest = source.url.removeprefix("https://raw.githubusercontent.com/").split("/")
        path = ROOT / "upstream" / owner / repository / "/".join(rest)
        if not path.is_file():
            pytest.skip(f"{path.name} of {owner}/{repository} is not in {FOLDER}/upstream")
        contents.append(path.read_bytes())
        assert _sha256(contents[-1]) == source.sha256
    assert dataset.convert(contents) == dataset.read()


@pytest.mark.parametrize(
    ("dataset", "folder", "sizes"),
    [(recorded.LAWS, "5Mix", ["1B"]), (recorded.REDPAJAMA, "RedPajama", ["160M", "305M", "410M", "1B"])],
    ids=["pile5", "redpajama"],
)
def test_the_logs_that_are_there_become_their_rows(dataset, folder, sizes):
    header, *lines = dataset.read().decode().splitlines()
    logs = [(ROOT / f"upstream/yegcjs/mixinglaws/data/{folder}/{size}.txt").read_bytes() for size in sizes]
    names = [name.removeprefix("ratio_") for name in header.split(",") if name.startswith("ratio_")]
    wanted = [line for line in lines if line.split(",")[0] in sizes]
    assert pivoted(sizes, names)(logs).decode().splitlines() == [header, *wanted]


@pytest.mark.parametrize("name", STATED)
def test_rows_and_best_are_as_stated(name):
    problem, (rows, best, n_best) = PROBLEMS[name](), STATED[name]
    assert len(problem.tabular.table) == rows
    if n_best is None:
        assert problem.optima is None
        return
    assert problem.tabular.best_value == problem.best_value
    assert best is None or problem.best_value == pytest.approx(best, rel=1e-4)
    assert len(problem.optima) == n_best
    at = dict(zip(problem.space.names, problem.optima[0], strict=True))
    aim = problem.objectives[0]
    values = [problem.evaluate(at, seed=seed)[aim.metric] for seed in range(60)]
    # Of replicates it is the mean.
    assert np.mean(sorted(set(values))) == pytest.approx(problem.best_value)
    sign = -1 if isinstance(aim, Minimize) else 1
    for params in problem.space.sample(50, np.random.default_rng(0)):
        seen = sorted({problem.evaluate(params, seed=seed)[aim.metric] for seed in range(20)})
        assert sign * np.mean(seen) <= sign * problem.best_value + 1e-9


def test_the_best_pairs_of_yields_of_the_chan_lam_coupling_are_those_of_the_card():
    table = reactions.ChanLam().tabular.table
    means = table.groupby(list(reactions.ChanLam().space.names))[["desired_yield", "undesired_yield"]].mean().to_numpy()
    front = [m for m in means if not ((means[:, 0] >= m[0]) & (means[:, 1] <= m[1]) & (means != m).any(1)).any()]
    said = re.findall(r"\(([\d.]+), ([\d.]+)\)", reactions.ChanLam.card.remarks[0])
    assert np.array(said, dtype=float) == pytest.approx(np.array(sorted(map(tuple, front))), abs=6e-4)


def test_smiles_are_molecules_or_nothing():
    chem = pytest.importorskip("rdkit.Chem")
    for kind in REACTIONS:
        for levels in kind().smiles.values():
            assert all(chem.MolFromSmiles(smiles, sanitize=False) is not None for smiles in levels.values())


def test_enduro_leaves_out_the_run_that_ended_early_and_every_curve_is_whole():
    problem = curves.PPOEnduro()
    assert len(problem.tabular._rows) == 53_900
    point = {"log10_lr": -1, "gamma": 0.8, "clip": 0.4}
    assert len({tuple(problem.evaluate(point, fidelity={"evaluation": k}, seed=s)["return_mean"] for k in (1, 50, 100))
                for s in range(40)}) <= 4  # fmt: skip
    assert problem.cost(point) > problem.cost(point, {"evaluation": 1}) > 0


def test_mixtures_sum_to_one_after_rounding():
    for name in ("regmix", "admire", "mixing-laws", "mixing-laws-redpajama", "slimpajama"):
        for params in PROBLEMS[name]().space.sample(20, np.random.default_rng(0)):
            assert sum(params["mixture"].values()) == pytest.approx(1.0, abs=1e-12)


def test_the_laws_foretell_as_well_as_their_card_says():
    """Five parts, held out in turn; the errors are those of the mean of the losses."""
    middle = laws.laws(str(ROOT))[60_000_000]
    said = " ".join(laws.RegMixLaw.card.remarks)
    wanted = {
        ("1m", "1m-train"): "R2 {0:.2f}, rank correlation {1:.2f} and root mean square error {2:.2f} nats",
        ("60m",): "{0:.2f}, {1:.2f} and {2:.2f} of the 60M",
        ("1B",): "{0:.2f}, {1:.2f} and {2:.2f} of the 1B",
    }
    for sizes, words in wanted.items():
        R, losses = laws.runs(*sizes)
        part = np.random.default_rng(0).permutation(len(R)) % 5
        foretold = np.zeros(len(R))
        for name, y in losses.items():
            for k in range(5):
                seen = part != k
                law = middle[name].along(R[seen], y[seen]) if sizes == ("1B",) else laws.Law.fit(R[seen], y[seen])
                foretold[~seen] += law(R[~seen]) / len(losses)
        y = np.mean(list(losses.values()), axis=0)
        error = np.mean((y - foretold) ** 2)
        assert words.format(1 - error / y.var(), spearmanr(y, foretold)[0], error**0.5) in said


def test_the_best_mixture_of_the_law_is_where_its_card_says():
    """The mean of exponentials of linear functions is convex, so that a local search finds it."""
    problem = laws.RegMixLaw()
    names = problem.space.parameters[0].parts

    def loss(r):
        return problem.evaluate({"mixture": dict(zip(names, (r / r.sum()).tolist(), strict=True))})["loss"]

    start = np.full(17, 1 / 17)
    found = minimize(loss, start, bounds=[(0, 1)] * 17, constraints=[{"type": "eq", "fun": lambda r: r.sum() - 1}])
    assert f"{found.fun:.2f} nats for 1B" in problem.card.remarks[1]


def test_what_cannot_be_fetched_one_by_one_says_so():
    assert {d.path for d in DATASETS if not d.sources} == {kind.dataset.path for kind in CURVES}
    assert all(d.convert is as_it_is for d in DATASETS if not d.sources)
