"""Latin hypercube: one design of a size fixed beforehand, every parameter spread evenly over its range.

McKay, Beckman & Conover, Technometrics 21 (1979).
"""

from dataclasses import dataclass

from scipy.stats import qmc

from bbo import seeding
from bbo.history import History
from bbo.objective import Objectives
from bbo.space import Space
from bbo.trial import Suggestion


@dataclass(frozen=True, kw_only=True)
class LatinHypercube:
    """Points of Latin hypercubes of `size` each, in order; a further hypercube follows when one is used up.

    Args:
        size: points of one hypercube; in one column no two of them share a cell of width 1/size.
    """

    size: int = 16

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"LatinHypercube needs a size of at least 1: got {self.size!r}.")

    def refuses(self, space: Space, objectives: Objectives) -> str | None:
        if space.region.is_box and space.between is None:
            return None
        return (
            "LatinHypercube spreads each parameter by itself, but here some are bound together by totals or "
            "constraints: use SobolSearch, which spreads points within them."
        )

    def suggest(self, history: History, n: int, *, seed: int) -> list[Suggestion]:
        first = history.n_suggested
        design = [self._row(history, first + k) for k in range(n)]
        points = history.space.fresh(design, history)
        return [Suggestion(params, notes={"by": "latin hypercube"}) for params in points]

    def _row(self, history: History, k: int) -> dict[str, object]:
        rng = seeding.generator(history.seed, seeding.FIRST_DESIGN, k // self.size)
        U = qmc.LatinHypercube(history.space.dim, rng=rng).random(self.size)
        return history.space.unframed.decode(U[[k % self.size]])[0]
