"""Corpora of characters, each by a grammar of its own; what a grammar allows next, and how likely, is known.

A grammar takes uniform numbers and gives characters, each with its probability given those before it. A model cannot in
the mean lose less than minus the logarithm of these: what it loses above is what it has not learnt.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice

import numpy as np
from numpy.typing import NDArray

ALPHABET = "|0123456789abcdefgh()[]+=>;"
"""Every sequence begins with the first character, which no grammar gives."""
LENGTH = 32
N_TRAIN, N_TEST = 1024, 64
_LETTERS = "abcdefgh"

Drawn = Iterator[tuple[str, float]]


def _pick(u: float, probabilities: Sequence[float]) -> int:
    """The choice that a uniform number makes."""
    for k, p in enumerate(probabilities):
        u -= p
        if u < 0:
            return k
    return len(probabilities) - 1


@cache
def _transitions(n: int, order: int) -> list[list[float]]:
    """How likely each of `n` letters follows each word of `order` letters: few do often."""
    rows: list[list[float]] = np.random.default_rng(order).dirichlet(np.full(n, 0.3), n**order).tolist()
    return rows


def _chain(n: int, order: int, uniform: Callable[[], float]) -> Drawn:
    word = 0
    for _ in range(order):
        letter = int(uniform() * n)
        word = word * n + letter
        yield _LETTERS[letter], 1 / n
    while True:
        row = _transitions(n, order)[word]
        letter = _pick(uniform(), row)
        yield _LETTERS[letter], row[letter]
        word = (word * n + letter) % n**order


def chain(uniform: Callable[[], float]) -> Drawn:
    """Eight letters, each by the one before it."""
    return _chain(8, 1, uniform)


def chain_of_two(uniform: Callable[[], float]) -> Drawn:
    """Four letters, each by the two before it."""
    return _chain(4, 2, uniform)


def brackets(uniform: Callable[[], float]) -> Drawn:
    """Brackets of two kinds, opened and closed evenly often, at most six deep."""
    stack: list[int] = []
    while True:
        opens = [0.5, 0.5] if not stack else [0.25, 0.25] if len(stack) < 6 else [0.0, 0.0]
        kind = _pick(uniform(), [*opens, 1 - sum(opens)])
        if kind < 2:
            stack.append(kind)
            yield "(["[kind], opens[kind]
        else:
            yield ")]"[stack.pop()], 1 - sum(opens)


def sums(uniform: Callable[[], float]) -> Drawn:
    """Sums of two digits, `7+5=12;`."""
    while True:
        a, b = int(uniform() * 10), int(uniform() * 10)
        yield str(a), 0.1
        yield "+", 1.0
        yield str(b), 0.1
        for character in f"={a + b:02};":
            yield character, 1.0


def _repeated(sign: str, turn: int, uniform: Callable[[], float]) -> Drawn:
    while True:
        word = [_LETTERS[int(uniform() * len(_LETTERS))] for _ in range(4)]
        for letter in word:
            yield letter, 1 / len(_LETTERS)
        for character in [sign, *word[::turn], ";"]:
            yield character, 1.0


def copies(uniform: Callable[[], float]) -> Drawn:
    """Words of four letters and once more, `hcaa=hcaa;`."""
    return _repeated("=", 1, uniform)


def reversals(uniform: Callable[[], float]) -> Drawn:
    """Words of four letters and backwards, `hcaa>aach;`."""
    return _repeated(">", -1, uniform)


GRAMMARS: dict[str, Callable[[Callable[[], float]], Drawn]] = {
    "chain": chain,
    "chain_of_two": chain_of_two,
    "brackets": brackets,
    "sums": sums,
    "copies": copies,
    "reversals": reversals,
}


@dataclass(frozen=True)
class Corpus:
    """Sequences of one grammar.

    Args:
        train, test: positions in the alphabet, `N_TRAIN x (1 + LENGTH)` and `N_TEST x (1 + LENGTH)`.
        entropy: of the sequences to test on, in nats a character.
    """

    train: NDArray[np.int64]
    test: NDArray[np.int64]
    entropy: float


@cache
def corpus(name: str) -> Corpus:
    """The sequences of that grammar, always the same."""
    rng = np.random.default_rng([7, list(GRAMMARS).index(name)])
    uniform = iter(rng.random((N_TRAIN + N_TEST) * LENGTH * 2).tolist()).__next__
    drawn = [list(islice(GRAMMARS[name](uniform), LENGTH)) for _ in range(N_TRAIN + N_TEST)]
    tokens = np.array([[0, *(ALPHABET.index(character) for character, _ in sequence)] for sequence in drawn])
    surprise = [-math.log(p) for sequence in drawn[N_TRAIN:] for _, p in sequence]
    return Corpus(tokens[:N_TRAIN], tokens[N_TRAIN:], float(np.mean(surprise)))
