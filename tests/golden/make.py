"""How the golden logs are made: `python -m tests.golden.make v4` wrote v4.jsonl and v4.db, once, as v1 to v3 before.

A later form of an event adds a log beside them; these stay as they are. What an earlier version wrote in another form
is not to be had by this one: v1 stands here for what is in it.
"""

import sys
from contextlib import suppress
from pathlib import Path

import pandas as pd

from bbo import Categorical, Float, Int, Minimize, Ordinal, OutcomeConstraint, Space, Study, Tracked
from bbo.budget import Budget
from bbo.errors import StudyFinished
from bbo.events import event
from bbo.space import Forbidden, Linear, Nonlinear, Permutation, Pool, Simplex
from bbo.storage import copy_study, open_storage
from bbo.strategies import RandomSearch, SobolSearch
from bbo.trial import FailureReason, Status

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


def make_v1(where):
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


UNITS = [Minimize("waste", unit="g"), OutcomeConstraint("yield", lower=0.3, upper=1.0), Tracked("colour", unit="nm")]


def make_v2(where):
    """All that a laboratory says, beside what version 1 has."""
    study = Study(SPACE, UNITS, strategy=RandomSearch(), storage=where, name="golden", seed=2026)
    past = {"temperature": 40.0, "load": 1.0, "ph": 7.0, "hours": 3, "flask": 25, "solvent": "DMF"}
    study.add(pd.DataFrame([past | {"waste": "0.5; 0.7", "yield": 0.4}]), source="notebook 7")
    study.enqueue(past | {"ph": 7.5})
    study.set_budget(Budget(trials=8, cost=100.0))
    study.run(evaluate, 2)
    batch = study.ask(6, shared=["solvent"])
    executed = {"temperature": 133.25, "ph": 7.3, "hours": 60}
    study.tell(batch[0], {"waste": [1.0, 2.0, 6.0], "yield": 0.5}, params=executed, cost=2.5, note="second lamp")
    study.report(batch[1], {"waste": 1.5}, 3)
    study.tell(batch[1], {"waste": 0.25}, sd={"waste": 0.01}, note="HPLC tomorrow", partial=True)
    study.tell(batch[1], {"yield": [0.3, 0.5]}, cost=1.0)
    study.fail(batch[2], "leaked", cost=3.0)
    row = {"trial": batch[3].number, "hours": 60, "status": "cancelled", "note": "out of DMF", "cost": 0.5}
    study.tell_frame(pd.DataFrame([row]))
    study.tell(batch[4], {"colour": 410.0}, partial=True)
    own = {"waste": 3.0, "yield": 0.9, "note": "mine", "cost": 2.0}
    study.tell_frame(pd.DataFrame([past | {"trial": None, "ph": 8.0} | own, {"trial": batch[4].number, "waste": 9.0}]))
    study.amend(batch[0], {"waste": 2.0}, params={"hours": 50}, note="third lamp", why="typo")
    study.amend(batch[2], {"waste": 4.0, "yield": 0.1}, status=Status.COMPLETED, why="leaked afterwards only")
    study.amend(0, status=Status.CANCELLED, why="wrong bottle")
    study.note("lamp replaced")
    study.note("pink foam", batch[0])
    study.rank([batch[1], [batch[0], batch[2]]])
    with suppress(StudyFinished):
        for _ in range(3):
            study.ask()
    study.set_budget(Budget(trials=12))
    _left_behind(study)
    trial = study.ask()
    lost = {"attempt": 1, "worker": True, "message": "BrokenProcessPool()", "output": "first lines"}
    study.storage.append("golden", [event("lost", f"lost/{trial.number}/1", lost, trial=trial.number)])
    Study.load(where, "golden", strategy=SobolSearch()).run(evaluate, 11)
    study.close()


def make_v3(where):
    """Asks in contexts, beside what version 2 has."""
    study = Study(SPACE, UNITS, strategy=RandomSearch(), storage=where, name="golden", seed=2026)
    study.ask()
    waiting = {"temperature": 40.0, "load": 5.0, "ph": 7.5, "hours": 3, "flask": 25, "solvent": "DMF"}
    study.enqueue(waiting)
    study.enqueue(waiting | {"solvent": "water"})
    for trial in study.ask(3, context={"solvent": "DMF"}, fixed={"flask": 25}, shared=["hours"]):
        study.tell(trial, evaluate(trial), cost=1.0)
    Study.load(where, "golden", strategy=SobolSearch()).ask(2, context={"solvent": None, "ph": 7.0})
    study.close()


def make_v4(where):
    """Past data that failed, beside what version 3 has."""
    study = Study(SPACE, UNITS, strategy=RandomSearch(), storage=where, name="golden", seed=2026)
    past = {"temperature": 40.0, "load": 1.0, "ph": 7.0, "hours": 3, "flask": 25, "solvent": "DMF"}
    failed = past | {"temperature": 130.0, "status": "failed", "note": "it boiled"}
    study.add(pd.DataFrame([past | {"waste": 0.5, "yield": 0.4}, failed, failed]), source="notebook 8")
    study.tell(study.ask(), {"waste": 1.0, "yield": 0.5})
    study.amend(2, {"waste": 2.0, "yield": 0.1}, status=Status.COMPLETED, why="measured the rest")
    study.ask()
    study.close()


WIDE = Space(
    [
        Simplex("mix", ["sand", "lime", "clay"], total=100.0, upper={"clay": 60.0}, max_parts=2, unit="g"),
        Permutation("steps", ["mix", "press", "dry"]),
        Categorical("kiln", ["gas", "none"]),
        Float("heat", 500.0, 900.0, when={"kiln": ["gas"]}),
        Categorical("alloy", ["a", "b", "c"], descriptors={"melting": [660.0, 1085.0, 1538.0]}),
        Int("plate", 1, 3),
    ],
    [
        Linear({"mix.sand": 1, "mix.lime": 1}, upper=90.0),
        Linear({"mix.lime": 1}, upper=120.0, between_points=True),
        Linear({"steps.mix": 1, "steps.dry": -1}, upper=-1),
        Nonlinear("heat <= 850 or mix.clay > 20"),
        Forbidden({"kiln": ["none"], "alloy": ["c"]}),
        Pool({"alloy": ["a", "b", "c", "a"], "plate": [1, 1, 2, 3], "price": [1.0, 2.0, 3.0, 4.0]}, costs="price"),
    ],
)


def make_spaces(where):
    """All that a space may have, and another space in the place of that."""
    study = Study(WIDE, Minimize("waste"), strategy=RandomSearch(), storage=where, name="golden", seed=2026)
    for trial in study.ask(4, fixed={"kiln": "gas"}):
        study.tell(trial, trial["heat"] / 900 + trial["plate"])
    by_name = {p.name: p for p in WIDE.parameters}
    narrower = [
        Simplex("mix", ["sand", "lime", "clay", "ash"], total=100.0, max_parts=2, unit="g"),
        by_name["steps"],
        Categorical("kiln", ["gas", "none", "electric"]),
        Float("heat", 600.0, 700.0, when={"kiln": ["gas"]}),
        by_name["alloy"],
        by_name["plate"],
        Float("salt", 0.5, 2.0),
    ]
    study.change_space(Space(narrower, WIDE.constraints[:1]), given={"salt": 0.0}, why="new furnace")
    for trial in study.ask(3):
        study.tell(trial, float(trial["plate"]))
    study.close()


if __name__ == "__main__":
    version = sys.argv[1]
    log = HERE / f"{version}.jsonl"
    {"v1": make_v1, "v2": make_v2, "v3": make_v3, "v4": make_v4, "spaces": make_spaces}[version](log)
    source, target = open_storage(log), open_storage(HERE / f"{version}.db")
    copy_study(source, "golden", target)
    source.close()
    target.close()
