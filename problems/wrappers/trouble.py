"""Noise, failure and delay around a problem."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bbo import seeding
from bbo.errors import EvaluationError
from bbo.objective import Objectives
from bbo.problems.card import Card
from bbo.problems.wrappers.base import FAILURE, NOISE, Wrapper


@dataclass(frozen=True)
class Noisy(Wrapper):
    """A problem measured with Gaussian noise; `best_value` and `optima` are those without.

    The noise depends on the seed and not on the point: points evaluated under one seed all err alike.

    Args:
        sd: standard deviation, for every objective, or by metric (constraints too) in the units of each.
    """

    sd: float | Mapping[str, float]

    def __post_init__(self) -> None:
        metrics = Objectives(tuple(self.objectives)).metrics
        unknown = [m for m in self._sds if m not in metrics]
        if unknown:
            raise ValueError(f"{self.name} has the metrics {list(metrics)}: got sd for {unknown}.")
        if not all(sd >= 0 for sd in self._sds.values()):
            raise ValueError(f"Noisy: sd must be at least 0, got {self.sd!r}.")

    @property
    def _sds(self) -> Mapping[str, float]:
        if isinstance(self.sd, Mapping):
            return self.sd
        return {aim.metric: self.sd for aim in Objectives(tuple(self.objectives)).aims}

    @property
    def card(self) -> Card | None:
        own = super().card
        sds = ", ".join(f"{metric} {sd:g}" for metric, sd in self._sds.items())
        said = f"Gaussian, with the standard deviations {sds}"
        return None if own is None else replace(own, noise=f"{own.noise}; {said}" if own.noise else said)

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        values = self.problem.evaluate(params, fidelity=fidelity, seed=seed)
        # One draw for each metric, so that the noise of one does not depend on which others have any.
        z = seeding.generator(seed, seeding.NOISE, NOISE).standard_normal(len(values)).tolist()
        return {m: value + self._sds.get(m, 0.0) * z[k] for k, (m, value) in enumerate(values.items())}


@dataclass(frozen=True)
class Failing(Wrapper):
    """A problem whose evaluation fails, always in a region of its space and now and then anywhere.

    Args:
        where: tells from the params whether a point is in the region; a module's function keeps the problem picklable.
        share: of the seeds under which evaluation fails, whatever the point.
    """

    where: Callable[[dict[str, Any]], bool] | None = None
    share: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"Failing: share lies in [0, 1], got {self.share!r}.")

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        """Values by metric.

        Raises:
            EvaluationError: a point of the region, or a seed that fails.
        """
        point = self.space.check(params)
        if self.where is not None and self.where(point):
            raise EvaluationError(f"{self.name} fails in the region of {point!r}.")
        if seeding.generator(seed, seeding.NOISE, FAILURE).random() < self.share:
            raise EvaluationError(f"{self.name} fails under the seed {seed}, as {self.share:.0%} of the seeds do.")
        return self.problem.evaluate(point, fidelity=fidelity, seed=seed)


@dataclass(frozen=True)
class Delayed(Wrapper):
    """A problem that takes its time.

    Args:
        seconds: slept before each evaluation, or a function of (params, seed) that says how long.
    """

    seconds: float | Callable[[dict[str, Any], int], float]

    def __post_init__(self) -> None:
        if not callable(self.seconds) and self.seconds < 0:
            raise ValueError(f"Delayed: seconds must be at least 0, got {self.seconds!r}.")

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        point = self.space.check(params)
        time.sleep(self.seconds(point, seed) if callable(self.seconds) else self.seconds)
        return self.problem.evaluate(point, fidelity=fidelity, seed=seed)
