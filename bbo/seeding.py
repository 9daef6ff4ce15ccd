"""Seeds: every random number of a study descends from its seed and from what it is for, never from a clock.

`derive(seed, ASK, k)` is the seed of the k-th ask. `SeedSequence` mixes the words; see O'Neill, "Developing a seed_seq
alternative" (2015), and the numpy documentation.
"""

import secrets

import numpy as np

# What a seed is for. A number here is part of every log: append, never renumber.
ASK = 1
TRIAL = 2
FRESH = 3
FIRST_DESIGN = 4
NOISE = 5
SHARED = 6
BETWEEN = 7


def derive(seed: int, *words: int) -> int:
    """A seed of 63 bits from a seed and the words that say what it is for; all of them at least 0."""
    state = np.random.SeedSequence([seed, *words]).generate_state(1, np.uint64)[0]
    return int(state >> np.uint64(1))


def draw() -> int:
    """A seed from the operating system, for a study that was given none; it is recorded."""
    return secrets.randbits(32)


def generator(seed: int, *words: int) -> np.random.Generator:
    """A generator of its own, seeded as `derive` does."""
    return np.random.default_rng(np.random.SeedSequence([seed, *words]))
