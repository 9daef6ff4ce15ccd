"""The strategies, one algorithm a file, and the parts that they are built of.

A new one is a file here and a line in the list; a study's log names strategies and parts by these names and no others.
"""

import importlib
from typing import Any

STRATEGIES: dict[str, str] = {
    "GP": "bbo.strategies.gp",
    "ModelBased": "bbo.strategies.model_based",
    "SobolSearch": "bbo.strategies.sobol_search",
    "LatinHypercube": "bbo.strategies.latin_hypercube",
    "RandomSearch": "bbo.strategies.random_search",
    "AxClient": "bbo.strategies.ax_client",
}
PARTS: dict[str, str] = {
    "ExactGP": "bbo.surrogates.exact_gp",
    "LogNormal": "bbo.surrogates.priors",
    "Hierarchical": "bbo.surrogates.priors",
    "SAAS": "bbo.surrogates.priors",
    "log_ei": "bbo.acquisition.utilities",
    "log_pi": "bbo.acquisition.utilities",
    "UCB": "bbo.acquisition.optimism",
    "Thompson": "bbo.acquisition.optimism",
}
__all__ = ["PARTS", "STRATEGIES", *STRATEGIES]


def __getattr__(name: str) -> Any:
    if name not in STRATEGIES:
        raise AttributeError(f"bbo.strategies has no {name!r}; it offers {', '.join(STRATEGIES)}.")
    value = getattr(importlib.import_module(STRATEGIES[name]), name)
    globals()[name] = value
    return value
