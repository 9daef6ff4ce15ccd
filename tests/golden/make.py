"""How a golden log is made: `python -m tests.golden.make` wrote v1.jsonl and v1.db, once.

A later form of an event adds a log beside them; these stay as they are.
"""

from pathlib import Path

import pandas as pd

from bbo import Categorical, Float, Int, Minimize, Ordinal, OutcomeConstraint, Space, Study, Tracked
from bbo.events import event
from bbo.storage import copy_study, open_storage
from bbo.strategies import RandomSearch, SobolSearch
from bbo.trial import FailureReason

HERE = Path(__file__).parent
SPACE = Space(
    [
        Float("temperature", 20.0, 120.0, unit="degC"),
        Float("load", 1e-3, 10.0, log=True, unit="mol%"),
        Float("ph", 2.0, 12.0, step=0.5),
        Int("hours", 1, 48),
        Ordinal("flask", [10, 25, 50]),
        Categorical("solvent", ["water", "DMF", None, "größer als 1 µl"]),
    ]
)
WANTED = [Minimize("waste"), OutcomeConstraint("yield", lower=0.3, upper=1.0), Tracked("colour")]


def evaluate(trial):
    return {"waste": trial["temperature"] / 100 + trial["hours"] / 48, "yield": trial["load"] / 10, "colour": 0.5}


def make(where):
    study = Study(SPACE, WANTED, strategy=RandomSearch(), storage=where, name="golden", seed=2026)
    past = {"temperature": 40.0, "load": 1.0, "ph": 7.0, "hours": 3, "flask": 25, "solvent": "DMF"}
    study.add(pd.DataFrame([past | {"waste": 0.4625, "yield": 0.1}] * 2), source="notebook 7")
    study.enqueue(past | {"ph": 7.5})
    study.run(evaluate, 4, workers=2, order="trial")
    batch = study.ask(3, fixed={"solvent": None})
    study.tell(batch[0], evaluate(batch[0]), sd={"yield": 0.01}, cost=2.5, note="second lamp")
    study.fail(batch[1], "leaked")
    study.cancel(batch[2], "out of DMF")
    study.fail(study.ask(), "rack down", reason=FailureReason.LOST)
    study.report(study.ask(), {"waste": 1.5}, 3, cost=0.5)
    _left_behind(study)
    Study.load(where, "golden", strategy=SobolSearch()).run(evaluate, 10)
    study.close()


def _left_behind(study):
    """An ask of a run that died; the next run evaluates it again."""
    trial = study.ask()
    runner = {"study": "gone", "host": "nowhere", "pid": 1, "start": "0", "run": "0"}
    body = {"attempt": 1, "runner": runner}
    study.storage.append("golden", [event("started", f"started/{trial.number}/1", body, trial=trial.number)])


if __name__ == "__main__":
    log = HERE / "v1.jsonl"
    make(log)
    source, target = open_storage(log), open_storage(HERE / "v1.db")
    copy_study(source, "golden", target)
    source.close()
    target.close()
