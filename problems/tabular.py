"""Tables of what was measured as problems: their rows are all the points there are.

Replicates are rows of one point: the seed chooses among them, so that they err as the measurements did, or their mean
counts. Columns of fidelities say how much of the full evaluation a row is; a column of runs, which rows belong to one
learning curve.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from bbo import seeding
from bbo.errors import EvaluationError
from bbo.fidelity import Fidelity, paid
from bbo.objective import Maximize, Minimize, Objective, Objectives, OutcomeConstraint, Tracked
from bbo.problems.card import Card
from bbo.space import Categorical, Float, Forbidden, Int, Ordinal, Parameter, Params, Pool, Simplex, Space
from bbo.space.pool import Table

if TYPE_CHECKING:  # listing the problems needs no tables
    import pandas as pd

# A space of levels of which no more combinations are missing forbids these; of which more are, has a pool of rows.
_FEW = 20
# Numbers of more values are no levels.
_MOST_LEVELS = 50
# Positions that differ by no more are one point: a third of the digits of what a table prints.
_SAME = 1e-6
# What a problem's seed is for, below the words of `bbo.seeding`.
_REPLICATE = 11


@dataclass(frozen=True, eq=False)
class Tabular:
    """A table as a problem.

    Rows without a value of some metric are left out, and so are runs that lack some of the fidelities of the others.

    Args:
        table: a row for each measurement.
        inputs: parameters whose names are columns, of a Simplex "mixture" with a part "sand" the column "mixture.sand";
            or only the name of a column: texts are choices then, and numbers levels, a range where they are many.
        objectives: of metrics that are columns.
        fidelities: whose names are columns; points have a row at full fidelity.
        run: the column that says which rows of a point are one run; the seed chooses the run.
        cost_column: of what a row cost.
        replicates: "draw" one of the rows of a point, or their "mean".
        about: its card; one that says the size and how the best value is known when None.
    """

    table: "pd.DataFrame"
    inputs: Sequence[Parameter | str]
    objectives: tuple[Objective | OutcomeConstraint | Tracked, ...]
    fidelities: tuple[Fidelity, ...] = ()
    run: str | None = field(default=None, kw_only=True)
    cost_column: str | None = field(default=None, kw_only=True)
    replicates: Literal["draw", "mean"] = field(default="draw", kw_only=True)
    about: Card | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        wanted = [*self._columns, *self._metrics, *(f.name for f in self.fidelities)]
        wanted += [name for name in (self.run, self.cost_column) if name is not None]
        missing = [name for name in wanted if name not in self.table.columns]
        if missing:
            raise ValueError(f"The table has the columns {list(self.table.columns)}: there are no {missing}.")
        if self.replicates not in ("draw", "mean"):
            raise ValueError(f'Tabular takes as replicates "draw" or "mean": got {self.replicates!r}.')
        empty = [name for name in self._columns if self.table[name].isna().any()]
        if empty:
            raise ValueError(
                f"Cells of inputs are empty in the columns {empty}: drop these rows, or name what they mean."
            )
        if not len(self._rows):
            raise ValueError(f"No row of the table has a value of all of {list(self._metrics)}.")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tabular):
            return NotImplemented
        names = ("inputs", "objectives", "fidelities", "run", "cost_column", "replicates", "about")
        return self.table.equals(other.table) and all(getattr(self, n) == getattr(other, n) for n in names)

    def __hash__(self) -> int:
        return hash((tuple(self._columns), self._metrics, len(self.table)))

    @property
    def card(self) -> Card:
        if self.about is not None:
            return self.about
        n, n_points = len(self._rows), len(self._points)
        return Card(
            source="a table of your own",
            size=f"{n:,} rows, {n_points:,} points",
            known="the best row" if self._aim is not None else "",
            noise="which of the replicates is drawn" if self._is_noisy else "",
        )

    @cached_property
    def space(self) -> Space:
        """Of the points that have a row at full fidelity."""
        parameters, points = self._parameters, self._points
        choices = [p.listed for p in parameters if isinstance(p, (Categorical, Ordinal))]
        if len(choices) == len(parameters) and math.prod(map(len, choices)) <= len(points) + _FEW:
            names = [p.name for p in parameters]
            there = {tuple(point[name] for name in names) for point in points}
            absent = [x for x in product(*choices) if x not in there]
            left_out = (Forbidden({n: (v,) for n, v in zip(names, x, strict=True)}) for x in absent)
            return Space(tuple(parameters), tuple(left_out))
        rows = self._rows.iloc[self._first][self._columns]
        rows = rows.astype({p.name: str for p in parameters if isinstance(p, Categorical)})
        return Space(tuple(parameters), (Pool(Table.of(rows)),))

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        """What was measured.

        Raises:
            SpaceError: a point that the table does not have.
            EvaluationError: one that it does not have at this fidelity.
        """
        rows = self._at(params, fidelity)
        if self.replicates == "draw":
            rows = rows[[self._drawn(len(rows), seed)]]
        values = self._values[rows].mean(0)
        return dict(zip(self._metrics, map(float, values), strict=True))

    def cost(self, params: Mapping[str, Any], fidelity: Mapping[str, float] | None = None) -> float:
        """The mean over the rows of a point at a fidelity of what they cost.

        Raises:
            ValueError: the table has no column of costs.
        """
        if self._costs is None:
            raise ValueError("The table has no column of costs: name it as `cost_column`.")
        return float(self._costs[self._at(params, fidelity)].mean())

    @property
    def best_value(self) -> float | None:
        """The best mean over replicates at full fidelity; None with several objectives or constraints."""
        return None if self._best is None else self._best[0]

    @property
    def optima(self) -> tuple[tuple[Any, ...], ...] | None:
        """The points that have it; None where it is None."""
        return None if self._best is None else self._best[1]

    @cached_property
    def _best(self) -> tuple[float, tuple[tuple[Any, ...], ...]] | None:
        aim = self._aim
        if aim is None:
            return None
        column = self._metrics.index(aim.metric)
        full = tuple(paid(self.fidelities, None).values())
        means = np.array([self._values[rows[full]][:, column].mean() for rows in self._by_point])
        best = means.max() if isinstance(aim, Maximize) else means.min()
        names = [p.name for p in self._parameters]
        at = [tuple(self._points[k][name] for name in names) for k in np.flatnonzero(means == best)]
        return float(best), tuple(at)

    @cached_property
    def _aim(self) -> Maximize | Minimize | None:
        """The only objective, where that has a best row."""
        wanted = Objectives(self.objectives)
        is_plain = len(wanted.aims) == 1 and not wanted.constraints
        return wanted.aims[0] if is_plain and isinstance(wanted.aims[0], (Maximize, Minimize)) else None

    @cached_property
    def _metrics(self) -> tuple[str, ...]:
        return tuple(Objectives(self.objectives).metrics)

    @cached_property
    def _columns(self) -> list[str]:
        """Of the inputs."""
        named = [[p] if isinstance(p, str) else [cell.name for cell in p.cells] for p in self.inputs]
        return [name for names in named for name in names]

    @cached_property
    def _parameters(self) -> list[Parameter]:
        return [self._inferred(p) if isinstance(p, str) else p for p in self.inputs]

    def _inferred(self, name: str) -> Parameter:
        column = self._rows[name]
        if column.dtype.kind in "iuf":
            levels = tuple(sorted(set(column.tolist())))
            if len(levels) <= _MOST_LEVELS:
                return Ordinal(name, levels)
            return Int(name, levels[0], levels[-1]) if column.dtype.kind in "iu" else Float(name, levels[0], levels[-1])
        return Categorical(name, tuple(dict.fromkeys(map(str, column))))

    @cached_property
    def _rows(self) -> "pd.DataFrame":
        """Those with all values, in runs with all fidelities."""
        rows = self.table.dropna(subset=[*self._metrics, *(f.name for f in self.fidelities)])
        if self.run is None or not self.fidelities:
            return rows.reset_index(drop=True)
        length = rows.groupby([*self._columns, self.run], sort=False)[self.fidelities[0].name].transform("size")
        whole: pd.DataFrame = rows[length == length.max()].reset_index(drop=True)
        return whole

    @cached_property
    def _values(self) -> NDArray[np.float64]:
        """`n x m`."""
        return self._rows[list(self._metrics)].to_numpy(dtype=float)

    @cached_property
    def _costs(self) -> NDArray[np.float64] | None:
        return None if self.cost_column is None else self._rows[self.cost_column].to_numpy(dtype=float)

    @cached_property
    def _grouped(self) -> tuple[list[Params], list[dict[tuple[float, ...], NDArray[np.int64]]]]:
        """Points with a row at full fidelity, and of each the numbers of its rows by fidelity, runs in order."""
        texts = {p.name for p in self._parameters if isinstance(p, Categorical)}
        cells = [
            map(str, c) if name in texts else c for name, c in ((n, self._rows[n].tolist()) for n in self._columns)
        ]
        levels: list[tuple[float, ...]] = [()] * len(self._rows)
        if self.fidelities:
            levels = list(zip(*(self._rows[f.name].tolist() for f in self.fidelities), strict=True))
        by_point: dict[tuple[Any, ...], dict[tuple[float, ...], list[int]]] = defaultdict(lambda: defaultdict(list))
        for k, (point, level) in enumerate(zip(zip(*cells, strict=True), levels, strict=True)):
            by_point[point][level].append(k)
        runs = np.arange(len(self._rows)) if self.run is None else self._rows[self.run].to_numpy()
        full = tuple(paid(self.fidelities, None).values())
        points, rows = list[Params](), list[dict[tuple[float, ...], NDArray[np.int64]]]()
        for point, by_level in by_point.items():
            if full in by_level:
                points.append(self._params(dict(zip(self._columns, point, strict=True))))
                rows.append({level: np.array(sorted(ks, key=lambda k: runs[k])) for level, ks in by_level.items()})
        if not points:
            raise ValueError(f"No row of the table is at full fidelity, {paid(self.fidelities, None)}.")
        return points, rows

    def _params(self, cells: Mapping[str, Any]) -> Params:
        """Of a row's cells."""
        return {
            p.name: {part: cells[f"{p.name}.{part}"] for part in p.parts} if isinstance(p, Simplex) else cells[p.name]
            for p in self._parameters
        }

    @property
    def _points(self) -> list[Params]:
        return self._grouped[0]

    @property
    def _first(self) -> list[int]:
        """Of each point the number of a row."""
        return [int(next(iter(by_level.values()))[0]) for by_level in self._by_point]

    @property
    def _by_point(self) -> list[dict[tuple[float, ...], NDArray[np.int64]]]:
        return self._grouped[1]

    @cached_property
    def _positions(self) -> NDArray[np.float64]:
        return self.space.encode(self._points)

    @property
    def _is_noisy(self) -> bool:
        return self.replicates == "draw" and any(len(rows) > 1 for levels in self._by_point for rows in levels.values())

    def _at(self, params: Mapping[str, Any], fidelity: Mapping[str, float] | None) -> NDArray[np.int64]:
        """Numbers of the rows of a point at a fidelity."""
        wanted = paid(self.fidelities, fidelity)
        apart = np.abs(self._positions - self.space.encode([self.space.check(params)])).max(axis=1)
        k = int(apart.argmin())
        assert apart[k] <= _SAME, "a point of the space is one of the table"
        rows = self._by_point[k].get(tuple(wanted.values()))
        if rows is None:
            there = [dict(zip(wanted, level, strict=True)) for level in self._by_point[k]]
            raise EvaluationError(f"The table has no row of this point at {wanted}: it has {there}.")
        return rows

    def _drawn(self, n: int, seed: int) -> int:
        return int(seeding.generator(seed, seeding.NOISE, _REPLICATE).integers(n)) if n > 1 else 0
