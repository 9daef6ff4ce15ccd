"""The default strategy on travelling salesmen: shorter tours than by chance, and than a local search finds."""

import numpy as np

from bbo.objective import Minimize
from bbo.space import Permutation
from bbo.strategies import GP, RandomSearch
from bbo.studies.study import Study

N_CITIES, N_TRIALS = 9, 36


def salesman(seed):
    """The length of a tour of cities at random in the unit square, as a function of the order."""
    cities = np.random.default_rng(seed).random((N_CITIES, 2))
    apart = np.linalg.norm(cities[:, None] - cities, axis=-1)
    return lambda order: float(apart[order, np.roll(order, 1)].sum())


def searched(strategy, length, seed):
    study = Study([Permutation("tour", range(N_CITIES), cyclic=True)], Minimize("length"), strategy=strategy, seed=seed)
    for _ in range(N_TRIALS):
        trial = study.ask()
        study.tell(trial, length(trial["tour"]))
    return study.best.values["length"]


def two_opt(length, seed):
    """The first stretch that is shorter turned around is, until none is; then from another start."""
    rng = np.random.default_rng(seed)
    lengths = []
    while len(lengths) < N_TRIALS:
        tour = rng.permutation(N_CITIES)
        lengths.append(length(tour))
        is_better = True
        while is_better:
            is_better, now = False, length(tour)
            for k in rng.permutation(N_CITIES**2):
                i, j = sorted(divmod(k, N_CITIES))
                if not 1 <= j - i < N_CITIES - 1:
                    continue
                turned = np.concatenate([tour[:i], tour[i : j + 1][::-1], tour[j + 1 :]])
                lengths.append(length(turned))
                if lengths[-1] < now:
                    tour, is_better = turned, True
                    break
    return min(lengths[:N_TRIALS])


def test_tours_are_shorter_than_by_chance_and_than_by_local_search():
    found = []
    for seed in range(3):
        length = salesman(seed)
        local = np.median([two_opt(length, [seed, k]) for k in range(9)])
        found.append([searched(GP(), length, seed), searched(RandomSearch(), length, seed), local])
    model, chance, local = np.mean(found, axis=0)
    assert model < 0.9 * chance
    assert model < 0.98 * local
