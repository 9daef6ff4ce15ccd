"""Parts of a space in each of which the same linear constraints say something, as the same parameters are there.

An equality that holds under conditions leaves its part of the space one dimension less than the rest, so no point drawn
from all of the cube would lie in it: each part is drawn from by itself.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from bbo.space.constraints import Linear
from bbo.space.encoding import Encoding
from bbo.space.region import Mask, Positions
from bbo.space.structure import Condition

# Each is a program where all are looked at.
_MOST = 256


@dataclass(frozen=True)
class Branch:
    """One such part.

    Args:
        levels: by column that conditions depend on, the positions that it has here, `k`.
        there: the constraints of which all parameters are there; those of the others are nowhere in it.
        absent: columns that are nowhere in it.
    """

    levels: Mapping[int, Positions]
    there: tuple[Linear, ...]
    absent: tuple[int, ...]


def branches_of(space: Encoding, constraints: Sequence[Linear], levels: Mapping[int, Positions]) -> list[Branch]:
    """All of them.

    Args:
        constraints: those under conditions.
        levels: by column that these conditions depend on, the positions that it may have.
    Raises:
        ValueError: there are too many.
    """
    by_constraint = [conditions_of(space, c) for c in constraints]
    own = {j: [c for conditions in by_constraint for c in conditions if c.column == j] for j in levels}
    alike = [_alike(levels[j], conditions) for j, conditions in own.items()]
    n = math.prod(map(len, alike))
    if n > _MOST:
        said = " and ".join(str(c) for c in constraints)
        names = [space.columns[j] for j in levels]
        raise ValueError(
            f"Conditions on {names} make {n:,} cases of which points there are where {said} holds, and {_MOST} at most "
            "can be told apart. Let fewer of these numbers depend on conditions, or say it without an equality."
        )
    found = []
    for positions in product(*alike):
        here = dict(zip(own, positions, strict=True))

        def holds(c: Condition, here: Mapping[int, Positions] = here) -> bool:
            return c.column not in here or bool(_meets(here[c.column], c).any())

        there = tuple(
            c for c, conditions in zip(constraints, by_constraint, strict=True) if all(map(holds, conditions))
        )
        absent = tuple(j for j, conditions in space.structure.conditions.items() if not all(map(holds, conditions)))
        found.append(Branch(here, there, absent))
    return found


def conditions_of(space: Encoding, constraint: Linear) -> list[Condition]:
    """All that must hold for its parameters to be there."""
    conditions = space.structure.conditions
    return [c for name in constraint.names for c in conditions.get(space.columns.index(name), ())]


def _alike(positions: Positions, conditions: Sequence[Condition]) -> list[Positions]:
    """Positions put together where they meet the same conditions."""
    meets = np.array([_meets(positions, c) for c in conditions]).T
    kinds, kind = np.unique(meets, axis=0, return_inverse=True)
    return [positions[kind.reshape(-1) == k] for k in range(len(kinds))]


def _meets(positions: Positions, condition: Condition) -> Mask:
    meets: Mask = np.abs(positions[:, None] - np.array(condition.positions)).min(1) <= condition.same
    return meets
