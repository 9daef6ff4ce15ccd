"""Noise, failure, delay, motion, categories and idle parameters around a problem; what is known of it stays known.

Each is a function of (params, seed) alone, as the problem within is: the trial's seed decides the noise, and the same
trial evaluated again gives the same value or the same failure. They nest: `Delayed(Noisy(Branin(), sd=0.1),
seconds=2.0)`.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from string import ascii_lowercase
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bbo import seeding
from bbo.errors import EvaluationError
from bbo.objective import Objective, Objectives, OutcomeConstraint, Tracked
from bbo.protocols import Problem
from bbo.space import Categorical, Float, Space

# What a wrapper's seed is for, below the words of `bbo.seeding`, so that what the wrappers draw is independent.
_NOISE, _FAILURE, _MOTION, _LETTERS, _ORDER = 1, 2, 3, 4, 5


@dataclass(frozen=True)
class _Wrapper:
    """Forwards what is known about a problem; None where nothing is."""

    problem: Problem

    @property
    def space(self) -> Space:
        return self.problem.space

    @property
    def objectives(self) -> Sequence[Objective | OutcomeConstraint | Tracked]:
        return self.problem.objectives

    @property
    def name(self) -> str:
        return str(getattr(self.problem, "name", type(self.problem).__name__))

    @property
    def best_value(self) -> float | None:
        return getattr(self.problem, "best_value", None)

    @property
    def optima(self) -> tuple[tuple[Any, ...], ...] | None:
        return getattr(self.problem, "optima", None)


@dataclass(frozen=True)
class Noisy(_Wrapper):
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

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        values = self.problem.evaluate(params, fidelity=fidelity, seed=seed)
        # One draw for each metric, so that the noise of one does not depend on which others have any.
        z = seeding.generator(seed, seeding.NOISE, _NOISE).standard_normal(len(values)).tolist()
        return {m: value + self._sds.get(m, 0.0) * z[k] for k, (m, value) in enumerate(values.items())}


@dataclass(frozen=True)
class Failing(_Wrapper):
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
        if seeding.generator(seed, seeding.NOISE, _FAILURE).random() < self.share:
            raise EvaluationError(f"{self.name} fails under the seed {seed}, as {self.share:.0%} of the seeds do.")
        return self.problem.evaluate(point, fidelity=fidelity, seed=seed)


@dataclass(frozen=True)
class Delayed(_Wrapper):
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


class Function(Problem, Protocol):
    """A problem on a box of numbers whose formula holds beyond the box too."""

    @property
    def optima(self) -> tuple[tuple[float, ...], ...]: ...

    def value(self, x: NDArray[np.float64]) -> float:
        """The objective at any `x`, `dim`, in the units of the parameters."""
        ...


@dataclass(frozen=True)
class Moved(_Wrapper):
    """A function whose optimum the seed puts anywhere, and whose axes it turns.

    The position u of the unit cube has the function's value at x = x* + width R (u - u*): u* is uniform in
    [0.15, 0.85]^dim, R uniform among the rotations, x* the first of the function's optima and width that of its box.
    Where the function has more optima, they may come to lie outside; u* is the one that is told.

    Args:
        problem: all of its parameters are numbers on a linear scale.
        seed: decides u* and R.

    Rotations after Mezzadri, "How to generate random matrices from the classical compact groups", Notices of the AMS
    54 (2007), section 5.
    """

    problem: Function
    seed: int

    def __post_init__(self) -> None:
        odd = [p.name for p in self.space.parameters if not isinstance(p, Float) or p.log or p.step is not None]
        if odd:
            raise ValueError(f"Moved takes parameters that are Float without log and step: {self.name} has {odd}.")

    @cached_property
    def _motion(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """u*, `dim`, and R, `dim x dim`."""
        rng = seeding.generator(self.seed, seeding.NOISE, _MOTION)
        centre = rng.uniform(0.15, 0.85, self.space.dim)
        Q, T = np.linalg.qr(rng.standard_normal((self.space.dim, self.space.dim)))
        R = Q * np.sign(np.diag(T))
        R[:, 0] *= np.linalg.det(R)  # 1 or -1: a reflection becomes a rotation
        return centre, R

    @property
    def rotation(self) -> NDArray[np.float64]:
        """R, `dim x dim`."""
        return self._motion[1].copy()

    @property
    def optima(self) -> tuple[tuple[float, ...], ...]:
        return (tuple(self.space.decode(self._motion[0][None])[0].values()),)

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        u = self.space.encode([self.space.check(params)])[0]
        centre, R = self._motion
        width = np.array([p.high - p.low for p in self.space.parameters if isinstance(p, Float)])
        x = np.array(self.problem.optima[0]) + width * (R @ (u - centre))
        return {self.objectives[0].metric: float(self.problem.value(x))}


@dataclass(frozen=True)
class Categorized(_Wrapper):
    """A problem some of whose numbers are given as categories: letters, which the seed deals to levels.

    The levels of a parameter lie evenly in its range, but for the one nearest to the first optimum, which is moved
    onto it: what is known of the problem stays known.

    Args:
        n_levels: by name of a parameter that is Float; from 2 to 26.
        seed: decides which letter stands for which level.
    """

    n_levels: Mapping[str, int]
    seed: int

    def __post_init__(self) -> None:
        numbers = [p.name for p in self.problem.space.parameters if isinstance(p, Float)]
        odd = [name for name in self.n_levels if name not in numbers]
        if odd:
            raise ValueError(f"{self.name} has the Float parameters {numbers}: got n_levels for {odd}.")
        if not all(2 <= n <= len(ascii_lowercase) for n in self.n_levels.values()):
            raise ValueError(f"Categorized: n_levels lie in [2, {len(ascii_lowercase)}], got {dict(self.n_levels)!r}.")

    @cached_property
    def levels(self) -> dict[str, dict[str, float]]:
        """The number that a letter stands for, by parameter."""
        rng = seeding.generator(self.seed, seeding.NOISE, _LETTERS)
        dealt = {}
        for name, n in self.n_levels.items():
            values = self.problem.space.by_name[name].decode((np.arange(n) + 0.5) / n)
            if self._known:
                best = self._known[0][self.problem.space.names.index(name)]
                values[int(np.argmin(np.abs(np.array(values) - best)))] = best
            dealt[name] = {ascii_lowercase[k]: values[j] for k, j in enumerate(rng.permutation(n).tolist())}
        return dealt

    @property
    def _known(self) -> tuple[tuple[Any, ...], ...] | None:
        return super().optima

    @cached_property
    def space(self) -> Space:
        return Space(
            tuple(
                Categorical(p.name, tuple(self.levels[p.name])) if p.name in self.levels else p
                for p in self.problem.space.parameters
            )
        )

    @property
    def optima(self) -> tuple[tuple[Any, ...], ...] | None:
        """The first optimum of the problem; of others the categories need not have the levels."""
        if not self._known:
            return None
        letters = {name: {value: letter for letter, value in dealt.items()} for name, dealt in self.levels.items()}
        at = zip(self.space.names, self._known[0], strict=True)
        return (tuple(letters[name][value] if name in letters else value for name, value in at),)

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        point = self.space.check(params)
        numbers = {name: dealt[point[name]] for name, dealt in self.levels.items()}
        return self.problem.evaluate({**point, **numbers}, fidelity=fidelity, seed=seed)


@dataclass(frozen=True)
class Embedded(_Wrapper):
    """A problem among further parameters, numbers in [0, 1] that change nothing; the seed deals their order.

    Of `optima` these have the value 0.5.

    Args:
        n_parameters: of the whole space.
        seed: decides where in it the problem's own parameters stand.
    """

    n_parameters: int
    seed: int

    def __post_init__(self) -> None:
        own = self.problem.space.dim
        if self.n_parameters < own:
            raise ValueError(f"{self.name} has {own} parameters: got n_parameters={self.n_parameters}.")
        taken = [name for name in self.problem.space.names if name.startswith("idle")]
        if taken:
            raise ValueError(f"Embedded calls its parameters idle1, idle2, ...: {self.name} has {taken}.")

    @cached_property
    def space(self) -> Space:
        n_idle = self.n_parameters - self.problem.space.dim
        every = [*self.problem.space.parameters, *(Float(f"idle{k + 1}", 0.0, 1.0) for k in range(n_idle))]
        rng = seeding.generator(self.seed, seeding.NOISE, _ORDER)
        return Space(tuple(every[k] for k in rng.permutation(len(every)).tolist()))

    @property
    def optima(self) -> tuple[tuple[Any, ...], ...] | None:
        known = super().optima
        if known is None:
            return None
        at = [dict(zip(self.problem.space.names, optimum, strict=True)) for optimum in known]
        return tuple(tuple(values.get(name, 0.5) for name in self.space.names) for values in at)

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        point = self.space.check(params)
        own = {name: point[name] for name in self.problem.space.names}
        return self.problem.evaluate(own, fidelity=fidelity, seed=seed)
