"""The notes of model-based suggestions: what the model expects, how far it can be believed, what is still to be gained.

Their keys are those of `bbo.events`.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from bbo import seeding
from bbo.acquisition.belief import Belief
from bbo.acquisition.costs import Costs, Prices
from bbo.acquisition.domain import Domain
from bbo.acquisition.regret import regret_bound
from bbo.budget import RegretBelow
from bbo.history import History
from bbo.strategies.batch import Proposed
from bbo.strategies.context import Context
from bbo.strategies.coverage import coverage
from bbo.strategies.left_out import loo_r2
from bbo.strategies.observed import believed, best_trials, doubted, earlier, n_told

# A smaller spread of values, as a share of the largest, is rounding.
_SPREAD = 1e-14


def of_point(history: History, belief: Belief, proposed: Proposed, by: str) -> dict[str, Any]:
    """What the belief expects of a point, and what it is worth.

    Args:
        by: name of the strategy.
    """
    x = belief.means.new_tensor(history.space.encode([proposed.params]))
    with torch.no_grad():
        mean, sd = (float(v[0, 0]) for v in belief.mean_sd(x))
        noise = belief.noise(belief.outputs.mean_sd(x)[0][0, 0])
        worth = float(proposed.judge(x))
        feasibility = float(belief.log_feasibility(x, is_measured=True).exp())
    aim = history.objectives.aims[0]
    notes: dict[str, Any] = {"by": by, "acquisition": _short(worth)}
    metric = aim.metric_of(mean)
    if metric is not None:
        notes |= {"mean": {aim.metric: _short(metric)}, "sd": {aim.metric: _short(sd)}}
        notes |= {} if noise is None else {"noise_sd": {aim.metric: _short(noise)}}
    if belief.is_doubtful:
        notes["feasibility"] = _short(feasibility)
    if belief.rung != "map":
        notes["rung"] = belief.rung
    if proposed.fall is not None:
        notes["fall"] = proposed.fall
    return notes


def of_cost(history: History, belief: Belief, costs: Costs | Prices | None, proposed: Proposed) -> dict[str, Any]:
    """What a point is expected to cost, in the unit of the study; None where too little was told to say."""
    if costs is None:
        return {"cost": None}
    x = belief.means.new_tensor(history.space.encode([proposed.params]))
    with torch.no_grad():
        return {"cost": _short(float(costs.log(x).exp()))}


def of_model(history: History, fitted: Belief, costs: Costs | Prices | None) -> dict[str, Any]:
    """Where the next fit may go on, and how far this one can be believed."""
    before = earlier(history)
    searched = n_told(history) if before is None else before["searched"]
    notes: dict[str, Any] = {"warm": fitted.warm | {"searched": searched}}
    if costs is not None and costs.hyperparameters is not None:
        notes["warm"]["costs"] = costs.hyperparameters
    scales = getattr(fitted.outputs, "length_scales", None)
    if scales is not None:
        by_column = dict(zip(history.space.columns, scales[0].tolist(), strict=True))
        named = [pair for p in history.space.parameters for pair in zip(p.cells, p.columns, strict=False)]
        notes["length_scales"] = {cell.name: _short(by_column[column]) for cell, column in named}
    r2, covered = loo_r2(fitted.outputs), coverage(history)
    notes |= {} if r2 is None else {"loo_r2": _short(r2)}
    notes |= {"coverage": covered.to_note()} if covered.of else {}
    strange = doubted(history, fitted.outputs, range(fitted.outputs.num_outputs)).tolist()
    if history.aim is None and (fitted.is_noisy or strange):
        notes["incumbent"] = int(best_trials(history, 1, believed(history, fitted))[0])
    return notes | ({"outliers": strange} if strange else {})


def of_gain(
    history: History, expecting: Belief, X: Tensor, *, domain: Domain, anchors: Tensor, seed: int
) -> dict[str, float]:
    """What further trials may gain, for stop rules; nothing while no trial is feasible, or all values are equal.

    In a context, what is to be gained there.

    Values without any spread give the gain no scale: it would be a share of the unit that a model then takes.

    Args:
        expecting: what the completed trials say of the point that is proposed.
        X: that point and those that are pending, `k x d`. They were sought where most is to be gained, so the most that
            one of them promises does not depend on how many are under way.
        domain: all of the space.
        anchors, seed: of the search for a bound on the regret, where the budget has a rule that needs one.
    """
    Y = history.Y[history.is_completed, 0]
    if np.ptp(Y) <= _SPREAD * np.abs(Y).max():
        return {}
    with torch.no_grad():
        gains, noise = expecting.gain(X), expecting.noise(expecting.best_f)
    if gains is None:
        return {}
    notes = {"gain": _short(float(gains.max()))}
    if noise is not None:
        notes["noise"] = _short(noise)
    if history.budget is not None and any(isinstance(rule, RegretBelow) for rule in history.budget.stop):
        context = Context.of(history, X.device)
        feasible = X.new_tensor(history.X[history.is_feasible]).clamp(0.0, 1.0)
        if context is not None:
            feasible = context.feasible(expecting)
        n = int(history.is_completed.sum())
        bound = regret_bound(expecting, feasible, n, domain, seed=seeding.derive(seed, 0, 1), anchors=anchors)
        notes["regret"] = _short(bound)
    return notes


def _short(value: float) -> float:
    return float(f"{value:.6g}")
