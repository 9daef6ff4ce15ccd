"""How good the best reaction is after 20 experiments, one at a time, on tables of which all outcomes are known.

    python benchmarks/reactions.py                                  what is recorded, compared
    python benchmarks/reactions.py --markdown FILE                  the same, and the tables as Markdown
    python benchmarks/reactions.py record --method bbo              runs a method and keeps what it did
    python benchmarks/reactions.py record --method botorch-onehot --venvs DIR --tables chan_lam --seeds 0-49

The tables are fetched, or lie in a folder that BBO_DATA names, see `reaction_tables.py`. Campaigns are paired: of one
table and seed all methods are given the same 5 points at random, which count, and choose 15 more. The protocol of 20
experiments is that of MacKnight et al., arXiv:2509.00103 (2025); there each method begins in its own way.

| method | |
|---|---|
| bbo | the default strategy, choices with their descriptors |
| bbo-plain | the same without descriptors |
| botorch-onehot | BoTorch's SingleTaskGP on one-hot levels, log expected improvement over all untried rows |
| random | rows at random |

Recording may be stopped and started again, and added to: all tables of a seed come before the next seed, so that what
is there is paired. Of bbo the commit is recorded; delete its file to run it anew.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path

import numpy as np
from machine import described
from quality import arguments, cells, kept, record_wanted, seeds_in
from quality_runs import OURS, PLAIN, RANDOM, RECORDS, Record
from quality_scores import Array, Interval, Scores, as_markdown, final, mean_interval
from quality_suite import SUITES, trials
from reaction_tables import TABLES, Table

METHODS = (OURS, PLAIN, "botorch-onehot", RANDOM)
N_GIVEN = 5
_TOP = 0.01
_ELITE = 0.95
_N_RESAMPLES = 1000


def bests(records: Sequence[Record]) -> dict[int, float]:
    """The best outcome of each campaign by its seed."""
    return {r.seed: -final(r) for r in records}


def top(outcomes: Sequence[float]) -> float:
    """The least outcome that is among the best hundredth of a table."""
    return sorted(outcomes, reverse=True)[ceil(_TOP * len(outcomes)) - 1]


def median_interval(values: Array) -> Interval:
    """As in the protocol: 1,000 resamples."""
    rng = np.random.default_rng(0)
    medians = np.median(rng.choice(values, (_N_RESAMPLES, len(values))), axis=1)
    low, high = np.quantile(medians, [0.025, 0.975])
    return Interval(float(np.median(values)), float(low), float(high))


def rows_of(table: Table, runs: Mapping[str, Sequence[Record]]) -> list[list[str]]:
    """A row for each method on one table."""
    outcomes = list(table.values.values())
    by_random = bests(runs.get(RANDOM, []))
    rows = []
    for method, records in runs.items():
        by_seed = bests(records)
        best = np.array(list(by_seed.values()))
        low, high = np.quantile(best, [0.25, 0.75])
        of_median = median_interval(best)
        shares = [mean_interval((best >= least).astype(float)) for least in (top(outcomes), _ELITE * max(outcomes))]
        paired = np.array([value - by_random[seed] for seed, value in by_seed.items() if seed in by_random])
        above = mean_interval(paired) if method != RANDOM and len(paired) else ""
        rows.append(
            [
                table.name,
                method,
                str(len(best)),
                f"{of_median.mean:.1f} ({low:.1f} to {high:.1f})",
                f"{of_median.low:.1f} to {of_median.high:.1f}",
                *(f"{share.mean:.0%} ({share.low:.0%} to {share.high:.0%})" for share in shares),
                str(above),
                f"{np.mean([s for r in records for s in r.seconds]):.2f}",
            ]
        )
    return rows


def ranks(runs: Mapping[str, Sequence[Record]], names: Sequence[str]) -> list[list[str]]:
    """Mean ranks over tables, of the campaigns that methods have both."""
    scores = Scores(runs, {name: -Table(name).best_value for name in names}, {})
    mean, behind = scores.mean_ranks(), scores.rank_differences()
    rows = [["method", "campaigns", "mean rank", "rank behind bbo (95 %)", "better than bbo on", "worse on"]]
    for i, method in sorted(enumerate(scores.methods), key=lambda pair: mean[pair[0]]):
        others = [""] * 3
        if method != OURS:
            better = ", ".join(scores.problems_where_better(method, OURS))
            others = [str(behind[method]), better, ", ".join(scores.problems_where_better(OURS, method))]
        rows.append([method, str(len(runs[method])), f"{mean[i]:.2f}", *others])
    return rows


def report(runs: Mapping[str, Sequence[Record]], names: Sequence[str]) -> str:
    """All that is said, as Markdown."""
    header = [
        "table",
        "method",
        "campaigns",
        "median best (quartiles)",
        "95 % of the median",
        "in the top 1 % (95 %)",
        "at least 95 % of the best (95 %)",
        "mean above random (95 %, paired)",
        "CPU s per ask",
    ]
    body = []
    for name in names:
        there = {m: [r for r in rs if r.problem == name] for m, rs in runs.items()}
        body += rows_of(Table(name), {m: rs for m, rs in there.items() if rs})
    versions = {
        (m, ", ".join(f"{name} {v}" for name, v in r.versions.items())): None for m, rs in runs.items() for r in rs
    }
    said = "; ".join(f"{m}: {v}" for m, v in versions)
    return "\n\n".join([as_markdown(ranks(runs, names)), as_markdown([header, *body]), f"Run with {said}."])


def main() -> None:
    parser = arguments(__doc__, METHODS)
    parser.set_defaults(records=RECORDS / "reactions")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(SUITES["reactions"].problems))
    parser.add_argument("--seeds", type=seeds_in, default=seeds_in("0-99"), help="as 0-4,7 (default 0-99)")
    options = parser.parse_args()
    wanted = cells(options.tables, options.seeds, N_GIVEN)
    if options.command == "record":
        record_wanted(parser, options, wanted)
        return
    runs = {m: list(kept(options.records / f"{m}.jsonl", wanted).values()) for m in METHODS}
    runs = {m: records for m, records in runs.items() if records}
    names = [name for name in options.tables if any(r.problem == name for r in runs.get(OURS, []))]
    n_trials = trials(options.tables[0])
    text = f"{n_trials} experiments, {N_GIVEN} of them given.\n{described()}.\n\n{report(runs, names)}\n"
    print(text)
    if options.markdown:
        Path(options.markdown).write_text(text)


if __name__ == "__main__":
    main()
