"""What is known again of functions, and what is told apart."""

import functools
import math
import subprocess
import sys

import numpy as np

from bbo.fingerprints import called, fingerprint


def limited(limit):
    return lambda p: p["x"] <= limit


def with_default(p, limit=3):
    return p["x"] <= limit


class Room:
    def __init__(self, size):
        self.size = size

    def has(self, p):
        return p["x"] <= self.size

    def __call__(self, p):
        return self.has(p)


def test_lambdas_of_one_statement_are_told_apart_and_called_as_they_stand_there():
    some = [lambda p: p["x"] < 1, lambda p: "é" in p and p["y"] < 1, lambda p: (lambda q: q)(p), lambda: lambda p: p]
    some.append(some[-1]())
    assert len({fingerprint(f) for f in some}) == len(some)
    assert [called(f) for f in some] == [
        'lambda p: p["x"] < 1',
        'lambda p: "é" in p and p["y"] < 1',
        "lambda p: (lambda q: q)(p)",
        "lambda: lambda p: p",
        "lambda p: p",
    ]


def test_what_a_function_holds_is_told_apart_and_what_is_the_same_is_not():
    assert fingerprint(limited(3)) == fingerprint(limited(3)) != fingerprint(limited(4))
    assert fingerprint(limited(np.float64(3.0))) == fingerprint(limited(3.0))
    assert fingerprint(limited(np.array([1.0]))) != fingerprint(limited(np.array([2.0])))
    assert fingerprint(limited(math.inf)) != fingerprint(limited(-math.inf))
    assert fingerprint(Room(1)) == fingerprint(Room(1)) != fingerprint(Room(2))
    assert fingerprint(Room(1).has) == fingerprint(Room(1).has) != fingerprint(Room(2).has)
    part = functools.partial(with_default, limit=4)
    assert fingerprint(part) != fingerprint(functools.partial(with_default, limit=5)) != fingerprint(with_default)
    assert [called(f) for f in (with_default, part, Room(1), Room(1).has)] == ["with_default"] * 2 + ["Room", "has"]


def test_functions_without_a_source_are_told_apart_by_what_they_do():
    code = "f = lambda p: p['x'] in {1, 'a', 'b'}\ndef g(p): return p['x'] <= 1\ndef h(p): return p['x'] <= 2"
    one, another = {}, {}
    exec(code, one)
    exec(code.replace("<= 2", "<= 3"), another)
    assert fingerprint(one["f"]) == fingerprint(another["f"])
    assert fingerprint(one["g"]) == fingerprint(another["g"])
    assert fingerprint(one["h"]) != fingerprint(another["h"])
    assert called(one["f"]) == "<lambda>"
    said = [
        subprocess.run(
            [sys.executable, "-c", f"{code}\nfrom bbo.fingerprints import fingerprint\nprint(fingerprint(f))"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(3)  # sets of texts are in another order in each
    ]
    assert len(set(said)) == 1


def test_defaults_given_by_name_are_told_apart():
    def bounded(limit):
        def holds(p, *, least=limit):
            return p["x"] > least

        return holds

    assert fingerprint(bounded(0.5)) == fingerprint(bounded(0.5)) != fingerprint(bounded(0.1))
