"""How many threads the engine uses: a function of the size of the data, so that bits do not depend on the load.

Threads that wait for each other cost little on an idle machine and much on a busy one: with two threads on two cores
that are busy otherwise, a suggestion at 1,000 trials took six seconds instead of a quarter of one.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

# Below this many observations the matrices gain too little by a second thread.
_SMALL = 1500
_MOST = 4
# The number is the process's: two studies that compute at once would change each other's.
_turn = threading.RLock()


@contextmanager
def pinned_threads(n: int) -> Iterator[None]:
    """torch's threads inside, for `n` observations; as they were, after. One computation at a time in a process.

    Never more than torch has outside: `OMP_NUM_THREADS` and `torch.set_num_threads` are respected.
    """
    with _turn:
        before = torch.get_num_threads()
        torch.set_num_threads(1 if n < _SMALL else min(_MOST, before))
        try:
            yield
        finally:
            torch.set_num_threads(before)
