"""bbo inside Optuna: `optuna.create_study(sampler=BBOSampler())`."""

from bbo.integrations.optuna.asking import suggest
from bbo.integrations.optuna.sampler import BBOSampler, notes_of

__all__ = ["BBOSampler", "notes_of", "suggest"]
