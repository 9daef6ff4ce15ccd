"""A pool of a million rows: how long a suggestion takes, and how many rows are worth more than the one suggested."""

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from quality_runs import peak_mb
from spaces_molecules import Watched

from bbo import Study
from bbo.objective import Minimize
from bbo.space import Float, Pool, Space
from bbo.strategies import ModelBased

N_ROWS, N_TOLD, N_ASKED = 1_000_000, 100, 5
_D = 10
_AT_ONCE = 2048


@dataclass(frozen=True)
class Asked:
    """What asking for rows of a pool gave.

    Args:
        seconds_of_space: of CPU, for reading the table; one thread.
        seconds: of CPU, of each ask.
        peak_mb: the most memory of the process.
        better: of each ask, how many rows have a larger acquisition than the row suggested.
    """

    seconds_of_space: float
    seconds: list[float]
    peak_mb: int | None
    better: list[int]


def cost(X: np.ndarray) -> np.ndarray:
    """Of rows `n x 10`: a bowl with waves."""
    return np.square(X - 0.3 - 0.03 * np.arange(_D)).sum(1) + 0.3 * np.sin(8 * X[:, 0]) * np.cos(7 * X[:, 1])


def asked_of_pool(seed: int, n_rows: int = N_ROWS) -> Asked:
    """Single suggestions after 100 rows at random."""
    rng = np.random.default_rng([seed, 6])
    names = [f"x{k}" for k in range(_D)]
    table = pd.DataFrame(rng.random((n_rows, _D)), columns=names)
    began = time.process_time()
    space = Space([Float(name, 0.0, 1.0) for name in names], [Pool(table)])
    space.sample(1, rng)
    seconds_of_space = time.process_time() - began
    study = Study(space, Minimize("cost"), strategy=ModelBased(acquisition=Watched()), seed=seed)
    told = table.iloc[rng.choice(n_rows, N_TOLD, replace=False)]
    study.add(told.assign(cost=cost(told.to_numpy())))
    seconds, better = [], []
    everything = torch.tensor(table.to_numpy(), dtype=torch.float64)
    for _ in range(N_ASKED):
        Watched.judges.clear()
        began = time.process_time()
        trial = study.ask()
        seconds.append(time.process_time() - began)
        judge = Watched.judges[-1]
        x = torch.tensor([[trial[name] for name in names]], dtype=torch.float64)
        with torch.no_grad():
            worth = torch.cat([judge(part) for part in torch.split(everything, _AT_ONCE)])
            better.append(int((worth > judge(x)[0] + 1e-9).sum()))
        study.tell(trial, float(cost(x.numpy())[0]))
    return Asked(seconds_of_space, seconds, peak_mb("self"), better)
