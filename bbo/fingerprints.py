"""What is known again of code that a log cannot hold: a hash of its source and of what it holds.

Nothing is imported or run for it. What a function reads of its module is not in it, nor the functions that it calls.
"""

import ast
import functools
import hashlib
import inspect
import json
import math
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType
from typing import Any

import numpy as np


def fingerprint(part: Any) -> str:
    """A hash of what a part is made of: the source of its class and bases, or of the function, and its fields."""
    content = json.dumps({"content": _content(part, ())}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()[:24]


def called(function: Any) -> str:
    """What people call a function: its name, or of one without a name what stands there."""
    if isinstance(function, functools.partial):
        return called(function.func)
    name = str(getattr(function, "__name__", type(function).__name__))
    source = _source(function) if name == "<lambda>" else name
    return " ".join(source.split()) if source.startswith("lambda") else name


def _content(value: Any, inside: tuple[int, ...]) -> Any:
    """As JSON, the same in every process; `inside` are the objects around it, which are not gone into again."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if id(value) in inside:
        return "..."
    inside = (*inside, id(value))
    if isinstance(value, np.ndarray):
        return [str(value.dtype), list(value.shape), hashlib.sha256(value.tobytes()).hexdigest()]
    if isinstance(value, (list, tuple, set, frozenset)):
        contents = [_content(v, inside) for v in value]
        return sorted(contents, key=repr) if isinstance(value, (set, frozenset)) else contents
    if isinstance(value, Mapping):
        return {str(k): _content(v, inside) for k, v in value.items()}
    if isinstance(value, functools.partial):
        return [_content(v, inside) for v in (value.func, value.args, value.keywords)]
    if inspect.ismethod(value):
        return [_content(v, inside) for v in (value.__func__, value.__self__)]
    if isinstance(value, FunctionType):
        closure = [_content(cell.cell_contents, inside) for cell in value.__closure__ or ()]
        by_keyword = [_content(value.__kwdefaults__, inside)] if value.__kwdefaults__ else []
        return [_source(value), _content(value.__defaults__, inside), closure, *by_keyword]
    kinds = value.__mro__ if isinstance(value, type) else type(value).__mro__
    sources = [_source(kind) for kind in kinds if kind.__module__ not in ("builtins", "typing", "abc")]
    names = {*getattr(value, "__dict__", ()), *(n for kind in kinds for n in getattr(kind, "__slots__", ()))}
    fields = {} if isinstance(value, type) else {n: getattr(value, n, None) for n in names if not n.startswith("_")}
    return [sources, {n: _content(v, inside) for n, v in fields.items()}]


def _source(kind: Any) -> str:
    """Of a class or a function; where there is none, its bytecode or at least its name."""
    is_function = isinstance(kind, FunctionType)
    try:
        own = _own_source(kind) if is_function and kind.__name__ == "<lambda>" else None
        return inspect.getsource(kind) if own is None else own
    except (OSError, TypeError, SyntaxError):
        name = str(getattr(kind, "__qualname__", kind))
        return f"{name} {' '.join(_compiled(kind.__code__))}" if is_function else name


def _own_source(function: FunctionType) -> str | None:
    """Of a lambda alone, of whose statement `inspect` would give all, other lambdas too; None where it is not told."""
    lines, _ = inspect.findsource(function)
    text = "".join(lines)
    places = [p for p in function.__code__.co_positions() if None not in p and p[2:] != (0, 0)]
    if not places:
        return None
    first = min((line, column) for line, _, column, _ in places)
    last = max((line, column) for _, line, _, column in places)
    around = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Lambda) and _begin(node.body) <= first and last <= _end(node.body)
    ]
    return ast.get_source_segment(text, max(around, key=_begin)) if around else None


def _begin(node: ast.expr) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _end(node: ast.expr) -> tuple[int, int]:
    return node.end_lineno or node.lineno, node.end_col_offset or node.col_offset


def _compiled(code: CodeType) -> Iterator[str]:
    """What bytecode does, in this version of Python, the same in every process."""
    yield code.co_code.hex()
    yield repr(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _compiled(constant)
        else:
            yield repr(sorted(map(repr, constant)) if isinstance(constant, frozenset) else constant)
