"""A travelling salesman: bbo on orders, beside orders at random and a local search that may evaluate as often."""

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bbo import Study
from bbo.objective import Minimize
from bbo.protocols import Strategy
from bbo.space import Permutation

N_CITIES, N_TRIALS = 12, 100
# What a local search finds depends on where it begins: the median of so many.
_N_LOCAL = 11


@dataclass(frozen=True)
class Salesman:
    """The shortest closed tour of cities uniform in the unit square."""

    seed: int
    n: int = N_CITIES

    @cached_property
    def apart(self) -> NDArray[np.float64]:
        """Distances, `n x n`."""
        cities = np.random.default_rng([self.seed, 12]).random((self.n, 2))
        return np.linalg.norm(cities[:, None] - cities, axis=-1)

    def length(self, tour: NDArray[np.int64] | list[int]) -> float:
        return float(self.apart[tour, np.roll(tour, 1)].sum())

    @cached_property
    def shortest(self) -> float:
        """By dynamic programming over sets of cities: Held & Karp, J. SIAM 10 (1962)."""
        first = {(1 << k, k): float(self.apart[0, k]) for k in range(1, self.n)}
        for size in range(2, self.n):
            longer: dict[tuple[int, int], float] = {}
            for cities in itertools.combinations(range(1, self.n), size):
                bits = sum(1 << k for k in cities)
                for k in cities:
                    longer[bits, k] = min(first[bits & ~(1 << k), j] + self.apart[j, k] for j in cities if j != k)
            first = longer
        return min(length + float(self.apart[k, 0]) for (_, k), length in first.items())


def searched(problem: Salesman, strategy: Strategy, n_trials: int = N_TRIALS) -> float:
    """The shortest tour that a strategy finds."""
    tour = Permutation("tour", list(range(problem.n)), cyclic=True)
    study = Study([tour], Minimize("length"), strategy=strategy, seed=problem.seed)
    for _ in range(n_trials):
        trial = study.ask()
        study.tell(trial, problem.length(trial["tour"]))
    return study.best.values["length"]


def two_opt(problem: Salesman, start: int, n_trials: int = N_TRIALS) -> float:
    """The shortest tour of a local search: the first stretch that is shorter turned around is turned; when none is,
    another tour at random is begun with. Every tour that is looked at is a trial.

    Croes, Oper. Res. 6 (1958).
    """
    rng = np.random.default_rng([problem.seed, start])
    ends = [(i, j) for i, j in itertools.combinations(range(problem.n), 2) if j - i < problem.n - 1]
    lengths: list[float] = []
    while len(lengths) < n_trials:
        tour = rng.permutation(problem.n)
        lengths.append(problem.length(tour))
        now, is_better = lengths[-1], True
        while is_better:
            is_better = False
            for k in rng.permutation(len(ends)):
                i, j = ends[k]
                turned = np.concatenate([tour[:i], tour[i : j + 1][::-1], tour[j + 1 :]])
                lengths.append(problem.length(turned))
                if lengths[-1] < now:
                    tour, now, is_better = turned, lengths[-1], True
                    break
    return min(lengths[:n_trials])


def median_two_opt(problem: Salesman, n_trials: int = N_TRIALS) -> float:
    """Over some starts."""
    return float(np.median([two_opt(problem, start, n_trials) for start in range(_N_LOCAL)]))
