"""HTML for notebooks: small tables, with everything that people wrote escaped."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

_MOST_LETTERS = 200
_TITLE = "text-align:left;font-weight:600;padding:0 0 4px 0"
_HEAD = "text-align:left;font-weight:normal;opacity:0.7"


def heading(text: str) -> str:
    return f'<div style="{_TITLE}">{escape(text)}</div>'


def paragraph(text: str) -> str:
    return f"<div>{escape(text)}</div>"


def pairs(rows: Mapping[str, Any]) -> str:
    """A table of names and values, a row each."""
    cells = [f'<tr><th style="{_HEAD}">{_cell(name)}</th><td>{_cell(value)}</td></tr>' for name, value in rows.items()]
    return f"<table>{''.join(cells)}</table>"


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table with a row of names above."""
    head = "".join(f'<th style="{_HEAD}">{_cell(name)}</th>' for name in columns)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(value)}</td>' for value in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def bar(share: float | None, text: str) -> str:
    """How far something is, in [0, 1]; where that is not known, that it goes on."""
    value = "" if share is None else f' value="{share:.4f}"'
    return f'<progress max="1"{value} style="width:18em;vertical-align:middle"></progress> {escape(text)}'


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return escape(f"{value:.6g}")
    if isinstance(value, Mapping):
        return escape(", ".join(f"{k}: {v:.6g}" if isinstance(v, float) else f"{k}: {v}" for k, v in value.items()))
    text = str(value)
    return escape(text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]}…")
