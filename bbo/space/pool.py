"""Tables of candidates: what there is to choose from, such as the compounds of a library or the alloys in stock."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass as plain_dataclass
from dataclasses import field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PlainSerializer, PlainValidator, model_validator
from pydantic.dataclasses import dataclass

from bbo.declared import refused_as
from bbo.errors import SpaceError
from bbo.space.values import CONFIG, require

# A table whose JSON is no longer stands in the log itself: an event has at most 64 KB.
_SHORT = 20_000

Columns = Mapping[str, NDArray[Any]]


@plain_dataclass(frozen=True)
class Table:
    """Columns by name, each `n`: of floats where all cells are numbers, else of objects. Equal where the contents are.

    A log holds names, size and fingerprint; the columns where they are short; and the path of the file that they were
    read from, else, where they are found again.

    Args:
        file: path of the CSV file that it was read from.
        given: the columns, where they are at hand.
    """

    names: tuple[str, ...]
    n_rows: int
    fingerprint: str
    file: str | None = field(default=None, compare=False)
    given: Columns | None = field(default=None, compare=False, repr=False)

    @staticmethod
    def of(source: Any) -> "Table":
        """From a pandas table, a dict of columns, or the path of a CSV file; or as JSON has it.

        Raises:
            ValueError: it is none of these, or its columns differ in length.
        """
        if isinstance(source, Table):
            return source
        if isinstance(source, str | Path):
            file = str(source)
            require(Path(file).is_file(), f"Pool: there is no file {file!r}.")
            return Table._of_columns(_read(file), file)
        if isinstance(source, Mapping) and isinstance(source.get("fingerprint"), str):
            names, n, columns = tuple(source["names"]), source["n_rows"], source.get("columns")
            given = None if columns is None else {name: _plain(np.array(columns[name], dtype=object)) for name in names}
            return Table(names, n, source["fingerprint"], source.get("file"), given)
        if hasattr(source, "columns") and hasattr(source, "index"):
            titles = [str(name) for name in source.columns]
            twice = sorted({title for title in titles if titles.count(title) > 1})
            require(not twice, f"Pool: the table has more than one column named {twice}: rename them.")
            source = {str(name): source[name].to_numpy() for name in source.columns}
        require(
            isinstance(source, Mapping),
            f"Pool takes a pandas table, a dict of columns or the path of a CSV file: got {type(source).__name__}.",
        )
        return Table._of_columns({str(name): _array(column) for name, column in source.items()}, None)

    @staticmethod
    def _of_columns(columns: Columns, file: str | None) -> "Table":
        columns = {name: _plain(column) for name, column in columns.items()}
        lengths = {len(column) for column in columns.values()}
        require(len(lengths) == 1, f"Pool: the columns of a table have one length, got {sorted(lengths)}.")
        return Table(tuple(columns), lengths.pop(), _fingerprint(columns), file, columns)

    def to_dict(self) -> dict[str, Any]:
        """As JSON keeps it."""
        plain = {"names": list(self.names), "n_rows": self.n_rows, "fingerprint": self.fingerprint}
        if self.given is not None and self.n_rows * len(self.names) < _SHORT:
            columns = {name: column.tolist() for name, column in self.given.items()}
            if len(json.dumps(columns)) <= _SHORT:
                plain["columns"] = {k: [None if v != v else v for v in column] for k, column in columns.items()}
        return plain | ({} if self.file is None else {"file": self.file})

    @cached_property
    def columns(self) -> Columns | None:
        """None where they are not at hand: neither given nor in a file that is still the same."""
        if self.given is not None or self.file is None or not Path(self.file).is_file():
            return self.given
        found = {name: _plain(column) for name, column in _read(self.file).items()}
        return found if _fingerprint(found) == self.fingerprint else None


@refused_as(SpaceError)
@dataclass(frozen=True, config=CONFIG)
class Pool:
    """A table of candidates: points have the values of one of its rows, up to a million of them.

    Its columns are parameters, or parts of a Simplex; parameters that it has no column for vary freely. A row that
    breaks another constraint is no candidate. Empty cells stand for what is not there under conditions.

    Args:
        table: a pandas table, a dict of columns, or the path of a CSV file. A log keeps rows of at most 20 KB; of more
            the path and a fingerprint, so a long table from memory is passed again when the study is loaded.
        costs: the column that says what it costs to evaluate a row, above 0.
        ignore: columns that say nothing of points, such as the number of a row in a catalogue.
    """

    table: Annotated[Table, PlainValidator(Table.of), PlainSerializer(Table.to_dict)]
    costs: str | None = Field(default=None, kw_only=True)
    ignore: tuple[str, ...] = Field(default=(), kw_only=True, strict=False)
    kind: Literal["pool"] = Field(default="pool", kw_only=True, repr=False)
    between_points: ClassVar[bool] = False

    @model_validator(mode="after")
    def _validate(self) -> Self:
        require(self.table.n_rows > 0, "Pool: the table has no row, so there is nothing to choose from.")
        require(
            self.costs is None or self.costs in self.table.names,
            f"Pool: there is no column {self.costs!r} of costs among {list(self.table.names)}.",
        )
        unknown = [name for name in self.ignore if name not in self.table.names]
        require(not unknown, f"Pool: there are no columns {unknown} to ignore among {list(self.table.names)}.")
        require(bool(self.names), f"Pool: the table has no column beside {[self.costs, *self.ignore]}.")
        if self.costs is not None and self.table.given is not None:
            costs = self.table.given[self.costs]
            row, cost = next(((k + 1, v) for k, v in enumerate(costs.tolist()) if not _is_cost(v)), (0, None))
            require(
                not row, f"Pool: costs are finite numbers above 0; row {row} has {cost!r} in the column {self.costs!r}."
            )
        return self

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name in self.table.names if name != self.costs and name not in self.ignore)

    @property
    def numbers(self) -> frozenset[str]:
        return frozenset()

    @property
    def is_absent(self) -> bool:
        """Whether its rows are not at hand."""
        return self.table.columns is None

    @property
    def absence(self) -> SpaceError:
        """What is said where its rows are needed and not at hand."""
        where = "" if self.table.file is None else f", and {self.table.file!r} is not there or has changed"
        return SpaceError(
            f"The log does not hold the {self.table.n_rows:,} rows of the study's pool{where}: pass the space again "
            "in Python, as Study(space, ...) or Study.load(..., space=space)."
        )

    @property
    def columns(self) -> Columns:
        """The columns by name, that of the costs too.

        Raises:
            SpaceError: they are not at hand.
        """
        if self.table.columns is None:
            raise self.absence
        return self.table.columns

    def __str__(self) -> str:
        origin = "" if self.table.file is None else f" of {self.table.file}"
        return f"the pool of {self.table.n_rows:,} rows{origin}, by {', '.join(self.names)}"


def _read(file: str) -> dict[str, NDArray[Any]]:
    import pandas as pd

    try:
        frame = pd.read_csv(file, keep_default_na=False, na_values=[""])
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ValueError(f"Pool: {file!r} is no CSV file in UTF-8, with commas and names: {error}") from error
    return {str(name): frame[name].to_numpy() for name in frame.columns}


def _is_cost(value: object) -> bool:
    return isinstance(value, float) and 0 < value < math.inf


def _array(column: Any) -> NDArray[Any]:
    """As numpy has it; but of a list with texts each as it is, where numpy would make texts of all and cut off ends."""
    array = np.asarray(column)
    return np.array(column, dtype=object) if array.dtype.kind in "US" and array is not column else array


def _plain(column: NDArray[Any]) -> NDArray[Any]:
    """As floats where all are numbers, else as objects, NaN for an empty cell."""
    if column.dtype.kind in "iuf":
        return column.astype(float)
    plain = np.empty(len(column), dtype=object)
    plain[:] = [None if isinstance(v, float) and math.isnan(v) else v for v in column.tolist()]
    if all(type(v) in (int, float) for v in plain):
        return plain.astype(float)
    return plain


def _fingerprint(columns: Columns) -> str:
    """A hash of the contents; the same for a table in memory and for one written to a file and read again."""
    digest = hashlib.sha256()
    for name, column in sorted(columns.items()):
        digest.update(json.dumps([name, str(column.dtype), len(column)]).encode())
        digest.update(column.tobytes() if column.dtype == float else json.dumps(column.tolist(), default=str).encode())
    return digest.hexdigest()[:24]
