"""How many threads the engine uses: a function of the size of the data, so that bits do not depend on the load."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

# Below this many observations the matrices are too small to gain by a second thread.
_SMALL = 256
_MOST = 4


@contextmanager
def pinned_threads(n: int) -> Iterator[None]:
    """torch's threads inside, for `n` observations; as they were, after."""
    before = torch.get_num_threads()
    torch.set_num_threads(1 if n < _SMALL else min(_MOST, os.cpu_count() or 1))
    try:
        yield
    finally:
        torch.set_num_threads(before)
