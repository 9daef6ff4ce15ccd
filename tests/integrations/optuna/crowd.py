"""One of many processes on an Optuna study: `python crowd.py STORAGE TRIALS`, a path of a journal or a URL.

Its points are 20 x 20; it stops when the study has so many trials.
"""

import sys
import warnings

import optuna
from optuna.storages.journal import JournalFileBackend

from bbo.integrations.optuna import BBOSampler


def storage(where):
    if "://" in where:
        return optuna.storages.RDBStorage(where)
    return optuna.storages.JournalStorage(JournalFileBackend(where))


def value(trial):
    x, y = trial.suggest_int("x", 1, 20), trial.suggest_int("y", 1, 20)
    return (x - 7) ** 2 + (y - 13) ** 2 + 0.5 * x * y


def main(where, n_trials):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.load_study(study_name="crowd", storage=storage(where), sampler=BBOSampler())
    while len(study.get_trials(deepcopy=False)) < n_trials:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.optimize(value, n_trials=1)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
