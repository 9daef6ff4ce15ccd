"""The problems of `quality.py`, each made by a seed, and what is told of a trial.

| problem | parameters | of the general suite |
|---|---|---|
| hartmann6, rosenbrock5, levy8, ackley10, styblinski-tang12, griewank20, levy30 | 5 to 30 | moved and turned |
| mixed-ackley8 | 5 numbers, categories of 3, 4 and 5 levels | moved, turned, the levels shuffled |
| welded-beam, speed-reducer | 4; 7, one of them whole | 5 and 11 constraints |
| gradient-boosting-diabetes, svm-digits | 7; 5, both with categories | scikit-learn |

| problem | parameters | of the constrained suite |
|---|---|---|
| five designs of `bbo.problems.engineering` | 2 to 7 | 3 to 11 constraints |
| g06, g09 | 2; 7 | 0.007 and 0.5 % of the space are feasible |

| problem | parameters | of the suite of many dimensions |
|---|---|---|
| hartmann6-of-60, rosenbrock5-of-200 | 60; 200 | 6 and 5 of them matter, moved and turned |
| levy60, ackley200 | 60; 200 | moved and turned |

| problem | parameters | of the suites of `spaces.py` |
|---|---|---|
| fifteen-categories | 15 of 6 choices | half of what they do depends on one another |
| sparse-mixture | 20 parts of which 5 are there at most | three linear constraints |
| model-choice, model-choice-diabetes | 6 | a tree of conditions; the latter scikit-learn |

The tables of `reaction_tables.py` are the suite of `reactions.py`.

The first eight, and those of many dimensions, are other functions under every seed. Of gradient boosting the seed
decides the noise of training, which is the same for all trials of a run: within a run no problem has noise.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Self

import numpy as np
from reaction_tables import TABLES, Table
from scipy.stats import qmc
from spaces_problems import ManyCategories, ModelChoice, ModelChoiceDiabetes, SparseMixture

from bbo.history import Array
from bbo.objective import Objectives
from bbo.problems import PROBLEMS, Ackley, Griewank, Hartmann6, Levy, Rosenbrock, StyblinskiTang
from bbo.problems.wrappers import Categorized, Embedded, Moved
from bbo.protocols import Problem

_N_PROBED = 3
_N_SAMPLED = 4096
_FEWEST_FEASIBLE = 8


_GENERAL: dict[str, Callable[[int], Problem]] = {
    "hartmann6": lambda seed: Moved(Hartmann6(), seed),
    "rosenbrock5": lambda seed: Moved(Rosenbrock(5), seed),
    "levy8": lambda seed: Moved(Levy(8), seed),
    "ackley10": lambda seed: Moved(Ackley(10), seed),
    "styblinski-tang12": lambda seed: Moved(StyblinskiTang(12), seed),
    "griewank20": lambda seed: Moved(Griewank(20), seed),
    "levy30": lambda seed: Moved(Levy(30), seed),
    "mixed-ackley8": lambda seed: Categorized(Moved(Ackley(8), seed), {"x1": 3, "x2": 4, "x3": 5}, seed),
    "welded-beam": lambda _: PROBLEMS["welded-beam"](),
    "speed-reducer": lambda _: PROBLEMS["speed-reducer"](),
    "gradient-boosting-diabetes": lambda _: PROBLEMS["gradient-boosting-diabetes"](),
    "svm-digits": lambda _: PROBLEMS["svm-digits"](),
}
_DESIGNS = ("welded-beam", "pressure-vessel", "compression-spring", "speed-reducer", "three-bar-truss")
_CONSTRAINED: dict[str, Callable[[int], Problem]] = {
    name: lambda _, name=name: PROBLEMS[name]()  # type: ignore[misc]
    for name in (*_DESIGNS, "g06", "g09")
}
_MANY_DIMENSIONS: dict[str, Callable[[int], Problem]] = {
    "hartmann6-of-60": lambda seed: Embedded(Moved(Hartmann6(), seed), 60, seed),
    "rosenbrock5-of-200": lambda seed: Embedded(Moved(Rosenbrock(5), seed), 200, seed),
    "levy60": lambda seed: Moved(Levy(60), seed),
    "ackley200": lambda seed: Moved(Ackley(200), seed),
}
_SPACES: dict[str, Callable[[int], Problem]] = {
    "fifteen-categories": ManyCategories,
    "sparse-mixture": SparseMixture,
    "model-choice": ModelChoice,
    "model-choice-diabetes": ModelChoiceDiabetes,
}
_REACTIONS: dict[str, Callable[[int], Problem]] = {
    name: lambda _, name=name: Table(name)  # type: ignore[misc]
    for name in TABLES
}


@dataclass(frozen=True)
class Suite:
    """Problems that are compared after the same number of trials."""

    problems: tuple[str, ...]
    n_trials: int


SUITES = {
    "general": Suite(tuple(_GENERAL), 60),
    "constrained": Suite(tuple(_CONSTRAINED), 60),
    "many-dimensions": Suite(tuple(_MANY_DIMENSIONS), 300),
    "categories": Suite(("fifteen-categories",), 80),
    "mixtures": Suite(("sparse-mixture",), 60),
    "trees": Suite(("model-choice", "model-choice-diabetes"), 60),
    "reactions": Suite(tuple(_REACTIONS), 20),
}
SUITE = _GENERAL | _CONSTRAINED | _MANY_DIMENSIONS | _SPACES | _REACTIONS


def trials(name: str) -> int:
    """How many a run on this problem has."""
    return next(suite.n_trials for suite in SUITES.values() if name in suite.problems)


@dataclass(frozen=True)
class Told:
    """What an evaluation gave, in the form that every method can take.

    Args:
        values: by metric, as the problem gives them.
        value: of the objective, to be minimized.
        violations: of the constraints, feasible when at most 0, one for each bound.
        penalized: `value` where the point is feasible, else that of `Penalty`, for methods that know no constraints.
    """

    params: dict[str, Any]
    values: dict[str, float]
    value: float
    violations: list[float]
    penalized: float

    @property
    def is_feasible(self) -> bool:
        return all(g <= 0 for g in self.violations)


@dataclass(frozen=True)
class Penalty:
    """Values for infeasible points: worse than a middling feasible one, by how much they violate.

    The value is q + s mean_j min(1, max(0, g_j) / G_j): of feasible points at random, q is the median and s the
    distance between the quartiles; G_j is the 95 % quantile of the violations of constraint j at random. Thus no
    infeasible point looks better than the better half of the feasible ones, and none so bad that it ruins a model.
    Where hardly any point is feasible, those that violate least stand for the feasible ones.
    """

    middle: float
    spread: float
    largest: tuple[float, ...]

    @classmethod
    def of(cls, problem: Problem) -> Self:
        """From points at random, the same for every method."""
        value, G = _measured(problem, problem.space.sample(_N_SAMPLED, np.random.default_rng(0)), seed=0)
        largest = [float(np.quantile(g[g > 0], 0.95)) if (g > 0).any() else 1.0 for g in G.T]
        feasible = value[(G <= 0).all(axis=1)]
        if len(feasible) < _FEWEST_FEASIBLE:
            feasible = value[np.argsort((G.clip(0.0) / largest).sum(axis=1))[:_FEWEST_FEASIBLE]]
        low, middle, high = np.quantile(feasible, [0.25, 0.5, 0.75]).tolist()
        return cls(middle, high - low, tuple(largest))

    def value(self, violations: Sequence[float]) -> float:
        shares = [min(1.0, max(0.0, g) / largest) for g, largest in zip(violations, self.largest, strict=True)]
        return self.middle + self.spread * sum(shares) / len(shares)


@cache
def penalty(name: str) -> Penalty:
    """Of a constrained problem of the suite; these are the same under every seed."""
    return Penalty.of(SUITE[name](0))


def evaluate(name: str, problem: Problem, params: Mapping[str, Any], seed: int) -> Told:
    """What a method is told of a point.

    Raises:
        SpaceError: params outside the space.
    """
    values = problem.evaluate(params, seed=seed)
    value, G = _as_told(problem, [values])
    told = Told(dict(params), values, float(value[0]), G[0].tolist(), float(value[0]))
    return told if told.is_feasible else replace(told, penalized=penalty(name).value(told.violations))


def fingerprint(name: str, seed: int) -> str:
    """Of what a problem does: its space, what is wanted, and its values at some points, to 6 digits.

    It stays the same when the code is written anew and does the same, so that records stay of use.
    """
    problem = SUITE[name](seed)
    key = repr(problem)
    if key not in _FINGERPRINTS:  # some take seconds, and are the same under every seed
        _FINGERPRINTS[key] = _fingerprint(problem)
    return _FINGERPRINTS[key]


_FINGERPRINTS: dict[str, str] = {}


def _fingerprint(problem: Problem) -> str:
    value, G = _measured(problem, problem.space.sample(_N_PROBED, np.random.default_rng(0)), seed=0)
    wanted = Objectives(tuple(problem.objectives)).to_list()
    numbers = [f"{v:.6g}" for v in (*value.tolist(), *G.ravel().tolist())]
    text = json.dumps([problem.space.to_dict(), wanted, numbers], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def first_points(problem: Problem, seed: int, n: int) -> list[dict[str, Any]]:
    """The equal first points of the second table: a Latin hypercube; where columns are bound together, at random."""
    if not problem.space.region.is_box:
        return problem.space.sample(n, np.random.default_rng([seed, n]))
    return problem.space.decode(qmc.LatinHypercube(problem.space.dim, rng=np.random.default_rng([seed, n])).random(n))


def _measured(problem: Problem, points: Sequence[dict[str, Any]], *, seed: int) -> tuple[Array, Array]:
    return _as_told(problem, [problem.evaluate(p, seed=seed) for p in points])


def _as_told(problem: Problem, values: Sequence[Mapping[str, float]]) -> tuple[Array, Array]:
    """Objective to be minimized, `n`, and violations, `n x c`."""
    wanted = Objectives(tuple(problem.objectives))
    V = np.array([[v[m] for m in wanted.metrics] for v in values])
    return -wanted.utilities(V)[:, 0], wanted.violations(V)
