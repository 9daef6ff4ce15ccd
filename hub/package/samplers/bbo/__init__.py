"""BBOSampler, as OptunaHub loads it: the package `bbo` has all of it."""

from bbo.integrations.optuna import BBOSampler, notes_of, suggest

__all__ = ["BBOSampler", "notes_of", "suggest"]
