"""A branch of a model choice, and a constraint, in 30 trials."""

import optuna
import optunahub


def objective(trial: optuna.Trial) -> float:
    if trial.suggest_categorical("model", ["linear", "tree"]) == "linear":
        loss = (trial.suggest_float("alpha", -3.0, 3.0) - 1.0) ** 2
    else:
        loss = 0.3 + abs(trial.suggest_int("depth", 1, 12) - 6) / 6
    memory = trial.suggest_float("cache", 0.0, 4.0)
    trial.set_user_attr("memory", memory)
    return loss + (memory - 3.0) ** 2


def constraints(trial: optuna.trial.FrozenTrial) -> list[float]:
    return [trial.user_attrs["memory"] - 2.0]  # at most 2


if __name__ == "__main__":
    sampler = optunahub.load_module("samplers/bbo").BBOSampler(seed=0, constraints_func=constraints)
    study = optuna.create_study(sampler=sampler)
    study.optimize(objective, n_trials=30)
    print(study.best_params, study.best_value)
