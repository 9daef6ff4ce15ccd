"""A study in Optuna's storage, and one of Optuna's as a study."""
