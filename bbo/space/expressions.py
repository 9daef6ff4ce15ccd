"""Conditions written as text, such as `x**2 + mix.sand <= 4 and solvent != 'water'`: read once, never executed as code.

What may stand in them: numbers, texts in quotes, names of parameters, parts and items (in backticks where they are no
plain names), + - * / % **, comparisons, `and`, `or`, `not`, parentheses, and the functions below.
"""

import ast
import operator
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any

import numpy as np

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": np.abs,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "log": np.log,
    "log10": np.log10,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "floor": np.floor,
    "ceil": np.ceil,
    "min": lambda *values: reduce(np.minimum, values),
    "max": lambda *values: reduce(np.maximum, values),
}
_ARITHMETIC: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.Pow: np.float_power,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_COMPARISONS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_LONGEST, _DEEPEST = 2000, 100
_LARGEST = 1e300
_OF_SEVERAL = ("min", "max")
_QUOTED = re.compile(r"`([^`]+)`")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Expression:
    """A condition as it was written.

    Raises:
        ValueError: it is none, or has something that is not allowed.
    """

    text: str

    def __post_init__(self) -> None:
        if len(self.text) > _LONGEST:
            raise ValueError(f"A condition has at most {_LONGEST} characters: got {len(self.text)}.")
        if not self._is_condition(self._tree):
            raise ValueError(f"A condition compares, such as 'x + y <= 1': got {self.text!r}.")
        self._check(self._tree)

    @cached_property
    def _places(self) -> dict[str, str]:
        """Names in backticks, by what stands for them."""
        mark = "quoted"
        while mark in self.text:
            mark += "_"
        return {f"{mark}_{k}_": name for k, name in enumerate(dict.fromkeys(_QUOTED.findall(self.text)))}

    @cached_property
    def _tree(self) -> ast.expr:
        text = self.text
        for place, name in self._places.items():
            text = text.replace(f"`{name}`", place)
        try:
            return ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            said = getattr(error, "msg", None) or str(error) or type(error).__name__
            raise ValueError(
                f"This is no condition that can be read: {self.text!r}, {said}. Equality is written ==."
            ) from error

    def _is_condition(self, node: ast.expr) -> bool:
        match node:
            case ast.BoolOp(values=values):
                return all(map(self._is_condition, values))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self._is_condition(operand)
        return isinstance(node, ast.Compare)

    def _check(self, node: ast.expr, is_number: bool = False, depth: int = 0) -> None:
        """Raises ValueError where something stands in it that is not allowed, or a text where a number must be."""
        if depth > _DEEPEST:
            raise ValueError(f"This condition is nested too deeply: {self.text!r}.")
        match node:
            case ast.BoolOp(values=parts) if not is_number:
                pass
            case ast.UnaryOp(op=ast.Not(), operand=operand) if not is_number:
                parts = [operand]
            case ast.UnaryOp(operand=operand, op=op) if type(op) in _ARITHMETIC:
                parts, is_number = [operand], True
            case ast.BinOp(left=left, right=right, op=op) if type(op) in _ARITHMETIC:
                parts, is_number = [left, right], True
            case ast.Compare(left=left, comparators=others, ops=ops) if not is_number and all(
                type(op) in _COMPARISONS for op in ops
            ):
                parts = [left, *others]
                is_number = not all(isinstance(op, (ast.Eq, ast.NotEq)) for op in ops)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS and (
                len(args) == 1 or (args and name in _OF_SEVERAL)
            ):
                parts, is_number = args, True
            case ast.Constant(value=int() | float() as value) if abs(value) < _LARGEST:
                parts = []
            case ast.Constant(value=str() | None) if not is_number:
                parts = []
            case ast.Name() | ast.Attribute():
                self._name(node)
                parts = []
            case _:
                raise ValueError(
                    f"{ast.unparse(node)!r} cannot stand where it does in {self.text!r}. There are + - * / % ** and "
                    f"the functions {', '.join(FUNCTIONS)} of numbers; comparisons of these, == and != also of texts; "
                    "and, or, not."
                )
        for part in parts:
            self._check(part, is_number, depth + 1)

    @cached_property
    def _typed(self) -> dict[str, set[str]]:
        """Words as they were written, by what Python's parser makes of them: µ, the unit, becomes μ, the letter."""
        words: dict[str, set[str]] = {}
        for word in _WORD.findall(_QUOTED.sub("", self.text)):
            words.setdefault(unicodedata.normalize("NFKC", word), set()).add(word)
        return words

    def _word(self, name: str) -> str:
        """A name as it was written."""
        written = self._typed.get(name, {name})
        if len(written) > 1:
            raise ValueError(f"{sorted(written)} look alike in {self.text!r}: put these names in backticks.")
        return self._places.get(name) or next(iter(written))

    def _name(self, node: ast.AST) -> str:
        """A parameter's, or a part's with a point in it."""
        match node:
            case ast.Name(id=name):
                return self._word(name)
            case ast.Attribute(value=value, attr=attr):
                return f"{self._name(value)}.{self._word(attr)}"
        raise ValueError(f"{ast.unparse(node)!r} is no name of a parameter: {self.text!r}.")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Of the parameters and parts in it, in order."""
        return tuple(name for name, _ in self._named(self._tree, False))

    @cached_property
    def numbers(self) -> frozenset[str]:
        """Names of those that it computes with or orders, so that they must be numbers."""
        return frozenset(name for name, is_number in self._named(self._tree, False) if is_number)

    def _named(self, node: ast.AST, is_number: bool) -> Iterator[tuple[str, bool]]:
        if isinstance(node, (ast.Name, ast.Attribute)):
            yield self._name(node), is_number
            return
        match node:
            case ast.UnaryOp(op=ast.Not()) | ast.BoolOp():
                pass
            case ast.Compare(ops=ops):
                is_number = not all(isinstance(op, (ast.Eq, ast.NotEq)) for op in ops)
            case ast.expr():
                is_number = True
        for child in ast.iter_child_nodes(node):
            if not (isinstance(node, ast.Call) and child is node.func):
                yield from self._named(child, is_number)

    @cached_property
    def compared(self) -> tuple[tuple[str, Any], ...]:
        """Names that are compared with a value by == or !=, and that value."""
        found = []
        for node in ast.walk(self._tree):
            if not isinstance(node, ast.Compare):
                continue
            sides = [node.left, *node.comparators]
            for op, *pair in zip(node.ops, sides[:-1], sides[1:], strict=True):
                for name, other in (pair, pair[::-1]):
                    if isinstance(op, (ast.Eq, ast.NotEq)) and isinstance(name, (ast.Name, ast.Attribute)):
                        with suppress(ValueError):  # something that is computed
                            found.append((self._name(name), ast.literal_eval(other)))
        return tuple(found)

    def holds(self, values: Mapping[str, Any]) -> Any:
        """Whether it does, of values by name, each `n`: `n`."""
        with np.errstate(all="ignore"):  # where nothing can be computed it does not hold
            return self._value(self._tree, values)

    def _value(self, node: ast.expr, values: Mapping[str, Any]) -> Any:
        match node:
            case ast.Constant(value=bool() | str() | None as value):
                return value
            case ast.Constant(value=int() | float() as number):
                return np.float64(number)  # whose quotients by 0 are no errors
            case ast.Name() | ast.Attribute():
                return values[self._name(node)]
            case ast.BoolOp(op=op, values=parts):
                both = np.logical_and if isinstance(op, ast.And) else np.logical_or
                return reduce(both, [self._value(part, values) for part in parts])
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return np.logical_not(self._value(operand, values))
            case ast.UnaryOp(op=op, operand=operand):
                return _ARITHMETIC[type(op)](self._value(operand, values))
            case ast.BinOp(left=left, op=op, right=right):
                return _ARITHMETIC[type(op)](self._value(left, values), self._value(right, values))
            case ast.Compare(left=left, ops=ops, comparators=others):
                sides = [self._value(side, values) for side in (left, *others)]
                pairs = zip(ops, sides[:-1], sides[1:], strict=True)
                return reduce(np.logical_and, [_COMPARISONS[type(op)](a, b) for op, a, b in pairs])
            case ast.Call(func=ast.Name(id=name), args=args):
                return FUNCTIONS[name](*(self._value(arg, values) for arg in args))
        raise AssertionError(f"unchecked: {ast.dump(node)}")
