"""What batches, slow results, noise, failures and outliers cost: trials to what a quiet run finds in 60.

    python benchmarks/robustness.py                           all that is below, seeds 0 to 9
    python benchmarks/robustness.py --modes "batches of 4"    some of it
    python benchmarks/robustness.py --markdown FILE           the same, and the tables as Markdown

The problems are those of `quality_suite.py`, the strategy is the default `GP()`. The target of a problem is the median
over seeds of the best value after 60 trials, asked for one by one and measured without trouble. Both that run and the
troubled ones are asked for the number of trials told until one reaches the target, and the medians over seeds are
compared; of an even number of seeds the worse of the two in the middle. What counts is the true value of a point that
was tried; where measurements err also that of the trial which `recommend()` names. A run is given up at twice 60
trials; where the median run is, the ratio is the least it can be.

| mode | |
|---|---|
| other seeds | the quiet run again with further seeds: how far the ratio is chance |
| batches of 4, of 8 | so many points are asked for at once, and told together |
| 8 pending | each result comes eight asks later, so that eight points are always under way |
| 8 held | eight points are asked for after 20 trials, and their results come when 60 others have |
| noise | of a standard deviation of 10 % of the objective's range, over 4,096 points at random |
| failing | evaluation fails in a half-space that has a fifth of the volume and not the best point of the quiet run |
| outliers | one measurement in twenty is off by 10 standard deviations of the objective, up or down |

`to gain / noise` is how far the target lies below the best of the first ten trials, in standard deviations of that
noise: where it is less than 1, the error of a single measurement hides all that is to be gained.

The second table: the error of leaving one out on the points that are no outliers, over that of the same points where
none are; median and root mean square, of 60 trials of a run with outliers and of 60 points of a Latin hypercube with
three. The mean square is that of the few points far from all others, where values spread over decades.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, astuple, dataclass, replace
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from statistics import geometric_mean, median_high
from typing import Any

import numpy as np
import pandas as pd
import torch
from machine import described
from quality import seeds_in
from quality_scores import as_markdown
from quality_suite import SUITE, SUITES, evaluate, first_points

from bbo import Study
from bbo.errors import EvaluationError
from bbo.history import Array
from bbo.objective import Objectives
from bbo.problems.wrappers import Failing, Noisy
from bbo.protocols import Problem
from bbo.strategies import GP

N_TRIALS = 60
_MOST = 2 * N_TRIALS
_N_SAMPLED = 4096
_NOISE = 0.1
_N_FIRST = 10
_FAILING = 0.2
_OUTLYING = 1 / 20
_FAR = 10.0
_OTHER_SEEDS = 500
_N_LEFT_OUT = 60
# Asking which trial is recommended takes as long as a suggestion, so it is done now and then.
_RECOMMENDED_EVERY = 5
# Aims, by the beginning of a mode's name: ratios of trials, and of errors.
LIMITS = {"batches": 1.25, "8 pending": 1.25, "8 held": 1.25, "noise": 1.5, "failing": 1.5, "outliers": 1.5}
MOST_LEFT_OUT = 1.3


@dataclass(frozen=True)
class Mode:
    """How points are asked for, and what goes wrong.

    Args:
        together: points of an ask.
        late: asks that are made before a result comes.
        held: points that are asked for at once after a third of the trials, and told after as many as a run has.
        trouble: makes what is measured of a problem, a scale of its objective and the best point known.
        errs: whether values err, so that the best measured trial need not be a good one.
        seeds: is added to the seeds of the study, not of the problem.
    """

    together: int = 1
    late: int = 0
    held: int = 0
    trouble: "Callable[[Problem, Scale, Mapping[str, Any]], Problem] | None" = None
    errs: bool = False
    seeds: int = 0


@dataclass(frozen=True)
class Scale:
    """Of an objective over points at random."""

    range: float
    sd: float

    @classmethod
    def of(cls, problem: Problem) -> "Scale":
        key = repr(problem)
        if key not in _SCALES:  # some take minutes, and are the same under every seed
            metric = _metric(problem)
            points = problem.space.sample(_N_SAMPLED, np.random.default_rng(0))
            values = [problem.evaluate(p, seed=0)[metric] for p in points]
            _SCALES[key] = cls(float(np.ptp(values)), float(np.std(values)))
        return _SCALES[key]


_SCALES: dict[str, Scale] = {}


@dataclass(frozen=True)
class OffNowAndThen:
    """A problem of which one measurement in twenty errs by much."""

    problem: Problem
    error: float

    def evaluate(self, params: Mapping[str, Any], *, seed: int) -> dict[str, float]:
        values = dict(self.problem.evaluate(params, seed=seed))
        values[_metric(self.problem)] += self.off_by(seed)
        return values

    def off_by(self, seed: int) -> float:
        rng = np.random.default_rng([seed, 7])
        return float(self.error * rng.choice([-1.0, 1.0])) if rng.random() < _OUTLYING else 0.0


@dataclass(frozen=True)
class InHalfSpace:
    """Whether a point lies beyond a plane, in encoded positions."""

    problem: Problem
    normal: Array
    beyond: float

    @classmethod
    def away_from(cls, problem: Problem, best: Mapping[str, Any]) -> "InHalfSpace":
        rng = np.random.default_rng(0)
        normal = rng.standard_normal(problem.space.dim)
        if normal @ (problem.space.encode([best])[0] - 0.5) > 0:
            normal = -normal
        sampled = problem.space.encode(problem.space.sample(_N_SAMPLED, rng))
        return cls(problem, normal, float(np.quantile(sampled @ normal, 1 - _FAILING)))

    def __call__(self, params: Mapping[str, Any]) -> bool:
        return bool(self.problem.space.encode([params])[0] @ self.normal > self.beyond)


MODES: dict[str, Mode] = {
    "other seeds": Mode(seeds=_OTHER_SEEDS),
    "batches of 4": Mode(together=4),
    "batches of 8": Mode(together=8),
    "8 pending": Mode(late=8),
    "8 held": Mode(held=8),
    "noise": Mode(trouble=lambda p, s, _: Noisy(p, sd=_NOISE * s.range), errs=True),
    "failing": Mode(trouble=lambda p, _, best: Failing(p, where=InHalfSpace.away_from(p, best))),
    "outliers": Mode(trouble=lambda p, s, _: OffNowAndThen(p, _FAR * s.sd), errs=True),
}
QUIET = "quiet"


@dataclass(frozen=True)
class Run:
    """What a run found.

    Args:
        best: true value of the best feasible point so far, by number of trials told.
        point: the best one.
        recommended: trials told and true value of the recommended one, where measurements err.
        target: at which it ended.
        scale: range and standard deviation of the objective, of a quiet run.
    """

    mode: str
    problem: str
    seed: int
    best: list[float]
    point: dict[str, Any]
    recommended: list[tuple[int, float]]
    target: float = -math.inf
    scale: tuple[float, float] | None = None

    def trials_to(self, target: float) -> float:
        """Infinite where it was not reached."""
        return next((k + 1 for k, value in enumerate(self.best) if value <= target), math.inf)

    def recommended_at(self, target: float) -> float:
        return next((k for k, value in self.recommended if value <= target), math.inf)


@dataclass(frozen=True)
class Wanted:
    """A run to be made; it ends when the target is reached.

    Args:
        quiet: of the same problem and seed, where the mode makes trouble.
    """

    mode: str
    problem: str
    seed: int
    target: float = -math.inf
    quiet: Run | None = None

    def run(self) -> Run:
        torch.set_num_threads(1)
        mode = MODES.get(self.mode, Mode())
        problem = SUITE[self.problem](self.seed)
        measured = problem
        if mode.trouble is not None:
            assert self.quiet is not None, f"{self.mode} stands on a quiet run"
            measured = mode.trouble(problem, Scale(*self.quiet.scale), self.quiet.point)
        study = Study(problem.space, problem.objectives, strategy=GP(), seed=self.seed + mode.seeds)
        run = Run(self.mode, self.problem, self.seed, [], {}, [], self.target)
        most = N_TRIALS if self.mode == QUIET else _MOST
        under_way: list[Any] = []
        held: list[Any] = []
        while len(run.best) < most and not self._is_there(run, mode):
            if len(run.best) == N_TRIALS // 3 and mode.held:
                held = study.ask(mode.held)
            if len(run.best) >= N_TRIALS:
                under_way, held = under_way + held, []
            under_way += study.ask(mode.together)
            while len(under_way) > mode.late:
                trial = under_way.pop(0)
                try:
                    study.tell(trial, measured.evaluate(trial.params, seed=trial.seed))
                except EvaluationError as failure:
                    study.fail(trial, str(failure))
                    run = self._with(run, problem, trial.params, is_failed=True)
                else:
                    run = self._with(run, problem, trial.params)
            if mode.errs and len(run.best) % _RECOMMENDED_EVERY == 0:
                trial = study.recommend()
                value = evaluate(self.problem, problem, trial.params, self.seed).value if trial else math.inf
                run.recommended.append((len(run.best), value))
        return replace(run, scale=astuple(Scale.of(problem))) if self.mode == QUIET else run

    def _is_there(self, run: Run, mode: Mode) -> bool:
        if mode.errs:
            return run.recommended_at(self.target) < math.inf
        return run.trials_to(self.target) < math.inf

    def _with(self, run: Run, problem: Problem, params: dict[str, Any], *, is_failed: bool = False) -> Run:
        best = run.best[-1] if run.best else math.inf
        told = evaluate(self.problem, problem, params, self.seed)
        if is_failed or not told.is_feasible or told.value >= best:
            return replace(run, best=[*run.best, best])
        return replace(run, best=[*run.best, told.value], point=dict(params))


def left_out(quiet: Run, by_search: bool) -> tuple[float, float]:
    """Errors on the other points beside outliers, over those without: median and root mean square."""
    torch.set_num_threads(1)
    name, seed = quiet.problem, quiet.seed
    problem = SUITE[name](seed)
    metric = _metric(problem)
    if by_search:
        measured = OffNowAndThen(problem, _FAR * Scale(*quiet.scale).sd)
        study = Study(problem.space, problem.objectives, strategy=GP(), seed=seed)
        points, exact, off_by = [], [], []
        for _ in range(_N_LEFT_OUT):
            trial = study.ask()
            study.tell(trial, measured.evaluate(trial.params, seed=trial.seed))
            points.append(trial.params)
            exact.append(problem.evaluate(trial.params, seed=trial.seed)[metric])
            off_by.append(measured.off_by(trial.seed))
        values, error_of = np.array(exact), np.array(off_by)
    else:
        points = first_points(problem, seed, _N_LEFT_OUT)
        values = np.array([problem.evaluate(p, seed=seed)[metric] for p in points])
        rng = np.random.default_rng([seed, 8])
        off = rng.choice(_N_LEFT_OUT, round(_OUTLYING * _N_LEFT_OUT), replace=False)
        error_of = np.zeros(_N_LEFT_OUT)
        error_of[off] = _FAR * values.std() * rng.choice([-1.0, 1.0], len(off))
    others = error_of == 0

    def errors(y: Array) -> Array:
        study = Study(problem.space, problem.objectives, strategy=GP(), seed=seed)
        study.add(pd.DataFrame(points).assign(**{metric: y}))
        mean = GP().leave_one_out(study.history).mean[metric]
        error = np.abs(mean[others] - values[others])
        return np.array([np.median(error), np.sqrt(np.mean(error**2))])

    by_median, by_square = (errors(values + error_of) / errors(values)).tolist()
    return by_median, by_square


def runs(wanted: Iterable[Wanted], executor: ProcessPoolExecutor, keep: Path | None) -> Iterator[Run]:
    """Those kept first, then the others as they are made."""
    there = {}
    if keep and keep.exists():
        kept = [Run(**json.loads(line)) for line in keep.read_text().splitlines()]
        # Those that ended at another target, of other seeds or an older bbo, do not say when they reach this one.
        # Nor do quiet runs without their scale say what others stand on.
        there = {(r.mode, r.problem, r.seed, r.target): r for r in kept if r.mode != QUIET or r.scale is not None}
    missing = []
    for w in wanted:
        key = (w.mode, w.problem, w.seed, w.target)
        if key in there:
            yield there[key]
        else:
            missing.append(w)
    for run in executor.map(Wanted.run, missing):
        print(run.mode, run.problem, run.seed, len(run.best), flush=True)
        if keep:
            with keep.open("a") as file:
                file.write(json.dumps(asdict(run)) + "\n")
        yield run


def tables(quiet: list[Run], troubled: list[Run], errors: Mapping[str, list[list[tuple[float, float]]]]) -> str:
    problems = list(dict.fromkeys(r.problem for r in quiet))
    modes = list(dict.fromkeys(r.mode for r in troubled))
    columns: dict[str, Callable[[Run], float]] = {}
    rows: dict[str, dict[str, float]] = {}
    for mode in modes:
        ways = {mode: Run.trials_to} | ({f"{mode}, recommended": Run.recommended_at} if MODES[mode].errs else {})
        for label, way in ways.items():
            columns[label] = way
            rows[label] = {}
            for name in problems:
                target = targets(quiet)[name]
                there = [way(r, target) for r in troubled if (r.mode, r.problem) == (mode, name)]
                before = median_high(r.trials_to(target) for r in quiet if r.problem == name)
                rows[label][name] = min(median_high(there), float(_MOST + 1)) / before if there else math.nan
    gains = to_gain(quiet)
    lines = [["problem", "trials of the quiet run", "to gain / noise", *columns]]
    for name in problems:
        target = targets(quiet)[name]
        before = median_high(r.trials_to(target) for r in quiet if r.problem == name)
        ratios = [rows[c][name] for c in columns]
        said = [f"{'at least ' if ratio * before > _MOST else ''}{ratio:.2f}" for ratio in ratios]
        lines.append([name, f"{before:.0f}", f"{gains[name]:.2g}", *said])
    means = [geometric_mean(v for v in rows[c].values() if not math.isnan(v)) for c in columns]
    lines.append(["geometric mean", "", "", *(f"{m:.2f}" for m in means)])
    limits = [next((v for k, v in LIMITS.items() if c.startswith(k)), math.nan) for c in columns]
    met = ["" if math.isnan(v) else f"{v}: {'met' if m <= v else 'MISSED'}" for m, v in zip(means, limits, strict=True)]
    lines.append(["aim", "", "", *met])
    text = as_markdown(lines)
    if errors:
        middle = {
            name: [median_high(ratios) for by_seed in by_way for ratios in zip(*by_seed, strict=True)]
            for name, by_way in errors.items()
        }
        by_problem = [[name, *(f"{ratio:.2f}" for ratio in ratios)] for name, ratios in middle.items()]
        middles = [geometric_mean(column) for column in zip(*middle.values(), strict=True)]
        by_problem.append(["geometric mean", *(f"{m:.2f}" for m in middles)])
        by_problem.append(["aim", *(f"{MOST_LEFT_OUT}: {_met(m <= MOST_LEFT_OUT)}" for m in middles)])
        kinds = [f"{of}, {how}" for of in ("a run", "a Latin hypercube") for how in ("median", "root mean square")]
        header = ["error beside outliers, ratio", *kinds]
        text += "\n\n" + as_markdown([header, *by_problem])
    return text


def targets(quiet: list[Run]) -> dict[str, float]:
    by_problem: dict[str, list[float]] = {}
    for run in quiet:
        by_problem.setdefault(run.problem, []).append(run.best[-1])
    return {name: median_high(values) for name, values in by_problem.items()}


def to_gain(quiet: list[Run]) -> dict[str, float]:
    """From the best of the first trials to the target, in standard deviations of `noise`; the median over seeds."""
    gains = {}
    for name, target in targets(quiet).items():
        runs_of = [run for run in quiet if run.problem == name]
        noise = _NOISE * Scale(*runs_of[0].scale).range
        gains[name] = (median_high(run.best[_N_FIRST - 1] for run in runs_of) - target) / noise
    return gains


def _met(is_met: bool) -> str:
    return "met" if is_met else "MISSED"


def _metric(problem: Problem) -> str:
    return Objectives(tuple(problem.objectives)).aims[0].metric


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--problems", nargs="+", choices=SUITE, default=list(SUITES["general"].problems), metavar="PROBLEM"
    )
    parser.add_argument("--modes", nargs="*", choices=MODES, default=list(MODES), metavar="MODE")
    parser.add_argument("--seeds", type=seeds_in, default=seeds_in("0-9"), help="as 0-4,7 (default 0-9)")
    parser.add_argument("--workers", type=int, default=2, help="runs at once, of one thread each")
    parser.add_argument("--keep", type=Path, help="file that keeps the runs, to go on after an interruption")
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    cells = [(name, seed) for seed in options.seeds for name in options.problems]
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as executor:
        quiet = list(runs([Wanted(QUIET, *cell) for cell in cells], executor, options.keep))
        target, by_cell = targets(quiet), {(r.problem, r.seed): r for r in quiet}
        wanted = [Wanted(m, *cell, target[cell[0]], by_cell[cell]) for cell in cells for m in options.modes]
        troubled = list(runs(wanted, executor, options.keep))
        # Outliers of an objective; what is constrained has more than one output.
        plain = [name for name in options.problems if not SUITE[name](0).objectives[1:]]
        errors = {}
        for name in plain if "outliers" in options.modes else []:
            of_name = [by_cell[name, seed] for seed in options.seeds]
            errors[name] = [list(executor.map(left_out, of_name, repeat(by_search))) for by_search in (True, False)]
    said = f"Seeds {min(options.seeds)} to {max(options.seeds)}.\n{described()}; one thread per process.\n"
    text = f"{said}\n{tables(quiet, troubled, errors)}\n"
    print("\n" + text)
    if options.markdown:
        options.markdown.write_text(text)


if __name__ == "__main__":
    main()
