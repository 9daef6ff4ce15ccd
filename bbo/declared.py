"""What users declare, with errors in words: dataclasses whose fields pydantic checks."""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

_T = TypeVar("_T")
_SHORT = 80
# What pydantic calls by names of Python's that people do not write.
_OTHER_WORDS = {
    "a valid tuple": "a list",
    "a valid dictionary or object to extract fields from": "one of bbo's objects",
}
_MISSING = ("missing", "missing_argument")
_UNKNOWN = ("unexpected_keyword_argument", "unexpected_positional_argument")


def refused_as(error: type[ValueError]) -> Callable[[type[_T]], type[_T]]:
    """A decorator of pydantic dataclasses: what they refuse raises this error, which names the class and the field."""

    def decorated(kind: type[_T]) -> type[_T]:
        made = kind.__init__
        names = [p.name for p in inspect.signature(kind).parameters.values()]

        @functools.wraps(made)
        def checked(self: _T, *args: Any, **kwargs: Any) -> None:
            try:
                made(self, *args, **kwargs)
            except ValidationError as found:
                said = complaints(found, names)
                is_said = all(e["type"] == "value_error" for e in found.errors(include_url=False))
                raise error(said if is_said else f"{kind.__name__}: {said}") from None

        kind.__init__ = checked  # type: ignore[method-assign, assignment]
        return kind

    return decorated


def complaints(error: ValidationError, names: Sequence[str] = ()) -> str:
    """What pydantic found: a clause for each field.

    Args:
        names: of the arguments, by their place.
    """
    said: dict[str, str] = {}
    for found in error.errors(include_url=False):
        if found["type"] == "value_error":
            said.setdefault("", str(found["ctx"]["error"]))
            continue
        place = _place(found["loc"], names)
        if found["type"] in _MISSING:
            said[place] = f"{place} is missing"
        elif found["type"] in _UNKNOWN:
            said[place] = f"{place} is no argument" + (f", there are {', '.join(names)}" if names else "")
        elif place in said or len(found["loc"]) > 2:  # each kind that a value may be of has its own complaint
            said[place] = f"{place} cannot be {short(found['input'])}"
        else:
            message = functools.reduce(lambda m, words: m.replace(*words), _OTHER_WORDS.items(), found["msg"])
            said[place] = f"{message.replace('Input', place, 1)}, got {short(found['input'])}"
    return "; ".join(said.values())


def complaints_of_json(error: ValidationError) -> str:
    """What pydantic found in what was read from a file: a clause for each field, by its whole path."""
    return "; ".join(
        f"{'.'.join(map(str, found['loc'])) or 'it'}: {found['msg'].removeprefix('Value error, ')}"
        for found in error.errors(include_url=False)
    )


def _place(loc: tuple[int | str, ...], names: Sequence[str]) -> str:
    """Of a field, or of what is in it."""
    first, *others = [k for k in loc[:2] if k != "kind"] or ["it"]
    if isinstance(first, int):
        first = names[first] if first < len(names) else f"argument {first + 1}"
    return first + "".join(f"[{k!r}]" for k in others)


def short(value: object) -> str:
    """As Python writes it, in few characters."""
    said = repr(value)
    return said if len(said) <= _SHORT else f"{said[: _SHORT - 3]}..."
