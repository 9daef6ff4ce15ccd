"""What a strategy's model expects, asked for figures at as many points as they need."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.stats import qmc

from bbo.errors import StrategyError
from bbo.history import History
from bbo.plots.columns import Values
from bbo.protocols import Prediction, Strategy
from bbo.space import Params

# A curve has so many points; a parameter with fewer levels has one for each.
_N_GRID = 61


def expected(history: History, strategy: Strategy, U: Values) -> Prediction:
    """At positions `U` of the cube, `n x dim`: means and standard deviations by metric, without noise.

    Raises:
        StrategyError: the strategy has no model, or too few trials are completed for it.
    """
    predict: Callable[[History, Sequence[Params]], Prediction] = _offered(strategy, "predict", "to draw")
    return predict(history, history.space.decode(U))


def left_out(history: History, strategy: Strategy) -> Prediction:
    """Of each completed trial from all others: means and standard deviations by metric, noise included.

    Raises:
        StrategyError: the strategy has no model, or one that cannot leave trials out, or too few trials are completed.
    """
    leave_one_out: Callable[[History], Prediction] = _offered(strategy, "leave_one_out", "to leave trials out of")
    return leave_one_out(history)


def grid(p: Any, n: int = _N_GRID) -> Values:
    """Positions along a parameter: of its levels, or of `n` values where it has more of them or is a continuum."""
    if p.n_levels is not None and p.n_levels <= n:
        centres: Values = p.centres()
        return centres
    return np.linspace(0.0, 1.0, n)


def scattered(dim: int, n: int, seed: int) -> Values:
    """`n` points, a power of 2, of a scrambled Sobol sequence, `n x dim`: spread evenly over levels and ranges."""
    return np.asarray(qmc.Sobol(dim, scramble=True, rng=np.random.default_rng(seed)).random(n))


def _offered(strategy: Strategy, method: str, purpose: str) -> Any:
    found = getattr(strategy, method, None)
    if found is None:
        raise StrategyError(
            f"{type(strategy).__name__} has no model {purpose}. GP() has one and reads the same trials: pass that."
        )
    return found
