"""What the data say of the objective, the constraints and of failure, and what a point is worth by it.

The objective and the constraints are modelled under the transforms of `bbo.acquisition.outcomes`, failure by a label.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from bbo.acquisition.latent import Latent
from bbo.acquisition.moments import expected_gain, mean_sd_of
from bbo.acquisition.outcomes import Fits, Outcomes, Transform, is_usual, kept, restored
from bbo.acquisition.utilities import log_probability_of_feasibility
from bbo.surrogates.exact_gp import ExactGP
from bbo.surrogates.fitted_gp import FittedGP
from bbo.surrogates.outliers import confirmed_best, told_apart, unconfirmed_best
from bbo.surrogates.protocol import Fitted, Surrogate

# Of mean, standard deviation and incumbent, any shape, elementwise.
Utility = Callable[[Tensor, Tensor, Tensor], Tensor]

# Labels are steps, which warping takes for a function that is steep there and flat elsewhere, and is too sure of it:
# held-out log probability of labels -0.78 with and -0.47 without, over 5 shapes of the failing region, 2 and 5 columns.
# Nor is any of them an outlier: a failure among successes is what is to be learnt.
_OF_FAILURE = ExactGP(warping=None, outliers=None)
# Values count up to so many ranges of the data beyond the data: where an inverse has a pole, or rises steeply, the mean
# would else be that of values which nobody expects.
_REACH = 1.0
FEWEST_FAILED = 2
# Observed points count as equals of the best while they are below it by at most so many standard deviations of the
# difference, and as known exactly while that of the best is a smaller share of their spread.
_RIVALRY = 3.0
_NEGLIGIBLE = 0.05
_MOST_RIVALS = 64
# Positions of what is given agree but for so much.
_SAME = 1e-9


class Judge(Protocol):
    """What points are worth in one state of knowledge, pending points counted. Never changed."""

    def __call__(self, X: Tensor) -> Tensor:
        """Of each point of `X`, `b x d`: `b`; larger is better, differentiable."""
        ...

    def with_pending(self, X: Tensor) -> "Judge":
        """The same once points `X`, `k x d`, are pending too."""
        ...


@dataclass(frozen=True)
class Scale:
    """From an output of the model back to the values it stands for: the inverse of its transform, increasing.

    Args:
        low, high: bounds of what is given back where the transform is bent.
    """

    transform: Transform
    low: float
    high: float

    @staticmethod
    def of(transform: Transform, values: Tensor) -> "Scale":
        """For a transform that was fitted to these values, `n`."""
        low, high = float(values.min()), float(values.max())
        margin = _REACH * (high - low)
        return Scale(transform, low - margin, high + margin)

    def __call__(self, t: Tensor) -> Tensor:
        values = self.transform.inverse(t)
        return values if self.transform == self.transform.identity else values.clamp(self.low, self.high)


@dataclass(frozen=True)
class Belief:
    """Fitted models of one state of knowledge. Never changed: `believe` gives a new one.

    Args:
        outputs: of the transformed objective and constraints, the objective first.
        success: of labels, +1 for failed and -1 for completed; None while fewer than two points failed, as one alone
            says nothing of where others fail.
        scales: of the outputs, the objective's first.
        best_f: the incumbent: the highest mean among feasible points, observed or believed, transformed; None while
            there is none.
        rivals: the feasible observed points of which noise leaves open whether they are the best, likelier ones first,
            `k x d`; none where the noise is negligible. See `among` for points that were not observed.
        means: of the outputs at the observed points, transformed, `n x (1 + c)`.
        spread: standard deviation of each output's mean over the observed points, transformed, `1 + c`.
        bands: pairs of columns of G that are the two sides of one metric.
        warm: hyperparameters, as JSON keeps them, for the next fit.
        here: where the incumbent is sought, positions of the columns that are given and NaN in the others, `d`;
            everywhere when None.
    """

    outputs: Fitted
    success: Fitted | None
    scales: tuple[Scale, ...]
    best_f: Tensor | None
    rivals: Tensor
    means: Tensor
    spread: Tensor
    bands: tuple[tuple[int, int], ...]
    warm: dict[str, Any]
    here: Tensor | None = None

    @staticmethod
    def fit(
        surrogate: Surrogate,
        outcomes: Outcomes,
        *,
        warm: Mapping[str, Any] | None = None,
        of_failure: Surrogate = _OF_FAILURE,
        trusting: Tensor | None = None,
    ) -> "Belief":
        """From what came of the trials.

        Args:
            surrogate: of the objective and the constraints.
            warm: the `warm` of an earlier belief of nearly the same data: its hyperparameters are followed by a few
                steps, and its transforms stay.
            of_failure: of the labels, +1 for failed and -1 for completed.
            trusting: trials of which the value of the objective, where it is among the best, is believed, however
                strange, while no neighbour speaks for or against it, `n`; none when None. Those of constraints are in
                any case: else a search that has just met a narrow feasible region would turn away from it.
        """
        X, X_failed, values = outcomes.X, outcomes.X_failed, outcomes.values
        apart, is_better = told_apart(X, outcomes.structure.apart), [values[0], *(-g for g in values[1:])]
        trusted = [confirmed_best(apart, v) for v in is_better]
        for k, value in enumerate(is_better):
            is_alone = unconfirmed_best(apart, value)
            if k > 0:
                trusted[k] |= is_alone
            elif trusting is not None:
                trusted[k] |= is_alone & trusting
        fits = Fits(surrogate, outcomes, torch.stack(trusted, 1))
        chosen = None if warm is None else restored(warm.get("transforms"), len(values))
        if warm is None or chosen is None:
            chosen, outputs = fits.compared()
        else:
            outputs = fits.of(list(enumerate(chosen)), warm["outputs"])
        believed = is_usual(outputs, torch.stack(values, 1)).unbind(1)
        scales = tuple(Scale.of(t, v[kept]) for t, v, kept in zip(chosen, values, believed, strict=True))
        success = None
        if len(X_failed) >= FEWEST_FAILED:
            labels = torch.cat([-torch.ones_like(X[:, :1]), torch.ones_like(X_failed[:, :1])])
            points = torch.cat([X, X_failed])
            success = of_failure.fit(
                points, labels, structure=outcomes.structure, warm=None if warm is None else warm.get("success")
            )
        feasible = (outcomes.G <= 0).all(1)
        means, sds = _at_observations(outputs, X)
        size = means.abs().amax(0).clamp_min(1e-300)  # divided out, as squares of penalties like 1e300 overflow
        spread = (size * (means / size).std(0, correction=0)).clamp_min(1e-300)
        mean, sd = means[:, 0], sds[:, 0]
        best_f = mean[feasible].max() if bool(feasible.any()) else None
        rivals = X[feasible][_rivals(mean[feasible], sd[feasible], spread[0])]
        models = {"outputs": outputs, "success": success}
        settled: dict[str, Any] = {name: model.hyperparameters for name, model in models.items() if model is not None}
        settled["transforms"] = kept(chosen)
        return Belief(outputs, success, scales, best_f, rivals, means, spread, outcomes.bands, settled)

    @property
    def rung(self) -> str:
        """The worst rung of the ladder among the fits, "map" when all went as they should."""
        rungs = [self.outputs.rung] + ([] if self.success is None else [self.success.rung])
        return next((rung for rung in rungs if rung != "map"), "map")

    @cached_property
    def objective(self) -> Fitted:
        """The model of the transformed objective."""
        return self.outputs if self.outputs.num_outputs == 1 else self.outputs.subset_output([0])

    @cached_property
    def _constraints(self) -> Fitted | None:
        m = self.outputs.num_outputs
        return None if m == 1 else self.outputs.subset_output(list(range(1, m)))

    @property
    def is_noisy(self) -> bool:
        """Whether noise leaves it open which of the observed points is the best."""
        return len(self.rivals) > 0

    @property
    def is_doubtful(self) -> bool:
        """Whether a point may be infeasible or fail, as far as is known."""
        return self.outputs.num_outputs > 1 or self.success is not None

    def among(self, X: Tensor, here: Tensor) -> "Belief":
        """The same where the incumbent and its rivals are sought among other points than those observed.

        Args:
            X: the points, taken for feasible, `k x d`.
            here: as of this class.
        """
        if not len(X):
            return replace(self, best_f=None, rivals=X, here=here)
        with torch.no_grad():
            mean, sd = (v[:, 0] for v in _mean_sd(self.outputs, X))
        return replace(self, best_f=mean.max(), rivals=X[_rivals(mean, sd, self.spread[0])], here=here)

    def is_here(self, X: Tensor) -> Tensor:
        """Which of the points `X`, `k x d`, may be the incumbent as far as what is given goes, `k`."""
        if self.here is None:
            return torch.ones(len(X), dtype=torch.bool, device=X.device)
        return (self.here.isnan() | ((X - self.here).abs() <= _SAME)).all(1)

    def believe(self, X: Tensor, part: Tensor | None = None) -> "Belief":
        """As if points `X`, `k x d`, had given what is expected of them: pending points keep others away.

        The incumbent is the best of those also: what is expected to be gained there is not to be gained once more.

        Args:
            part: what they have given already, utility and violations, `k x (1 + c)`; NaN where that is to come.
        """
        believed, is_feasible, mean = self.told_the_mean(X, part)
        known = [] if self.best_f is None else [self.best_f[None]]
        values = torch.cat([*known, mean[is_feasible]])
        return replace(believed, best_f=values.max() if len(values) else None)

    def pass_over(self, X: Tensor) -> "Belief":
        """As `believe` for points that nobody will evaluate, the objective being no better there than the incumbent.

        So others are kept away: where the mean is high, points beside them would be as good as they.
        """
        return self.told_the_mean(X, most=self.best_f)[0]

    def told_the_mean(
        self, X: Tensor, part: Tensor | None = None, most: Tensor | None = None
    ) -> tuple["Belief", Tensor, Tensor]:
        """This belief conditioned on its own mean at X, but for the parts that are known, as in `believe`.

        Args:
            most: what the mean of the objective counts for at most.
        Returns:
            the belief, with the same incumbent; which points may be the incumbent, being taken for feasible, `k`; the
            objective there, transformed, `k`.
        """
        mean = self.outputs.mean_sd(X)[0].detach()
        is_here = self.is_here(X)
        if most is not None:
            mean[:, 0] = torch.where(is_here, mean[:, 0].minimum(most), mean[:, 0])
        if part is not None:
            known = torch.stack([s.transform.forward(v) for s, v in zip(self.scales, part.unbind(1), strict=True)], 1)
            mean = torch.where(part.isnan(), mean, known)
        is_feasible = is_here & (mean[:, 1:] <= 0).all(1)
        success = self.success
        if success is not None:
            label = success.mean_sd(X)[0].detach()
            is_feasible &= label[:, 0] <= 0
            success = success.condition_on(X, label)
        return replace(self, outputs=self.outputs.condition_on(X, mean), success=success), is_feasible, mean[:, 0]

    def judge(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of all that is judged at `X`, `b x d`, transformed, without noise.

        Both `b x (1 + c)`, or a column more where evaluations failed: the objective, then what is feasible when <= 0.
        """
        mean, sd = _mean_sd(self.outputs, X)
        if self.success is None:
            return mean, sd
        label, label_sd = _mean_sd(self.success, X)
        return torch.cat([mean, label], 1), torch.cat([sd, label_sd], 1)

    def log_feasibility(self, X: Tensor, *, is_measured: bool = False) -> Tensor:
        """Log of the probability, `b`, that a point of `X`, `b x d`, is evaluated and satisfies every constraint.

        Args:
            is_measured: of what is found at the point, with the noise of one measurement, and not of what is so.
        """
        models = [model for model in (self._constraints, self.success) if model is not None]
        if not models:
            return X.new_zeros(len(X))
        mean, sd = (torch.cat(columns, 1) for columns in zip(*(_mean_sd(model, X) for model in models), strict=True))
        if is_measured:
            noise = [getattr(model, "noise_variance", X.new_zeros(model.num_outputs)) for model in models]
            sd = torch.hypot(sd, torch.cat(noise).sqrt())
        return log_probability_of_feasibility(mean, sd, bands=self.bands)

    def worth(self, utility: Utility, X: Tensor) -> Tensor:
        """What evaluating each point of `X`, `b x d`, is worth, `b`, as a logarithm.

        log utility + log probability of feasibility (Gardner et al., ICML 2014); while no feasible point is known, the
        latter alone, as there is nothing to improve on.
        """
        mean, sd = self.judge(X)
        if not self.is_doubtful and self.best_f is not None:
            return utility(mean.squeeze(1), sd.squeeze(1), self.best_f)
        worth = log_probability_of_feasibility(mean[:, 1:], sd[:, 1:], bands=self.bands)
        return worth if self.best_f is None else worth + utility(mean[:, 0], sd[:, 0], self.best_f)

    def mean_sd(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation, without noise, of utility and violations in their units, both `b x (1 + c)`."""
        mean, sd = self.outputs.mean_sd(X)
        columns = [mean_sd_of(scale, mean[:, k], sd[:, k]) for k, scale in enumerate(self.scales)]
        return torch.stack([m for m, _ in columns], 1), torch.stack([s for _, s in columns], 1)

    def gain(self, X: Tensor) -> Tensor | None:
        """Expected improvement of the utility, in its units, by each point of `X`, `b x d`: `b`.

        Weighted by the probability of feasibility. None while there is no incumbent.
        """
        if self.best_f is None:
            return None
        mean, sd = self.judge(X)
        gain = expected_gain(self.scales[0], mean[:, 0], sd[:, 0], self.best_f)
        return gain * log_probability_of_feasibility(mean[:, 1:], sd[:, 1:], bands=self.bands).exp()

    def noise(self, f: Tensor | None) -> float | None:
        """Standard deviation of the noise of the utility, in its units, where its latent value is f.

        None without f, as while there is no incumbent, or where the surrogate does not say.
        """
        variance = getattr(self.outputs, "noise_variance", None)
        if f is None or variance is None:
            return None
        return float(mean_sd_of(self.scales[0], f, variance[0].sqrt())[1])


@runtime_checkable
class Acquisition(Protocol):
    """What is no utility of one mean and standard deviation, but judges by the whole belief."""

    def judge(self, belief: Belief, pending: Tensor, part: Tensor | None, *, n_more: int, seed: int) -> Judge:
        """By a belief and points that are pending, what they have given already, and how many will be chosen after."""
        ...


def _mean_sd(model: Fitted, X: Tensor) -> tuple[Tensor, Tensor]:
    """As the model's, with cheaper gradients where it is a Gaussian process."""
    return Latent(model).mean_sd(X) if isinstance(model, FittedGP) else model.mean_sd(X)


def _at_observations(model: Fitted, X: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation at the points `X`, `n x d`, that the model was fitted to; both `n x m`."""
    return Latent(model).at_observations() if isinstance(model, FittedGP) else model.mean_sd(X)


def _rivals(mean: Tensor, sd: Tensor, spread: Tensor) -> Tensor:
    """Indices of the feasible points of which the sd leaves open whether they are the best, the likeliest first."""
    if not len(mean):
        return torch.empty(0, dtype=torch.long, device=mean.device)
    top = mean.argmax()
    if bool(sd[top] <= _NEGLIGIBLE * spread):
        return torch.empty(0, dtype=torch.long, device=mean.device)
    gap = (mean[top] - mean) / (sd.square() + sd[top].square()).sqrt()
    order = gap.argsort(stable=True)[:_MOST_RIVALS]
    return order[gap[order] <= _RIVALRY]
