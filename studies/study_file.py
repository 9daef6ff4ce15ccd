"""Study files: what a study is made of, as people write it, in TOML. `docs/lab.md` lists all that a file may say.

A table of the file becomes the object of that kind: `[[parameter]]` a Float, Int, Ordinal or Categorical, and so on.
Its keys are the arguments, checked by the very same types, so what is allowed stands there and nowhere else.
"""

import dataclasses
import difflib
import inspect
import tomllib
import typing
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError

from bbo.budget import Budget, Rule
from bbo.declared import complaints, short
from bbo.errors import BBOError, StudyExistsError, StudyFileError, StudyNotFoundError
from bbo.events import canonical
from bbo.objective import Objective, Objectives, OutcomeConstraint, Tracked
from bbo.protocols import Strategy
from bbo.space import Forbidden, Linear, Nonlinear, Parameter, Pool, Space
from bbo.storage import Storage, open_storage
from bbo.strategies import PARTS, STRATEGIES
from bbo.studies import specification
from bbo.studies.frames import check_names
from bbo.studies.log import StudyLog
from bbo.studies.study import Study

T = TypeVar("T")
_LARGEST = 1_000_000
_SECONDS = {"seconds": 1.0, "hours": 3600.0, "days": 86400.0}
_TABLES = (
    "study",
    "parameter",
    "linear",
    "nonlinear",
    "forbidden",
    "pool",
    "objective",
    "constraint",
    "tracked",
    "strategy",
    "budget",
)
_LISTS = ("parameter", "linear", "nonlinear", "forbidden", "pool", "objective", "constraint", "tracked")


@dataclass(frozen=True)
class StudyFile:
    """What a study file says; None for what it leaves open.

    Args:
        path: of the file, for messages.
        name: of the study; the file's name without its ending where it gives none.
        storage: where the study is kept unless said otherwise, relative to the current folder.
    """

    path: Path
    name: str
    space: Space
    objectives: Objectives
    strategy: Strategy | None = None
    budget: Budget | None = None
    seed: int | None = None
    storage: str | None = None

    def open(self, storage: str | Path | Storage | None = None) -> Study:
        """The study of this file: made where the storage has none of this name, else the one that is there, unchanged.

        Args:
            storage: as of `Study`; the file's own when None, and memory where the file has none.
        Raises:
            StudyExistsError: the one that is there is another; says in what, as far as the file says anything.
            StrategyError, BudgetError: the strategy cannot take this study, or its stop rules.
        """
        store = open_storage(self.storage if storage is None else storage)
        log = StudyLog(store, self.name, self.space)
        try:
            log.refresh()
        except StudyNotFoundError:
            return Study(
                self.space,
                self.objectives,
                strategy=self.strategy,
                storage=store,
                name=self.name,
                budget=self.budget,
                seed=self.seed,
            )
        difference = self._difference(log)
        if difference:
            raise StudyExistsError(
                f"{store.url} has another study {self.name!r} than {self.path} describes (the log against the file): "
                f"{difference}. Give it another name in [study], or write the file as the log has it."
            )
        return Study.load(store, self.name, space=self.space)

    def change(self, study: Study, given: Mapping[str, Any] | None = None, why: str = "") -> None:
        """Gives a study of this file the file's space in the place of its own.

        Args:
            given, why: as of `Study.change_space`, which says what may change.
        Raises:
            StudyExistsError: the study differs otherwise too.
        """
        logged = {"space": self.space.to_dict(), "objectives": study.objectives.to_list(), "seed": study.seed}
        difference = specification.difference(logged, self.space, self.objectives, self.seed)
        if difference:
            raise StudyExistsError(
                f"The study {study.name!r} differs from {self.path} in more than the space (the log against the file): "
                f"{difference}. Only the space of a study can change."
            )
        study.change_space(self.space, given=given, why=why)

    def _difference(self, log: StudyLog) -> str:
        logged = log.fold.specification
        parts = [specification.difference(logged, self.space, self.objectives, self.seed)]
        if self.strategy is not None:
            described = specification.describe(self.strategy)
            if canonical(described) != canonical(logged["strategy"]):
                parts.append(f"strategy: {in_words(logged['strategy'])} against {in_words(described)}")
        there = log.fold.budget or Budget()
        if self.budget is not None and self.budget != there:
            parts.append(f"budget: {there!r} against {self.budget!r}; `bbo budget` changes the log's")
        return "; ".join(part for part in parts if part)


def in_words(description: Mapping[str, Any]) -> str:
    """A strategy or part as one would write it in Python, e.g. `GP(n_first=8)`."""
    options = description.get("options", {})
    said = {k: in_words(v["part"]) if isinstance(v, Mapping) else repr(v) for k, v in options.items()}
    name = description.get("name") or description["own"]
    return f"{name}({', '.join(f'{k}={v}' for k, v in said.items())})" if said else str(name)


def read_study_file(path: str | Path) -> StudyFile:
    """The study file at the path.

    Raises:
        StudyFileError: naming the file, the table and the field, with what was got.
    """
    return _Reader(Path(path)).read()


class _Reader:
    """Turns the tables of one file into objects; its errors begin with the file's name."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> StudyFile:
        tables = self._parsed()
        self._check_keys("the file", tables, _TABLES, word="table")
        for name, content in tables.items():
            self._check_form(name, content)
        study = tables.get("study", {})
        self._check_keys("[study]", study, ("name", "seed", "storage"))
        space = self._space(tables)
        objectives = self._objectives(tables)
        self._made("the file", check_names, space, objectives)
        seed = study.get("seed")
        if seed is not None:
            self._made("[study] seed", specification.check_seed, seed)
        return StudyFile(
            path=self._path,
            name=self._text(study, "name") or self._path.stem,
            space=space,
            objectives=objectives,
            strategy=self._strategy(tables["strategy"]) if "strategy" in tables else None,
            budget=self._budget(tables["budget"]) if "budget" in tables else None,
            seed=seed,
            storage=self._text(study, "storage"),
        )

    def _parsed(self) -> dict[str, Any]:
        try:
            if self._path.is_dir():
                raise self._error("it is a folder; give the path of a study file, e.g. study.toml")
            with self._path.open("rb") as file:
                content = file.read(_LARGEST + 1)
        except (OSError, ValueError) as error:
            if isinstance(error, StudyFileError):
                raise
            said = getattr(error, "strerror", None) or error
            raise self._error(f"it cannot be read: {said}. Check the path") from error
        if len(content) > _LARGEST:
            raise self._error(f"it has more than {_LARGEST // 1000:,} kB, which is no study file")
        try:
            return tomllib.loads(content.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            line = content[: error.start].count(b"\n") + 1
            raise self._error(f"line {line} is not UTF-8 text. Save it as UTF-8") from error
        except tomllib.TOMLDecodeError as error:
            raise self._error(f"it is not TOML: {error}. Text stands in quotes, tables begin with [name]") from error
        except RecursionError as error:
            raise self._error("its lists or tables are nested too deeply") from error

    def _check_form(self, name: str, content: Any) -> None:
        is_list = isinstance(content, list) and all(isinstance(row, dict) for row in content)
        if name in _LISTS and not is_list:
            raise self._error(f"write [[{name}]], in two brackets, before each of them: got {short(content)}")
        if name not in _LISTS and not isinstance(content, dict):
            raise self._error(f"write [{name}], in one bracket, once: got {short(content)}")

    def _space(self, tables: Mapping[str, Any]) -> Space:
        rows = enumerate(tables.get("parameter", []))
        parameters = [self._one_of(Parameter, table, _place("parameter", k, table)) for k, table in rows]
        constraints: list[Any] = []
        for name, kind in (("linear", Linear), ("nonlinear", Nonlinear), ("forbidden", Forbidden)):
            for k, table in enumerate(tables.get(name, [])):
                constraints.append(self._object(kind, table, _place(name, k, table)))
                if constraints[-1].is_absent:
                    raise self._error(
                        f"{_place(name, k, table)}: a file cannot hold a function. Write the condition as text, or "
                        "make the study in Python, with Nonlinear(function)"
                    )
        for k, table in enumerate(tables.get("pool", [])):
            file = table.get("table")
            beside = {"table": self._path.parent / file} if isinstance(file, str) else {}
            constraints.append(self._object(Pool, {**table, **beside}, _place("pool", k, table)))
        return self._made("[[parameter]]", lambda: Space(tuple(parameters), tuple(constraints)))

    def _objectives(self, tables: Mapping[str, Any]) -> Objectives:
        wanted: list[Any] = []
        for k, table in enumerate(tables.get("objective", [])):
            wanted.append(self._one_of(Objective, table, _place("objective", k, table)))
        for name, kind in (("constraint", OutcomeConstraint), ("tracked", Tracked)):
            for k, table in enumerate(tables.get(name, [])):
                wanted.append(self._object(kind, table, _place(name, k, table)))
        return self._made("[[objective]]", lambda: Objectives(tuple(wanted)))

    def _budget(self, table: Mapping[str, Any]) -> Budget:
        names = [f.name for f in dataclasses.fields(Budget)]
        self._check_keys("[budget]", table, (*names, *(s for s in _SECONDS if s not in names)))
        times = [name for name in _SECONDS if name in table]
        if len(times) > 1:
            raise self._error(f"[budget]: give one of {_listed(_SECONDS)}, got {' and '.join(times)}")
        fields = {name: value for name, value in table.items() if name not in _SECONDS}
        for name in times:
            amount = table[name]
            if isinstance(amount, bool) or not isinstance(amount, (int, float)) or not 0 < amount < 1e12:
                raise self._error(f"[budget] {name} should be a number above 0, got {short(amount)}")
            fields["seconds"] = amount * _SECONDS[name]
        rules = fields.get("stop", [])
        if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
            raise self._error(f"[budget]: write [[budget.stop]] before each rule: got {short(rules)}")
        fields["stop"] = tuple(self._one_of(Rule, r, _place("budget.stop", k, r)) for k, r in enumerate(rules))
        return self._object(Budget, fields, "[budget]")

    # Strategies.

    def _strategy(self, table: Mapping[str, Any]) -> Strategy:
        description = self._described(table, "[strategy]", STRATEGIES)
        built: Strategy = self._made("[strategy]", specification.rebuild, description)
        return built

    def _described(self, table: Mapping[str, Any], place: str, names: Collection[str]) -> specification.Description:
        """The table as a specification has it, its options checked by the types of the fields."""
        name = table.get("name")
        if not isinstance(name, str) or name not in names:
            near = _near(name, names) if isinstance(name, str) else ""
            got = "got none" if name is None else f"got {short(name)}"
            raise self._error(f"{place} needs a name, one of {_listed(names)}: {got}{near}")
        default = self._made(place, specification.rebuild, {"name": name, "options": {}})
        fields = [] if inspect.isfunction(default) else [f.name for f in dataclasses.fields(default) if f.init]
        fields = [name for name in fields if _is_simple(getattr(default, name)) or _role(getattr(default, name))]
        options = {key: value for key, value in table.items() if key != "name"}
        self._check_keys(f"{place} {name}", options, fields)
        hints = {} if inspect.isfunction(default) else typing.get_type_hints(type(default))
        return {
            "name": name,
            "options": {
                key: self._option(value, hints[key], getattr(default, key), f"{place} {name}: {key}")
                for key, value in options.items()
            },
        }

    def _option(self, value: Any, hint: Any, default: Any, place: str) -> Any:
        if isinstance(value, dict):
            names = [n for n in (*PARTS, *STRATEGIES) if _role(_named(n)) == _role(default) != ""]
            if not names:
                raise self._error(f"{place} takes no table: got {short(value)}")
            return {"part": self._described(value, place, names)}
        value = tuple(value) if isinstance(value, list) else value
        try:
            checked = TypeAdapter(hint, config=ConfigDict(strict=True, allow_inf_nan=False)).validate_python(value)
        except ValidationError as error:
            raise self._error(f"{place}: {complaints(error)}") from error
        except PydanticUserError as error:  # a type that only objects have
            raise self._error(f'{place} is written as a table, {{name = "..."}}: got {short(value)}') from error
        return list(checked) if isinstance(checked, tuple) else checked

    # Tables to objects.

    def _one_of(self, union: Any, table: Mapping[str, Any], place: str) -> Any:
        """The object of the kind that the table names, among those of a union."""
        kinds = {kind.__pydantic_fields__["kind"].default: kind for kind in _members(union)}
        kind = table.get("kind")
        if not isinstance(kind, str) or kind not in kinds:
            got = "got none" if kind is None else f"got {short(kind)}"
            near = _near(kind, kinds) if isinstance(kind, str) else ""
            raise self._error(f"{place} needs a kind, one of {_listed(kinds)}: {got}{near}")
        return self._object(kinds[kind], {key: v for key, v in table.items() if key != "kind"}, place)

    def _object(self, kind: Callable[..., T], fields: Mapping[str, Any], place: str) -> T:
        known = [f.name for f in dataclasses.fields(kind) if f.name != "kind"]  # type: ignore[arg-type]
        self._check_keys(place, fields, known)
        return self._made(place, kind, **fields)

    def _made(self, place: str, make: Callable[..., T], *arguments: Any, **fields: Any) -> T:
        try:
            return make(*arguments, **fields)
        except (BBOError, ValueError) as error:
            raise self._error(f"{place}: {str(error).removeprefix(f'{make.__name__}: ')}") from error

    def _text(self, table: Mapping[str, Any], key: str) -> str | None:
        value = table.get(key)
        if value is not None and (not isinstance(value, str) or not value.strip() or "\0" in value):
            raise self._error(f"[study] {key} should be text, got {short(value)}")
        return value

    def _check_keys(self, place: str, table: Iterable[str], known: Collection[str], *, word: str = "key") -> None:
        for key in table:
            if key not in known:
                near = _near(key, known)
                there = f"known are {_listed(known)}" if known else "it takes none"
                raise self._error(f"{place} has an unknown {word} {key!r}{near}; {there}")

    def _error(self, message: str) -> StudyFileError:
        return StudyFileError(f"{self._path}: {message}{'' if message.endswith(('.', '?')) else '.'}")


def _place(name: str, k: int, table: Mapping[str, Any]) -> str:
    """As one finds it in the file: `2nd [[parameter]] 'temperature'`."""
    ending = "th" if 10 <= k % 100 < 13 else {0: "st", 1: "nd", 2: "rd"}.get(k % 10, "th")
    said = table.get("name", table.get("metric"))
    return f"{k + 1}{ending} [[{name}]]" + (f" {short(said)}" if isinstance(said, str) else "")


def _members(union: Any) -> tuple[Any, ...]:
    """The classes of `A | B`, also where it is annotated."""
    members = typing.get_args(union)
    return typing.get_args(members[0]) if hasattr(union, "__metadata__") else members


def _named(name: str) -> Any:
    return specification.rebuild({"name": name, "options": {}})


def _role(part: Any) -> str:
    """What an object can stand for in a strategy; empty for what is no part."""
    if inspect.isfunction(part) or callable(getattr(part, "judge", None)):
        return "acquisition"
    return next((verb for verb in ("suggest", "fit", "for_columns") if callable(getattr(part, verb, None))), "")


def _is_simple(value: object) -> bool:
    return value is None or isinstance(value, (bool, int, float, str, tuple))


def _near(name: str, known: Collection[str]) -> str:
    by_folded = {k.lower(): k for k in known}
    near = difflib.get_close_matches(name.lower(), by_folded, n=2, cutoff=0.6)
    return f", did you mean {' or '.join(by_folded[n] for n in near)}?" if near else ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
