"""bbo: Bayesian and black-box optimization.

The names below are resolved when first used, so that `import bbo` stays quick and loads no torch.
"""

import importlib
from typing import Any

_HOME = {
    "Study": "bbo.studies.study",
    "Space": "bbo.space",
    "Float": "bbo.space",
    "Int": "bbo.space",
    "Ordinal": "bbo.space",
    "Categorical": "bbo.space",
    "Maximize": "bbo.objective",
    "Minimize": "bbo.objective",
    "Target": "bbo.objective",
    "OutcomeConstraint": "bbo.objective",
    "Tracked": "bbo.objective",
    "Budget": "bbo.budget",
    "Trial": "bbo.trial",
    "Suggestion": "bbo.trial",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'bbo' has no attribute {name!r}; it offers {', '.join(__all__)}.")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
