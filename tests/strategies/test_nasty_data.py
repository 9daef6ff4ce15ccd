"""Data that break models, through `Study.ask`: a point comes, of the model, and the notes say how hard it was to fit.

`BBO_NASTY=1000` looks at so many data sets instead of 60.
"""

import math
import os

import numpy as np
import pandas as pd
import pytest

from bbo.objective import Maximize, Minimize, OutcomeConstraint, Target
from bbo.space import Categorical, Float, Int
from bbo.strategies import GP
from bbo.studies.study import Study
from bbo.surrogates.exact_gp import LADDER

N = int(os.environ.get("BBO_NASTY", "60"))
RUNGS = [rung.name for rung in LADDER]


def parameter(name, rng):
    kinds = [
        lambda: Float(name, 0.0, 1.0),
        lambda: Float(name, -1e9, 1e9),
        lambda: Float(name, 1e-12, 1e6, log=True),
        lambda: Float(name, 0.0, 1.0, step=0.25),
        lambda: Int(name, 0, 10**6),
        lambda: Int(name, 1, 2),
        lambda: Int(name, 1, 5000, log=True),
        lambda: Categorical(name, ["a", "b"]),
        lambda: Categorical(name, [f"level {k}" for k in range(40)]),
    ]
    return kinds[rng.integers(len(kinds))]()


def values(U, rng):
    """Of positions `n x d`: a function, and what may be wrong with it."""
    n = len(U)
    smooth = np.sin(5 * U.sum(axis=1)) + U[:, 0]
    kinds = [
        lambda: np.full(n, rng.choice([0.0, 1.0, -3e5, 1e300, 5e-324])),
        lambda: np.full(n, 7.0) + 1e-13 * rng.standard_normal(n),
        lambda: 1e12 * smooth,
        lambda: 1e-12 * smooth + 1e3,
        lambda: smooth,
        lambda: np.where(np.arange(n) == n // 2, 1e9, smooth),
        lambda: np.where(rng.random(n) < 0.2, smooth + 10 * rng.standard_normal(n), smooth),
        lambda: rng.standard_cauchy(n),
        lambda: rng.standard_normal(n),
        lambda: np.sign(U[:, 0] - 0.5),
        lambda: np.exp(200 * U[:, 0]),
        lambda: rng.choice([-1e300, 1e300], n),
    ]
    return kinds[rng.integers(len(kinds))]()


def positions(n, d, rng):
    kinds = [
        lambda: rng.random((n, d)),
        lambda: np.tile(rng.random((1, d)), (n, 1)),
        lambda: np.repeat(rng.random((n, 1)), d, axis=1),
        lambda: rng.random((max(1, n // 5), d))[rng.integers(max(1, n // 5), size=n)],
        lambda: np.clip(0.5 + 1e-9 * rng.standard_normal((n, d)), 0.0, 1.0),
        lambda: rng.integers(2, size=(n, d)).astype(float),
        lambda: np.clip(0.7 + np.geomspace(0.3, 1e-12, n)[:, None] * rng.standard_normal((n, d)), 0.0, 1.0),
    ]
    return kinds[rng.integers(len(kinds))]()


def nasty(seed, n=None):
    """A study that has been told something awkward, `n` trials of it at once."""
    rng = np.random.default_rng([7, seed])
    d, drawn = int(rng.choice([1, 2, 3, 6, 15, 60])), int(rng.choice([1, 2, 3, 5, 12, 30, 80]))
    n = drawn if n is None else n
    aim = [Minimize("y"), Maximize("y"), Target("y", 0.5)][rng.integers(3)]
    wanted = [aim]
    if rng.random() < 0.4:
        wanted.append(OutcomeConstraint("g", upper=0.0))
    if rng.random() < 0.2:
        wanted.append(OutcomeConstraint("h", lower=-1.0, upper=1.0))
    # The first is a continuum, so that no space is exhausted.
    s = Study(
        [Float("x", 0.0, 1.0), *(parameter(f"p{j}", rng) for j in range(1, d))],
        wanted,
        strategy=GP(n_first=1),
        seed=seed,
    )
    U = positions(n, d, rng)
    table = pd.DataFrame(s.space.decode(U)).assign(**{o.metric: values(U, rng) for o in wanted})
    s.add(table)
    for _ in range(int(rng.choice([0, 0, 1, 3]))):
        s.fail(s.ask())
    if rng.random() < 0.3:
        trial = s.ask()
        sd = {"y": float(rng.choice([0.0, 1e-6, 10.0]))} if rng.random() < 0.5 else None
        s.tell(trial, {o.metric: float(rng.choice([0.0, 1.0, -1e6])) for o in wanted}, sd=sd)
    if rng.random() < 0.3:
        s.tell(s.ask(), {o.metric: rng.choice([0.0, 1.0, -1e6, 1e300], 3).tolist() for o in wanted})
    if rng.random() < 0.3 and len(wanted) > 1:
        s.tell(s.ask(), {wanted[-1].metric: float(rng.choice([0.0, 1.0, 1e300]))}, partial=True)
    return s


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seed", range(N))
def test_whatever_was_told_a_point_comes_and_the_notes_say_from_where(seed):
    asked_of(nasty(seed), seed)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n", [140, 330, 450, 3100])
@pytest.mark.parametrize("seed", range(max(1, N // 60)))
def test_so_it_is_where_trials_are_many(seed, n):
    asked_of(nasty(2001 + 10 * n + seed, n), seed)


def asked_of(s, seed):
    n_before, n_failed = int(s.history.is_completed.sum()), int(s.history.is_failed.sum())
    trials = s.ask(2 if seed % 3 == 0 else 1)
    for trial in trials if isinstance(trials, list) else [trials]:
        s.space.check(trial.params)
        if n_before >= 2 or (n_before == 1 and n_failed >= 2):
            assert trial.notes["by"] == "GP"
            assert trial.notes.get("rung", "map") in RUNGS
            # The point is the best that was found, by a number, or the notes say why not.
            assert math.isfinite(trial.notes["acquisition"]) or trial.notes["fall"] == "unjudged"
        else:
            assert trial.notes["by"] in ("sobol", "middle")
