"""Noise, failure, delay, price, motion, categories and idle parameters around a problem; what is known of it stays
known.

Each is a function of (params, fidelity, seed) alone, as the problem within is: the trial's seed decides the noise, and
the same trial evaluated again gives the same value or the same failure. They nest: `Delayed(Noisy(Branin(), sd=0.1),
seconds=2.0)`.
"""

from bbo.errors import EvaluationError
from bbo.problems.wrappers.categories import Categorized, Relabelled
from bbo.problems.wrappers.costs import Costly
from bbo.problems.wrappers.idle import Embedded
from bbo.problems.wrappers.motion import Function, Moved
from bbo.problems.wrappers.trouble import Delayed, Failing, Noisy

__all__ = [
    "Categorized",
    "Costly",
    "Delayed",
    "Embedded",
    "EvaluationError",
    "Failing",
    "Function",
    "Moved",
    "Noisy",
    "Relabelled",
]
