"""Model-based search: a first design, then the points that a fitted surrogate says are worth most.

Jones, Schonlau & Welch, J. Global Optim. 13 (1998); constraints after Gardner et al., ICML 2014; noise, pending points
and batches by draws of what they may give, see `bbo.acquisition.fantasies`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from bbo import seeding
from bbo.acquisition.belief import FEWEST_FAILED, Acquisition, Belief, Judge, Utility
from bbo.acquisition.costs import Costs, PerCost, Prices
from bbo.acquisition.domain import Domain
from bbo.acquisition.fantasies import N_DRAWS, Fantasies
from bbo.acquisition.joint import DRAWS_TOGETHER
from bbo.acquisition.optimize import ALONG_RIDGES, Options
from bbo.acquisition.outcomes import Outcomes
from bbo.acquisition.utilities import log_ei
from bbo.errors import StrategyError
from bbo.history import Array, History
from bbo.objective import Objectives
from bbo.protocols import Prediction, Strategy
from bbo.space import Params, Space
from bbo.strategies.batch import MOST_TOGETHER, Proposed, Search, batch
from bbo.strategies.context import Context
from bbo.strategies.first_design import first_design
from bbo.strategies.left_out import left_out, left_out_by
from bbo.strategies.notes import of_cost, of_gain, of_model, of_point
from bbo.strategies.observed import believed, best_trials, earlier, modelled, n_told, undoubted, unfinished
from bbo.strategies.second_look import is_possible, second_look
from bbo.strategies.sobol_search import SobolSearch
from bbo.strategies.trust_region import TrustRegion, is_wanted
from bbo.surrogates.exact_gp import ExactGP
from bbo.surrogates.protocol import Fitted, Surrogate
from bbo.surrogates.threads import pinned_threads
from bbo.trial import Suggestion

# Fewer completed trials than this tell a surrogate nothing of the objective.
_FEWEST = 2
_N_ANCHORS = 4
# Points predicted at once: fewer than make a matrix of that many numbers, 80 MB, with the observations of all outputs.
_MOST_AT_ONCE, _FEWEST_AT_ONCE = 10_000_000, 256
_LARGEST_SD = 1e150  # where its square leaves the range of numbers
# Below the seed of an ask stands that of a second look; see also `bbo.strategies.batch`.
_LOOK = 4


@dataclass(frozen=True, kw_only=True)
class ModelBased:
    """Any surrogate with any utility of its mean and standard deviation.

    The first point that the model proposes in an ask has notes on what further trials may gain, from the completed
    trials alone; `gain` is that of the trial which promises most, among this one and those that are pending.

    Args:
        surrogate: fitted to the completed trials at every ask, from the hyperparameters in the notes of the last.
        acquisition: a utility of mean, standard deviation and incumbent, as a logarithm (`log_ei`, `log_pi`), averaged
            over what rivals may give and weighted by the probability of feasibility; or `UCB()` or `Thompson()`.
        first: proposes points until there is something to fit; by default the middle of the space and `SobolSearch()`.
        n_first: how many trials the first design has, past data counted; by default twice the number of parameters,
            within 4 and 8.
        device: where tensors live.
        per_cost: seek what is worth most per unit of cost, from the costs that are told; see `bbo.acquisition.costs`.
            Until two were told, as without. Points of a batch are chosen one after the other.
    """

    surrogate: Surrogate = field(default_factory=ExactGP)
    acquisition: Utility | Acquisition = log_ei
    first: Strategy = field(default_factory=SobolSearch)
    n_first: int | None = None
    device: str = "cpu"
    per_cost: bool = False

    foretells: ClassVar[frozenset[str]] = frozenset({"gain", "noise", "regret"})

    def __post_init__(self) -> None:
        name = type(self).__name__
        is_ready = not isinstance(self.acquisition, type) and (
            callable(self.acquisition) or isinstance(self.acquisition, Acquisition)
        )
        if not is_ready:
            raise StrategyError(
                f"{name} takes as acquisition a function of mean, standard deviation and incumbent, or an object such "
                f"as UCB() or Thompson(): got {self.acquisition!r}."
            )
        for role, method in (("surrogate", "fit"), ("first", "suggest")):
            given = getattr(self, role)
            if isinstance(given, type) or not callable(getattr(given, method, None)):
                raise StrategyError(f"{name} takes as {role} an object with a method `{method}`: got {given!r}.")
        try:
            torch.device(self.device)
        except (RuntimeError, TypeError) as error:
            raise StrategyError(f'{name} takes as device "cpu" or "cuda": got {self.device!r}.') from error
        if self.n_first is not None and (not isinstance(self.n_first, int) or self.n_first < 0):
            raise StrategyError(f"{name} takes as n_first a whole number of at least 0: got {self.n_first!r}.")

        if not isinstance(self.per_cost, bool):
            raise StrategyError(f"{name} takes as per_cost True or False: got {self.per_cost!r}.")
        if self.per_cost and isinstance(self.acquisition, Acquisition):
            raise StrategyError(
                f"{name} divides a utility by the cost, and {self.acquisition!r} is none: with per_cost=True take "
                "log_ei or log_pi, or leave per_cost out."
            )

    def refuses(self, space: Space, objectives: Objectives) -> str | None:
        if len(objectives.aims) > 1:
            return (
                f"{type(self).__name__} takes one objective, the study has {[a.metric for a in objectives.aims]}: "
                "make all but one an OutcomeConstraint or Tracked, or use RandomSearch or SobolSearch."
            )
        refuses = getattr(self.first, "refuses", None)
        refusal = None if refuses is None else refuses(space, objectives)
        if refusal is not None:
            return f"Its first design: {refusal}"
        if torch.device(self.device).type == "cuda" and not torch.cuda.is_available():
            return (
                f'{type(self).__name__} computes on {self.device!r}, which torch does not see here: use device="cpu".'
            )
        return None

    def suggest(self, history: History, n: int, *, seed: int) -> list[Suggestion]:
        n_design = min(n, self._missing(history))
        if not _says_something(history):
            n_design = n
        design = self._design(history, n_design, seed)
        if len(design) < n_design or n_design == n:
            return design
        seen = history.with_pending([s.params for s in design]) if design else history
        with pinned_threads(history.n_trials):
            return [*design, *self._by_model(seen, n - n_design, seed)]

    def _design(self, history: History, n: int, seed: int) -> list[Suggestion]:
        """What `first` proposes, by default after the middle of the space."""
        if n == 0 or self.first != SobolSearch():  # one's own is taken as it is
            return self.first.suggest(history, n, seed=seed) if n else []
        return first_design(self.first, history, n, seed)

    def recommend(self, history: History) -> int | None:
        """The number of the feasible trial with the highest posterior mean; None while there is none.

        In a context, of those made in it.
        """
        feasible = np.flatnonzero(history.is_feasible & history.is_in_context)
        if len(feasible) < _FEWEST:
            return int(feasible[0]) if len(feasible) else None
        with pinned_threads(history.n_trials):
            mean, _ = self._belief(history).outputs.mean_sd(self._positions(history.X[feasible]))
        return int(feasible[int(mean[:, 0].argmax())])

    def predict(self, history: History, points: Sequence[Params]) -> Prediction:
        """What the completed trials say of these points, whether they were tried or not.

        A metric has one prediction, whatever is wanted of it: by the model of the objective, or else of its lower
        bound, or else of its upper one. A Target is modelled by its distance, so its metric gets a model of its own.

        Raises:
            StrategyError: fewer than 2 completed trials.
        """
        self._check_predicts(history)
        objectives = history.objectives
        X = self._positions(history.space.encode(points))
        with pinned_threads(history.n_trials), torch.no_grad():
            belief = self._belief(history)
            parts = torch.split(X, max(_FEWEST_AT_ONCE, _MOST_AT_ONCE // belief.means.numel()))
            means, sds = _joined(belief.mean_sd, parts)
            mean, sd = objectives.metrics_of(means, sds)
            for metric in objectives.required:
                if metric not in mean:
                    model = self._of_metric(history, metric)
                    mean[metric], sd[metric] = (v[:, 0] for v in _joined(model.mean_sd, parts))
            feasibility = torch.cat([belief.log_feasibility(part) for part in parts]).exp().cpu().numpy()
        return Prediction(mean, sd, feasibility if belief.is_doubtful else None)

    def leave_one_out(self, history: History) -> Prediction:
        """What is expected of each completed trial, in their order, from all the others; noise included.

        Metrics as in `predict`.

        Raises:
            StrategyError: fewer than 2 completed trials, or the surrogate cannot leave any out.
        """
        self._check_predicts(history)
        objectives = history.objectives
        done = np.flatnonzero(history.is_completed)
        is_other = ~np.isin(done, modelled(history))
        others = self._positions(history.X[done[is_other]])
        # Those that are modelled come first.
        place = np.argsort(np.argsort(is_other, kind="stable"), kind="stable")
        with pinned_threads(history.n_trials), torch.no_grad():
            found = left_out(self._belief(history), others)
            if found is None:
                raise StrategyError(
                    f"{type(self.surrogate).__name__} cannot leave trials out: it has no method `leave_one_out`."
                )
            means, sds = (v.cpu().numpy()[place] for v in found)
            mean, sd = objectives.metrics_of(means, sds)
            for metric in objectives.required:
                if metric not in mean:
                    of_metric = left_out_by(self._of_metric(history, metric), others)
                    mean[metric], sd[metric] = (v[:, 0].cpu().numpy()[place] for v in of_metric)
        return Prediction(mean, sd, None)

    def _check_predicts(self, history: History) -> None:
        n = history.is_completed.sum()
        if n < _FEWEST:
            raise StrategyError(
                f"{type(self).__name__} predicts from {_FEWEST} completed trials on: the study has {n}. "
                "Tell more, or add past data."
            )

    def _of_metric(self, history: History, metric: str) -> Fitted:
        """A model of a metric's own values."""
        done, column = modelled(history), [history.objectives.metrics.index(metric)]
        return self.surrogate.fit(
            self._positions(history.X[done]),
            self._tensor(history.V[done][:, column]),
            self._variances(history.V_sd[done][:, column]),
            self._tensor(history.V_n[done][:, column]),
            self._tensor(history.V_scatter[done][:, column]),
            structure=history.space.structure,
        )

    def _n_design(self, d: int) -> int:
        return min(8, max(4, 2 * d)) if self.n_first is None else self.n_first

    def _missing(self, history: History) -> int:
        return max(
            0,
            self._n_design(history.space.dim)
            - int((history.is_completed | history.is_pending | history.is_failed).sum()),
        )

    def _tensor(self, values: Any) -> Tensor:
        return torch.tensor(values, dtype=torch.float64, device=self.device)

    def _variances(self, sds: Array) -> Tensor:
        return self._tensor(np.minimum(sds, _LARGEST_SD) ** 2)

    def _positions(self, X: Array) -> Tensor:
        """For the model: a value that was executed outside its range counts as the end of the range."""
        return self._tensor(X).clamp(0.0, 1.0)

    def _belief(self, history: History, *, is_trusting: bool = False) -> Belief:
        """What is believed, fitted to what is told; with `is_trusting`, of the best values all that nothing refutes."""
        done = modelled(history)
        objectives = history.objectives
        columns = [objectives.metrics.index(metric) for metric in objectives.sources]
        outcomes = Outcomes(
            self._positions(history.X[done]),
            self._tensor(history.Y[done]),
            self._tensor(history.G[done]),
            self._positions(history.X[unfinished(history, history.is_failed)]),
            self._variances(history.V_sd[done][:, columns]),
            self._tensor(history.V_n[done][:, columns]),
            self._tensor(history.V_scatter[done][:, columns]),
            structure=history.space.structure,
            bands=objectives.bands,
        )
        # Values that cannot be looked at again are believed at once. What is fixed for one ask does not count here:
        # what is believed is believed by all.
        domain = Domain.compile(history.space.unfixed, self.device)
        trusting = torch.ones_like(outcomes.Y[:, 0], dtype=torch.bool)
        trusting &= is_trusting | ~is_possible(outcomes.X, domain)
        belief = Belief.fit(self.surrogate, outcomes, warm=earlier(history), trusting=trusting)
        context = Context.of(history, self.device)
        return belief if context is None else context.seen(belief)

    def _by_model(self, history: History, n: int, seed: int) -> list[Suggestion]:
        fitted = expecting = self._belief(history)
        everywhere = Domain.compile(history.space, self.device)
        anchors = everywhere.snap(self._best(history, fitted))
        work = ALONG_RIDGES if fitted.is_doubtful else Options()
        costs = self._costs(history)
        proposed: list[Proposed] = []
        promising: list[Params] = []
        look = second_look(history, fitted.outputs, everywhere)
        if look is not None:
            expecting = self._belief(history, is_trusting=True)
            beside = Search(look.domain, look.x[None], work)
            proposed = self._points(history, expecting, beside, 1, seeding.derive(seed, 0, _LOOK), costs)
        notes = [self._notes(history, fitted, p, costs) for p in proposed]
        if n > len(proposed):
            seen = history.with_pending([p.params for p in proposed]) if proposed else history
            search, of_region = self._near(history, fitted, Search(everywhere, anchors, work))
            found = self._points(seen, fitted, search, n - len(proposed), seed, costs)
            notes += [self._notes(history, fitted, p, costs) | of_region for p in found]
            if costs is not None and found:  # most is to be gained elsewhere, where it costs more
                promising = [p.params for p in self._points(seen, fitted, search, 1, seed)]
            proposed += found
        if notes:
            first = history.space.encode([proposed[0].params, *promising])
            pending = history.X[history.is_pending & history.is_in_context]
            under_way = self._positions(np.vstack([first, pending]))
            notes[0] |= of_model(history, fitted, costs)
            notes[0] |= of_gain(history, expecting, under_way, domain=everywhere, anchors=anchors, seed=seed)
            notes[0] |= {} if look is None else {"looks_at": look.trial}
        return [Suggestion(p.params, notes=noted) for p, noted in zip(proposed, notes, strict=True)]

    def _best(self, history: History, fitted: Belief) -> Tensor:
        """The best points, at most `k x d`: as observed, or in a context by what is expected of them there."""
        context = Context.of(history, self.device)
        if context is not None:
            return context.best(fitted, _N_ANCHORS)
        return self._tensor(history.X[best_trials(history, _N_ANCHORS, undoubted(history, fitted.outputs))])

    def _costs(self, history: History) -> Costs | Prices | None:
        """What evaluations cost; None where that does not count, or is not known."""
        if not self.per_cost:
            return None
        prices = Prices.of(history.space.region, self.device)
        if prices is not None:
            return prices
        rows = np.concatenate([modelled(history), unfinished(history, history.is_failed)])
        rows, before = rows[~np.isnan(history.cost[rows])], earlier(history)
        return Costs.fit(
            self._positions(history.X[rows]),
            self._tensor(history.cost[rows]),
            structure=history.space.structure,
            warm=None if before is None else before.get("costs"),
        )

    def _notes(
        self, history: History, fitted: Belief, proposed: Proposed, costs: Costs | Prices | None
    ) -> dict[str, Any]:
        """On one point."""
        notes = of_point(history, fitted, proposed, by=type(self).__name__)
        return notes | (of_cost(history, fitted, costs, proposed) if self.per_cost else {})

    def _points(
        self, history: History, fitted: Belief, search: Search, n: int, seed: int, costs: Costs | Prices | None = None
    ) -> list[Proposed]:
        """As `batch` gives them, by what the completed trials say; per unit of cost where costs are given."""
        pending = self._positions(history.X[history.is_pending])
        # A failure that is too little to learn from keeps its own point away.
        is_avoided = history.is_given_up | (history.is_failed & (fitted.success is None))
        given_up = self._positions(history.X[unfinished(history, is_avoided)])
        belief = fitted.pass_over(given_up) if len(given_up) else fitted
        part = self._tensor(np.hstack([history.Y, history.G])[history.is_pending])
        drawn = seeding.derive(seed, 0, 2)
        judge: Judge
        if isinstance(self.acquisition, Acquisition):
            judge = self.acquisition.judge(belief, pending, part, n_more=n - 1, seed=drawn)
        else:
            n_draws = DRAWS_TOGETHER if 1 < n <= MOST_TOGETHER else N_DRAWS
            judge = Fantasies.of(self.acquisition, belief, pending, part, n_more=n - 1, n_draws=n_draws, seed=drawn)
        return batch(history, judge if costs is None else PerCost(judge, costs), search, n, seed=seed)

    def _near(self, history: History, fitted: Belief, search: Search) -> tuple[Search, dict[str, Any]]:
        """The same search, or where parameters or trials are many one in a trust region; and what to note of it."""
        n_placed = sum(order.n_items for order in history.space.structure.orders)
        if not is_wanted(history.space.dim - n_placed, n_told(history)):
            return search, {}
        values = believed(history, fitted)
        region = TrustRegion.of(history, int(best_trials(history, 1, values)[0]), values)
        if region is None:
            return search, {"region": None}
        if history.aim is not None and len(search.anchors):
            region = replace(region, centre=search.anchors[0].cpu().numpy())
        scales = getattr(fitted.outputs, "length_scales", None)
        # The best trial may lie outside of where the next ones may.
        low, high = (v.cpu().numpy() for v in (search.domain.lower, search.domain.upper))
        region = replace(region, centre=np.clip(region.centre, low, high))
        lower, upper = region.box(None if scales is None else scales[0].cpu().numpy())
        near = search.domain.within(self._tensor(lower), self._tensor(upper))
        centre, others = near.snap(self._tensor(region.centre)[None]), near.inside(search.anchors)
        anchors = torch.cat([centre, others[(others != centre).any(1)]])
        return Search(near, anchors, search.work), {"region": region.length}


def _joined(predict: Callable[[Tensor], tuple[Tensor, Tensor]], parts: Sequence[Tensor]) -> tuple[Array, Array]:
    """Means and standard deviations of all parts."""
    means, sds = zip(*(predict(part) for part in parts), strict=True)
    return torch.cat(means).cpu().numpy(), torch.cat(sds).cpu().numpy()


def _says_something(history: History) -> bool:
    """Whether there is something to fit. One success among failures says where others may lie."""
    n = int(history.is_completed.sum())
    return n >= _FEWEST or (n > 0 and int(history.is_failed.sum()) >= FEWEST_FAILED)
