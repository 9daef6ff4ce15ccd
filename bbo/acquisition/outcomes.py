"""What came of the trials, as tensors, and the transforms that it is explained best with.

The objective takes a power transform and each constraint a bilog transform, where the data are explained better with it
than without. Both are monotone and the latter keeps the threshold 0, so improvement and feasibility mean the same after
as before.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from scipy.special import gammaincinv
from torch import Tensor

from bbo.space.structure import Structure
from bbo.surrogates.protocol import Fitted, Surrogate
from bbo.surrogates.transforms import Bilog, YeoJohnson

Transform = YeoJohnson | Bilog

_LARGEST_VARIANCE, _LARGEST_DEVIATION = 1e300, 1e150  # where a slope overflows
_RARE = 0.01
_LEAST_ERROR = 1e-6  # mean square, in units of the variance foretold
_LOOKS_AGAIN = 2  # at the transform of the objective, once outliers are known


@dataclass(frozen=True)
class Outcomes:
    """Of completed trials and of failed ones.

    Args:
        X: points of the completed ones in the unit cube, `n x d`.
        Y: utility to be maximized, `n x 1`.
        G: violations, `n x c`, feasible when <= 0.
        X_failed: points whose evaluation failed, `k x d`.
        Yvar: variance of the noise of utility and violations, `n x (1 + c)`; NaN where it is to be inferred, everywhere
            when None.
        counts: of how many measurements each of them is the mean, `n x (1 + c)`; 1 when None.
        scatter: sample standard deviation of these measurements, `n x (1 + c)`; NaN where it is not known, everywhere
            when None.
        structure: what the columns mean.
        bands: pairs of columns of G that are the two sides of one metric, see `Objectives.bands`.
    """

    X: Tensor
    Y: Tensor
    G: Tensor
    X_failed: Tensor
    Yvar: Tensor | None = None
    counts: Tensor | None = None
    scatter: Tensor | None = None
    structure: Structure = field(default_factory=Structure)
    bands: tuple[tuple[int, int], ...] = ()

    @property
    def values(self) -> list[Tensor]:
        """Of each output, `n`, the objective's first."""
        return [self.Y[:, 0], *self.G.unbind(1)]


@dataclass(frozen=True)
class Fits:
    """A surrogate's, of the same outcomes under several transforms.

    Args:
        trusted: values that are no outliers, `n x (1 + c)`.
    """

    surrogate: Surrogate
    outcomes: Outcomes
    trusted: Tensor

    def compared(self) -> tuple[list[Transform], Fitted]:
        """For each of the outputs a transform or none, whichever the surrogate explains the values better with.

        Outliers would bend the objective's, so once they are seen it is fitted to the other values as well, with no
        bound on the side of an outlier, before which that would look like the worst or the best of them.
        """
        utility, *violations = self.outcomes.values
        bent: list[Transform] = [YeoJohnson.fit(utility), *(Bilog.fit(g) for g in violations)]
        tried = [(k, t.identity) for k, t in enumerate(bent)]
        tried += [(k, t) for k, t in enumerate(bent) if t != t.identity]
        chosen, evidence, outputs = self._best(tried)
        for _ in range(_LOOKS_AGAIN):
            is_believed = is_usual(outputs, self.outcomes.Y)[:, 0]
            if is_believed.all():
                break
            again = YeoJohnson.fit(utility[is_believed], strange=utility[~is_believed])
            if again in (chosen[0], again.identity):
                break
            others = [again, *chosen[1:]]
            _, better, fitted = self._best(list(enumerate(others)))
            if not better[0] > evidence[0]:
                break
            chosen, evidence, outputs = others, better, fitted
        return chosen, outputs

    def of(self, transforms: Sequence[tuple[int, Transform]], warm: Mapping[str, Any] | None = None) -> Fitted:
        """Of outputs, by their numbers, each under a transform."""
        seen, values = self.outcomes, self.outcomes.values
        wanted = [k for k, _ in transforms]
        columns = [t.forward(values[k]) for k, t in transforms]
        # To first order a value's deviation is multiplied by the slope.
        slopes = torch.stack([t.log_slope(values[k]) for k, t in transforms], 1)
        return self.surrogate.fit(
            seen.X,
            torch.stack(columns, 1),
            None if seen.Yvar is None else (seen.Yvar[:, wanted] * (2 * slopes).exp()).clamp_max(_LARGEST_VARIANCE),
            None if seen.counts is None else seen.counts[:, wanted],
            None if seen.scatter is None else (seen.scatter[:, wanted] * slopes.exp()).clamp_max(_LARGEST_DEVIATION),
            structure=seen.structure,
            warm=warm,
            trusted=self.trusted[:, wanted],
        )

    def _best(self, tried: Sequence[tuple[int, Transform]]) -> tuple[list[Transform], list[float], Fitted]:
        """Of each output, the transform among those tried with the most evidence, and that; the first of equals."""
        values = self.outcomes.values
        candidates = self.of(tried)
        # Densities of transformed values, brought to the units of the values themselves.
        slopes = torch.stack([(t.log_slope(values[k]) * self._weights(k)).mean() for k, t in tried])
        told = candidates.log_evidence + _hidden_by_noise(
            candidates, torch.stack([t.forward(values[k]) for k, t in tried], 1)
        )
        evidence = [-math.inf if math.isnan(e) else e for e in (told + slopes).tolist()]
        numbers = [[j for j, (i, _) in enumerate(tried) if i == k] for k in range(len(values))]
        best = [max(of_output, key=lambda j: evidence[j]) for of_output in numbers]
        outputs = candidates if best == list(range(len(tried))) else candidates.subset_output(best)
        return [tried[j][1] for j in best], [evidence[j] for j in best], outputs

    def _weights(self, k: int) -> Tensor:
        """How many measurements of each value of an output are explained, `n`: all where their scatter is, else one."""
        seen = self.outcomes
        one = torch.ones_like(seen.Y[:, 0])
        if seen.scatter is None or seen.counts is None:
            return one
        is_explained = ~seen.scatter[:, k].isnan()
        if seen.Yvar is not None:
            is_explained &= seen.Yvar[:, k].isnan()
        return torch.where(is_explained, seen.counts[:, k], one)


def _hidden_by_noise(model: Fitted, Y: Tensor) -> Tensor:
    """Evidence per value, `m`, that values `Y`, `n x m`, would give if no noise were supposed where there is none.

    What is a smooth function to a million parts is foretold far better than the least noise that a model supposes lets
    it say, while the same values under a bent transform, which magnifies some of them, are not: by the evidence alone
    the worse model would win. So the errors of leaving one out say how much narrower the predictions could have been:
    with z their mean square in standard deviations, as if these were sqrt(z) of what they are. Only what is beyond
    chance counts: z is divided by what independent errors stay above in 99 of 100 data sets.
    """
    leave_one_out = getattr(model, "leave_one_out", None)
    if leave_one_out is None:
        return torch.zeros_like(model.log_evidence)
    mean, sd = leave_one_out()
    errors = ((Y - mean) / sd).square()
    counted = is_usual(model, errors)
    n = counted.sum(0).clamp_min(1).to(errors.dtype)
    by_chance = 2 * n.new_tensor(gammaincinv(n.cpu().numpy() / 2, _RARE)) / n
    z = torch.where(counted, errors, 0.0).sum(0) / n / by_chance
    z = z.clamp(_LEAST_ERROR, 1.0).nan_to_num(1.0)
    return n / len(Y) * 0.5 * (z - 1 - z.log())


def kept(transforms: Sequence[Transform]) -> list[dict[str, Any]]:
    """As JSON keeps them; `restored` takes it."""
    return [asdict(t) for t in transforms]


def restored(plain: Sequence[Mapping[str, Any]] | None, m: int) -> list[Transform] | None:
    """The transforms that were `kept`, of m outputs; None where these are of others."""
    if plain is None or len(plain) != m:
        return None
    return [YeoJohnson(**plain[0]), *(Bilog(**options) for options in plain[1:])]


def is_usual(model: Fitted, Y: Tensor) -> Tensor:
    """Which of the values `Y`, `n x m`, it was fitted to a model does not take for outliers, `n x m`."""
    outliers = getattr(model, "outliers", None)
    return torch.ones_like(Y, dtype=torch.bool) if outliers is None else ~outliers
