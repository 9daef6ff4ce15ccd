"""Model-based search: a first design, then the points that a fitted surrogate says are worth most.

Jones, Schonlau & Welch, J. Global Optim. 13 (1998); constraints after Gardner et al., ICML 2014; batches and pending
points by believing the posterior mean, Ginsbourger, Le Riche & Carraro (2010).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bbo import seeding
from bbo.acquisition.belief import Belief, Utility
from bbo.acquisition.domain import Domain
from bbo.acquisition.optimize import maximize_acquisition
from bbo.acquisition.utilities import log_ei
from bbo.history import History
from bbo.objective import Objectives
from bbo.protocols import Strategy
from bbo.space import Params, Space
from bbo.space.fresh import is_tried
from bbo.strategies.sobol_search import SobolSearch
from bbo.surrogates.exact_gp import ExactGP
from bbo.surrogates.protocol import Surrogate
from bbo.surrogates.threads import pinned_threads
from bbo.trial import Suggestion

# Fewer completed trials than this tell a surrogate nothing.
_FEWEST = 2
_N_ANCHORS = 4


@dataclass(frozen=True, kw_only=True)
class ModelBased:
    """Any surrogate with any utility of its mean and standard deviation.

    Args:
        surrogate: fitted to the completed trials at every ask, from the hyperparameters in the notes of the last.
        acquisition: of mean, standard deviation and incumbent, as a logarithm; weighted by the probability of
            feasibility.
        first: proposes points until there is something to fit.
        n_first: how many trials the first design has, past data counted; by default twice the number of parameters,
            within 4 and 20.
        device: where tensors live.
    """

    surrogate: Surrogate = field(default_factory=ExactGP)
    acquisition: Utility = log_ei
    first: Strategy = field(default_factory=SobolSearch)
    n_first: int | None = None
    device: str = "cpu"

    def refuses(self, space: Space, objectives: Objectives) -> str | None:
        if len(objectives.aims) > 1:
            return (
                f"{type(self).__name__} takes one objective, the study has {[a.metric for a in objectives.aims]}: "
                "make all but one an OutcomeConstraint or Tracked, or use RandomSearch or SobolSearch."
            )
        return None

    def suggest(self, history: History, n: int, *, seed: int) -> list[Suggestion]:
        n_design = min(n, self._missing(history))
        if history.is_completed.sum() < _FEWEST:
            n_design = n
        design = self.first.suggest(history, n_design, seed=seed) if n_design else []
        if len(design) < n_design or n_design == n:
            return design
        seen = history.with_pending([s.params for s in design]) if design else history
        with pinned_threads(history.n_trials):
            return [*design, *self._by_model(seen, n - n_design, seed)]

    def recommend(self, history: History) -> int | None:
        """The number of the feasible trial with the highest posterior mean; None while there is none."""
        feasible = np.flatnonzero(history.is_feasible)
        if len(feasible) < _FEWEST:
            return int(feasible[0]) if len(feasible) else None
        with pinned_threads(history.n_trials):
            mean, _ = self._belief(history).outputs.mean_sd(self._tensor(history.X[feasible]))
        return int(feasible[int(mean[:, 0].argmax())])

    def _missing(self, history: History) -> int:
        n_first = min(20, max(4, 2 * history.space.dim)) if self.n_first is None else self.n_first
        return max(0, n_first - int((history.is_completed | history.is_pending | history.is_failed).sum()))

    def _tensor(self, values: Any) -> Tensor:
        return torch.tensor(values, dtype=torch.float64, device=self.device)

    def _belief(self, history: History) -> Belief:
        done = history.is_completed
        latest = history.latest_warm()
        return Belief.fit(
            self.surrogate,
            self._tensor(history.X[done]),
            self._tensor(history.Y[done]),
            self._tensor(history.G[done]),
            self._tensor(history.X[history.is_failed]),
            categorical=_categorical(history.space),
            warm=None if latest is None else latest[1]["warm"],
        )

    def _by_model(self, history: History, n: int, seed: int) -> list[Suggestion]:
        fitted = self._belief(history)
        pending = self._tensor(history.X[history.is_pending])
        belief = fitted.believe(pending) if len(pending) else fitted
        domain = Domain.compile(history.space, self.device)
        anchors = domain.snap(self._tensor(history.X[_best(history, _N_ANCHORS)]))
        suggestions: list[Suggestion] = []
        for k in range(n):
            points = self._choose(history, belief, domain, anchors, seeding.derive(seed, k))
            if not points:
                break
            x = self._tensor(history.space.encode(points))
            notes = self._notes(history, belief, x)
            if k == 0:
                notes |= {"warm": fitted.warm} | _length_scales(history.space, fitted)
            suggestions.append(Suggestion(points[0], notes=notes))
            belief = belief.believe(x)
            history = history.with_pending(points)
        return suggestions

    def _choose(self, history: History, belief: Belief, domain: Domain, anchors: Tensor, seed: int) -> list[Params]:
        """The best untried point found, if the space has one."""
        found = maximize_acquisition(
            lambda X: belief.worth(self.acquisition, X[:, 0]), domain, seed=seed, anchors=anchors
        )
        ranked = found.ranked[:, 0].cpu().numpy()
        untried = [x for x in ranked if not is_tried(x, history.X, history.space.same)]
        return history.space.fresh(history.space.decode(np.array(untried[:1] or ranked[:1])), history)

    def _notes(self, history: History, belief: Belief, x: Tensor) -> dict[str, Any]:
        with torch.no_grad():
            mean, sd = (float(v[0, 0]) for v in belief.outputs.mean_sd(x))
            worth = float(belief.worth(self.acquisition, x))
            feasibility = float(belief.log_feasibility(x).exp())
            low, middle, high = belief.objective.inverse(self._tensor([mean - sd, mean, mean + sd])).tolist()
        aim = history.objectives.aims[0]
        notes = {"by": type(self).__name__, "acquisition": _short(worth)}
        metric = aim.metric_of(middle)
        if metric is not None:
            notes |= {"mean": {aim.metric: _short(metric)}, "sd": {aim.metric: _short((high - low) / 2)}}
        if history.objectives.constraints or belief.success is not None:
            notes["feasibility"] = _short(feasibility)
        if belief.rung != "map":
            notes["rung"] = belief.rung
        return notes


def _categorical(space: Space) -> Mapping[int, int]:
    return {j: p.n_levels for j, p in enumerate(space.parameters) if p.n_levels is not None and not p.is_ordered}


def _best(history: History, k: int) -> np.ndarray:
    """Numbers of the best completed trials: feasible ones by utility, then the others by their worst violation."""
    done = np.flatnonzero(history.is_completed)
    G = history.G[done]
    # Violations have units of their own; each is compared with the spread of its kind.
    spread = np.maximum(np.abs(G).mean(axis=0), 1e-300) if len(G) else 1.0
    violation = np.max(np.maximum(G, 0.0) / spread, axis=1, initial=0.0)
    order = np.lexsort((-history.Y[done, 0], violation))
    return done[order[:k]]


def _length_scales(space: Space, belief: Belief) -> dict[str, Any]:
    scales = getattr(belief.outputs, "length_scales", None)
    if scales is None:
        return {}
    return {"length_scales": {name: _short(v) for name, v in zip(space.names, scales[0].tolist(), strict=True)}}


def _short(value: float) -> float:
    return float(f"{value:.6g}")
