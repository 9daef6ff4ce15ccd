"""What is typed as plain words behind a command: trials, `name=value`, and the log, which comes last."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from bbo.cli.faults import stop
from bbo.cli.options import DEFAULT_STORAGE
from bbo.space import Space
from bbo.studies.cells import EMPTY, metric_cell, parameter_cell
from bbo.studies.view import StudyView

_ASSIGNMENT = re.compile(r"(?P<name>[^=]+)=(?P<value>.*)", re.DOTALL)


def is_trial(word: str) -> bool:
    return word.isascii() and word.isdigit()


def is_group(word: str) -> bool:
    """Whether it is trials that are equals, as in `1=2`."""
    return all(is_trial(part) for part in word.split("="))


def is_assignment(word: str) -> bool:
    """Whether it is a `name=value`, and not a URL with options."""
    found = _ASSIGNMENT.fullmatch(word)
    return found is not None and "://" not in found["name"]


def split(words: Sequence[str], is_own: Callable[[str], bool], expected: str) -> tuple[list[str], str]:
    """The command's own words, and the log: the last word, where it is none of them.

    Args:
        expected: what the own words are, for the message where another one is not.
    """
    own, storage = list(words), DEFAULT_STORAGE
    if own and not is_own(own[-1]):
        storage = own.pop()
    for word in own:
        if not is_own(word):
            stop(f"{expected}, and the log comes last: got {word!r} before {own[-1]!r}.")
    return own, storage


def assigned(words: Sequence[str]) -> dict[str, str]:
    """Text by name, from words of the form `name=value`."""
    found: dict[str, str] = {}
    for word in words:
        match = _ASSIGNMENT.fullmatch(word)
        if match is None:
            stop(f"A value is given as name=value, without spaces around the sign: got {word!r}.")
        name = match["name"].strip()
        if name in found:
            stop(f"{name!r} is given twice: as {found[name]!r} and {match['value']!r}.")
        found[name] = match["value"]
    return found


def params_of(study: StudyView, words: Sequence[str], space: Space | None = None) -> dict[str, Any]:
    """Values of parameters, read as cells of a table are; of the study's space, or of another one for it."""
    texts = assigned(words)
    space = space or study.space
    unknown = [name for name in texts if name not in space.cells]
    if unknown:
        stop(f"{study.name} has the parameters {', '.join(space.cells)}: got {', '.join(unknown)}.")
    given = {name: _said(name, text, parameter_cell(space.cells[name], text)) for name, text in texts.items()}
    whole = space.gathered(given)
    parts = [name for name in given if name not in space.flat(whole)]
    if parts:
        stop(f"All parts of a parameter are given together: got {', '.join(parts)} alone.")
    return whole


def values_of(study: StudyView, words: Sequence[str]) -> dict[str, Any]:
    """Values of metrics, read as cells of a table are; `81;83;80` is three replicates."""
    texts = assigned(words)
    unknown = [name for name in texts if name not in study.objectives.metrics]
    if unknown:
        is_parameter = any(name in study.space.cells for name in unknown)
        how = " Give what was set otherwise as --executed name=value." if is_parameter else ""
        stop(f"{study.name} has the metrics {', '.join(study.objectives.metrics)}: got {', '.join(unknown)}.{how}")
    return {name: _said(name, text, metric_cell(name, text)) for name, text in texts.items()}


def _said(name: str, text: str, value: Any) -> Any:
    if value is EMPTY and text.strip():
        stop(f"{name}={text} says that there is no value. Leave {name} out, or give what was found.")
    if value is EMPTY:
        stop(f"{name}= has no value behind it.")
    return value
