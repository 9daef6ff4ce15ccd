"""What would be slow or wrong on a GPU, found on a CPU: tensors made without a device, values read back in a loop."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors

from bbo.acquisition import optimize
from bbo.acquisition.optimism import UCB, Thompson
from bbo.acquisition.utilities import log_pi
from bbo.budget import Budget, RegretBelow
from bbo.objective import Minimize, OutcomeConstraint
from bbo.space import Categorical, Float, Int, Linear, Permutation, Pool, Simplex, Space
from bbo.strategies import GP
from bbo.studies.study import Study
from bbo.surrogates import mode
from bbo.surrogates.exact_gp import ExactGP
from bbo.surrogates.priors import SAAS

FACTORIES = _device_constructors() - {torch.as_tensor}
_READ = (
    "item",
    "cpu",
    "numpy",
    "tolist",
    "__bool__",
    "__float__",
    "__int__",
    "__index__",
    "__array__",
    "masked_select",
)
READ_BACK = {getattr(torch.Tensor, name) for name in _READ} | {torch.equal, torch.masked_select}
SPACE = [Float("x", 0.0, 1.0), Float("z", 1e-3, 1.0, log=True), Int("k", 1, 5000), Categorical("c", ["a", "b", "d"])]


def is_sized_by_values(func, args):
    """Whether a tensor is indexed by a mask, so that its size has to be read back."""
    if func is not torch.Tensor.__getitem__:
        return False
    index = args[1] if isinstance(args[1], tuple) else (args[1],)
    return any(isinstance(i, torch.Tensor) and i.dtype == torch.bool for i in index)


class Strict(TorchFunctionMode):
    """Fails on a tensor made without device and dtype, and, while `is_loop`, on a value that is read back."""

    def __init__(self):
        super().__init__()
        self.is_loop = False
        self.n_made = 0
        self.loops = Counter()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in FACTORIES:
            self.n_made += 1
            missing = [name for name in ("device", "dtype") if kwargs.get(name) is None]
            assert not missing, f"{func.__name__}{args} without {missing}"
        if self.is_loop and (func in READ_BACK or is_sized_by_values(func, args)):
            raise AssertionError(f"{func.__name__} in the restart loop")
        return func(*args, **kwargs)


@pytest.fixture
def strict(monkeypatch):
    """Watches both loops over restarts: of points, and of hyperparameters."""
    watch, maximize = Strict(), optimize.maximize

    def watched(over):
        def of(*args, **options):
            watch.is_loop = True
            watch.loops[over] += 1
            try:
                return maximize(*args, **options)
            finally:
                watch.is_loop = False

        return of

    monkeypatch.setattr(optimize, "maximize", watched("points"))
    monkeypatch.setattr(mode, "maximize", watched("hyperparameters"))
    return watch


@pytest.mark.parametrize("acquisition", [None, log_pi, UCB(), Thompson()], ids=["log_ei", "log_pi", "ucb", "thompson"])
@pytest.mark.parametrize("n", [12, 150])
def test_tensors_are_made_with_device_and_dtype_and_none_is_read_back_in_the_restart_loop(strict, acquisition, n):
    strategy = GP() if acquisition is None else GP(acquisition=acquisition)
    s = Study(SPACE, [Minimize("y"), OutcomeConstraint("g", upper=0.0)], strategy=strategy, seed=1)
    rng = np.random.default_rng(0)
    table = pd.DataFrame(s.space.sample(n, rng))
    noise = 0.1 * rng.standard_normal(n)
    s.add(table.assign(y=(table["x"] - 0.3) ** 2 + noise, g=table["x"] - table["z"] - 0.5))
    for trial in s.ask(3)[:2]:
        s.fail(trial)
    with strict:
        s.ask(2)
    assert strict.n_made > 50
    assert strict.loops["points"] >= 2
    assert strict.loops["hyperparameters"] >= 1


def bowl(trial):
    return sum((v - 0.3) ** 2 for v in trial.params.values())


def quiet(d=2, n=6, budget=None, **options):
    """A study without noise, constraints, failures or anything pending."""
    s = Study(
        [Float(f"x{k}", 0.0, 1.0) for k in range(d)], Minimize("y"), strategy=GP(**options), seed=1, budget=budget
    )
    for trial in s.ask(n):
        s.tell(trial, bowl(trial))
    return s


def with_an_outlier():
    s = quiet(n=30, n_first=30)
    s.tell(s.ask(), -30.0)
    return s


@pytest.mark.parametrize(
    ("study", "n"),
    [
        (quiet, 1),
        (quiet, 2),
        (quiet, 6),
        (lambda: quiet(budget=Budget(stop=(RegretBelow(1e-6),))), 1),
        (with_an_outlier, 1),
        (lambda: quiet(d=20, n=10), 2),
        (lambda: quiet(d=5, n=10, surrogate=ExactGP(length_scale=SAAS())), 1),
    ],
    ids=["one", "two", "six", "regret", "second look", "trust region", "saas"],
)
def test_so_it_is_where_nothing_is_noisy_or_pending(strict, study, n):
    s = study()
    with strict:
        first, *_ = s.ask(n) if n > 1 else [s.ask()]
    assert strict.loops["points"] >= 1
    assert strict.loops["hyperparameters"] >= 1
    assert ("looks_at" in first.notes) == (study is with_an_outlier)
    assert ("regret" in first.notes) == (s.budget is not None and bool(s.budget.stop))


BOUND = Space(
    [
        Simplex("mix", ["a", "b", "c", "d"], max_parts=3),
        Float("x", 0.0, 1.0),
        Categorical("c", ["u", "v", "w"], descriptors={"size": [1.0, 2.0, 4.0]}),
        Float("y", 0.0, 1.0, when={"c": ["v", "w"]}),
        Permutation("p", [1, 2, 3], when={"c": ["u", "v"]}),
    ],
    [Linear({"mix.a": 1, "x": 1}, upper=1.2)],
)


@pytest.mark.parametrize("n", [1, 2])
def test_so_it_is_where_columns_are_bound_together_absent_or_known(strict, n):
    s = Study(BOUND, Minimize("z"), strategy=GP(), seed=1)
    for trial in s.ask(10):
        s.tell(trial, trial["mix"]["a"] + (trial["x"] - 0.3) ** 2 + trial.params.get("y", 0.5))
    with strict:
        s.ask(n)
    assert strict.loops["points"] >= n
    assert strict.loops["hyperparameters"] >= 1


POOL = Pool(
    {"a": [k / 30 for k in range(31)], "c": (["u", "v", "w"] * 11)[:31], "price": [1.0 + k for k in range(31)]},
    costs="price",
)


@pytest.mark.parametrize("others", [[], [Float("x", 0.0, 1.0)]])
def test_so_it_is_among_the_rows_of_a_pool(strict, others):
    space = Space([Float("a", 0.0, 1.0), Categorical("c", ["u", "v", "w"]), *others], [POOL])
    s = Study(space, Minimize("z"), strategy=GP(per_cost=True), seed=1)
    for trial in s.ask(10):
        s.tell(trial, (trial["a"] - 0.4) ** 2 + trial.params.get("x", 0.0))
    with strict:
        s.ask(2)
    assert strict.loops["hyperparameters"] >= 1


def test_the_watch_sees_what_it_is_for(strict):
    with strict:
        with pytest.raises(AssertionError, match="without"):
            torch.zeros(3)
        with pytest.raises(AssertionError, match=r"without \['device'\]"):
            torch.arange(3, dtype=torch.long)
        strict.is_loop = True
        one = torch.ones((), dtype=torch.float64, device="cpu")
        for read in (torch.Tensor.item, torch.Tensor.cpu, torch.Tensor.tolist, bool, float, np.asarray):
            with pytest.raises(AssertionError, match="in the restart loop"):
                read(one)
        for read in (lambda: one[one > 0], lambda: torch.equal(one, one), lambda: one.masked_select(one > 0)):
            with pytest.raises(AssertionError, match="in the restart loop"):
                read()
