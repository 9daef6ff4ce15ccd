"""Model-based search: a first design, then the points that a fitted surrogate says are worth most.

Jones, Schonlau & Welch, J. Global Optim. 13 (1998); constraints after Gardner et al., ICML 2014; noise, pending points
and batches by draws of what they may give, see `bbo.acquisition.fantasies`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from bbo import seeding
from bbo.acquisition.belief import Acquisition, Belief, Judge, Utility
from bbo.acquisition.domain import Domain
from bbo.acquisition.fantasies import N_DRAWS, Fantasies
from bbo.acquisition.joint import DRAWS_TOGETHER
from bbo.acquisition.optimize import ALONG_RIDGES, Options
from bbo.acquisition.regret import regret_bound
from bbo.acquisition.utilities import log_ei
from bbo.budget import RegretBelow
from bbo.errors import StrategyError
from bbo.history import Array, History
from bbo.objective import Objectives
from bbo.protocols import Prediction, Strategy
from bbo.space import Params, Space
from bbo.strategies.batch import MOST_TOGETHER, Search, batch
from bbo.strategies.coverage import coverage
from bbo.strategies.left_out import left_out, left_out_by, loo_r2
from bbo.strategies.observed import best_trials, earlier, modelled, n_told
from bbo.strategies.sobol_search import SobolSearch
from bbo.strategies.trust_region import TrustRegion, is_wanted
from bbo.surrogates.exact_gp import ExactGP
from bbo.surrogates.protocol import Fitted, Surrogate
from bbo.surrogates.threads import pinned_threads
from bbo.trial import Suggestion

# Fewer completed trials than this tell a surrogate nothing.
_FEWEST = 2
_N_ANCHORS = 4
# A smaller spread of values, as a share of the largest, is rounding.
_SPREAD = 1e-14


@dataclass(frozen=True, kw_only=True)
class ModelBased:
    """Any surrogate with any utility of its mean and standard deviation.

    The first point that the model proposes in an ask has notes on what further trials may gain, from the completed
    trials alone; `gain` is that of the trial which promises most, among this one and those that are pending.

    Args:
        surrogate: fitted to the completed trials at every ask, from the hyperparameters in the notes of the last.
        acquisition: a utility of mean, standard deviation and incumbent, as a logarithm (`log_ei`, `log_pi`), averaged
            over what rivals may give and weighted by the probability of feasibility; or `UCB()` or `Thompson()`.
        first: proposes points until there is something to fit.
        n_first: how many trials the first design has, past data counted; by default twice the number of parameters,
            within 4 and 8.
        device: where tensors live.
    """

    surrogate: Surrogate = field(default_factory=ExactGP)
    acquisition: Utility | Acquisition = log_ei
    first: Strategy = field(default_factory=SobolSearch)
    n_first: int | None = None
    device: str = "cpu"

    foretells: ClassVar[frozenset[str]] = frozenset({"gain", "noise", "regret"})

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
        design = self._design(history, n_design, seed)
        if len(design) < n_design or n_design == n:
            return design
        seen = history.with_pending([s.params for s in design]) if design else history
        with pinned_threads(history.n_trials):
            return [*design, *self._by_model(seen, n - n_design, seed)]

    def _design(self, history: History, n: int, seed: int) -> list[Suggestion]:
        """The middle of the space, then what `first` proposes.

        An optimum is hardly ever where all parameters are at their ends, and in many dimensions every other point is
        far from the middle.
        """
        if n == 0:
            return []
        if history.n_trials or history.space.dim == 1:  # on a line a sequence alone is spread better
            return self.first.suggest(history, n, seed=seed)
        middle = history.space.fresh(history.space.decode(np.full((1, history.space.dim), 0.5)), history)
        others = self.first.suggest(history.with_pending(middle), n - 1, seed=seed) if n > 1 else []
        return [*(Suggestion(params, notes={"by": "middle"}) for params in middle), *others]

    def recommend(self, history: History) -> int | None:
        """The number of the feasible trial with the highest posterior mean; None while there is none."""
        feasible = np.flatnonzero(history.is_feasible)
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
            means, sds = (v.cpu().numpy() for v in belief.mean_sd(X))
            mean, sd = _by_metric(objectives, means, sds)
            for metric in objectives.required:
                if metric not in mean:
                    model = self._of_metric(history, metric)
                    mean[metric], sd[metric] = (v[:, 0].cpu().numpy() for v in model.mean_sd(X))
            feasibility = belief.log_feasibility(X).exp().cpu().numpy()
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
            mean, sd = _by_metric(objectives, means, sds)
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
            self._tensor(history.V_sd[done][:, column] ** 2),
            self._tensor(history.V_n[done][:, column]),
            categorical=_categorical(history.space),
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

    def _positions(self, X: Array) -> Tensor:
        """For the model: a value that was executed outside its range counts as the end of the range."""
        return self._tensor(X).clamp(0.0, 1.0)

    def _belief(self, history: History) -> Belief:
        done = modelled(history)
        columns = _columns(history.objectives)
        return Belief.fit(
            self.surrogate,
            self._positions(history.X[done]),
            self._tensor(history.Y[done]),
            self._tensor(history.G[done]),
            self._positions(history.X[history.is_failed]),
            self._tensor(history.V_sd[done][:, columns] ** 2),
            self._tensor(history.V_n[done][:, columns]),
            categorical=_categorical(history.space),
            warm=earlier(history),
        )

    def _by_model(self, history: History, n: int, seed: int) -> list[Suggestion]:
        fitted = self._belief(history)
        pending = self._positions(history.X[history.is_pending])
        # A failure that is too little to learn from keeps its own point away.
        is_avoided = history.is_given_up | (history.is_failed & (fitted.success is None))
        given_up = self._positions(history.X[is_avoided])
        belief = fitted.pass_over(given_up) if len(given_up) else fitted
        part = self._tensor(np.hstack([history.Y, history.G])[history.is_pending])
        drawn = seeding.derive(seed, 0, 2)
        if isinstance(self.acquisition, Acquisition):
            judge = self.acquisition.judge(belief, pending, part, n_more=n - 1, seed=drawn)
        else:
            n_draws = DRAWS_TOGETHER if 1 < n <= MOST_TOGETHER else N_DRAWS
            judge = Fantasies.of(self.acquisition, belief, pending, part, n_more=n - 1, n_draws=n_draws, seed=drawn)
        everywhere = Domain.compile(history.space, self.device)
        anchors = everywhere.snap(self._tensor(history.X[best_trials(history, _N_ANCHORS)]))
        domain = self._near(history, fitted, everywhere)
        search = Search(domain, anchors, ALONG_RIDGES if fitted.is_doubtful else Options())
        points, judges = batch(history, judge, search, n, seed=seed)
        X = [self._tensor(history.space.encode([point])) for point in points]
        notes = [self._notes(history, fitted, judge, x) for judge, x in zip(judges, X, strict=True)]
        if notes:
            before = earlier(history)
            searched = n_told(history) if before is None else before["searched"]
            notes[0] |= {"warm": fitted.warm | {"searched": searched}}
            notes[0] |= _length_scales(history.space, fitted) | _audit(history, fitted)
            notes[0] |= self._outlook(history, fitted, torch.cat([X[0], pending]), domain, anchors, seed)
        return [Suggestion(point, notes=said) for point, said in zip(points, notes, strict=True)]

    def _near(self, history: History, fitted: Belief, domain: Domain) -> Domain:
        """Where to seek: everywhere, or where parameters or trials are many in a trust region."""
        d = history.space.dim
        if not is_wanted(d, n_told(history)):
            return domain
        region = TrustRegion.of(history, int(best_trials(history, 1)[0]), self._n_design(d))
        if region is None:
            return domain
        scales = getattr(fitted.outputs, "length_scales", None)
        lower, upper = region.box(None if scales is None else scales[0].cpu().numpy())
        return domain.within(self._tensor(lower), self._tensor(upper))

    def _notes(self, history: History, belief: Belief, judge: Judge, x: Tensor) -> dict[str, Any]:
        with torch.no_grad():
            mean, sd = (float(v[0, 0]) for v in belief.mean_sd(x))
            worth = float(judge(x))
            feasibility = float(belief.log_feasibility(x).exp())
        aim = history.objectives.aims[0]
        notes = {"by": type(self).__name__, "acquisition": _short(worth)}
        metric = aim.metric_of(mean)
        if metric is not None:
            notes |= {"mean": {aim.metric: _short(metric)}, "sd": {aim.metric: _short(sd)}}
        if belief.is_doubtful:
            notes["feasibility"] = _short(feasibility)
        if belief.rung != "map":
            notes["rung"] = belief.rung
        return notes

    def _outlook(
        self, history: History, fitted: Belief, X: Tensor, domain: Domain, anchors: Tensor, seed: int
    ) -> dict[str, float]:
        """Notes on what further trials may gain, for stop rules; none while no trial is feasible, or all are equal.

        Values without any spread give the gain no scale: it would be a share of the unit that a model then takes.

        Args:
            fitted: what the completed trials say.
            X: the point that is proposed and those that are pending. They were sought where most is to be gained, so
                the most that one of them promises does not depend on how many are under way.
        """
        Y = history.Y[history.is_completed, 0]
        if np.ptp(Y) <= _SPREAD * np.abs(Y).max():
            return {}
        with torch.no_grad():
            gains = fitted.gain(X)
            noise = fitted.noise()
        if gains is None:
            return {}
        notes = {"gain": _short(float(gains.max()))}
        if noise is not None:
            notes["noise"] = _short(noise)
        if history.budget is not None and any(isinstance(rule, RegretBelow) for rule in history.budget.stop):
            feasible = self._positions(history.X[history.is_feasible])
            n = int(history.is_completed.sum())
            bound = regret_bound(fitted, feasible, n, domain, seed=seeding.derive(seed, 0, 1), anchors=anchors)
            notes["regret"] = _short(bound)
        return notes


def _by_metric(objectives: Objectives, means: Array, sds: Array) -> tuple[dict[str, Array], dict[str, Array]]:
    """Means and standard deviations of metrics, `n` each, from those of utility and violations, `n x (1 + c)`."""
    mean: dict[str, Array] = {}
    sd: dict[str, Array] = {}
    aim = objectives.aims[0]
    values = [aim.metric_of(u) for u in means[:, 0].tolist()]
    if None not in values:
        mean[aim.metric], sd[aim.metric] = np.array(values, dtype=np.float64), sds[:, 0]
    column = 1
    for con in objectives.constraints:
        for bound, sign in ((con.lower, -1.0), (con.upper, 1.0)):
            if bound is None:
                continue
            if con.metric not in mean:
                mean[con.metric], sd[con.metric] = bound + sign * means[:, column], sds[:, column]
            column += 1
    return mean, sd


def _columns(objectives: Objectives) -> list[int]:
    """The column of V that the objective is made from, and that of each violation."""
    metrics = [objectives.aims[0].metric]
    for con in objectives.constraints:
        metrics += [con.metric for bound in (con.lower, con.upper) if bound is not None]
    return [objectives.metrics.index(metric) for metric in metrics]


def _categorical(space: Space) -> Mapping[int, int]:
    return {j: p.n_levels for j, p in enumerate(space.parameters) if p.n_levels is not None and not p.is_ordered}


def _audit(history: History, fitted: Belief) -> dict[str, Any]:
    """Notes on how far the model can be believed; see `bbo.events`."""
    r2, covered = loo_r2(fitted.outputs), coverage(history)
    notes: dict[str, Any] = {} if r2 is None else {"loo_r2": _short(r2)}
    notes |= {"coverage": covered.to_note()} if covered.of else {}
    flagged = getattr(fitted.outputs, "outliers", None)
    if flagged is None or not bool(flagged.any()):
        return notes
    doubted = modelled(history)[flagged.any(1).cpu().numpy()]
    return notes | {"outliers": doubted.tolist()}


def _length_scales(space: Space, belief: Belief) -> dict[str, Any]:
    scales = getattr(belief.outputs, "length_scales", None)
    if scales is None:
        return {}
    return {"length_scales": {name: _short(v) for name, v in zip(space.names, scales[0].tolist(), strict=True)}}


def _short(value: float) -> float:
    return float(f"{value:.6g}")
