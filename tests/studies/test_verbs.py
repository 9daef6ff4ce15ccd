"""Random sequences of a study's verbs, on every storage, against a plain model of what they mean.

The model is dicts and lists and shares no code with bbo. Two objects on one storage take turns, so that each verb meets
what the other one wrote. `BBO_SEQUENCES=10000` runs that many sequences on each storage.
"""

import copy
import io
import itertools
import math
import os
from contextlib import suppress

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from bbo.budget import Budget
from bbo.errors import AlreadyToldError, ObjectiveError, SpaceError, StudyFinished, TrialError
from bbo.objective import Minimize, OutcomeConstraint, Tracked
from bbo.space import Categorical, Float, Int, Space
from bbo.storage import open_storage
from bbo.strategies import RandomSearch
from bbo.studies.study import Study
from bbo.trial import FailureReason, Status

N_SEQUENCES = int(os.environ.get("BBO_SEQUENCES", "12"))
SPACE = Space([Float("x", 0.0, 1.0, unit="bar"), Int("n", 1, 6), Categorical("c", ["a", "b", None])])
WANTED = [Minimize("y", unit="%"), OutcomeConstraint("g", upper=1.0), Tracked("t")]
REQUIRED, METRICS = ("y", "g"), ("y", "g", "t")
STORAGES = {
    "memory": lambda folder: "memory://",
    "jsonl": lambda folder: f"{folder / 'log.jsonl'}?durability=process",
    "sqlite": lambda folder: f"{folder / 'log.db'}?durability=process",
}
names = (f"study {k}" for k in itertools.count())

# Few values, so that the same ones are told again.
numbers = st.sampled_from([0.0, 1.0, 1.5, 2.0])
measured = st.one_of(numbers, st.lists(numbers, min_size=1, max_size=3))
values = st.dictionaries(st.sampled_from(METRICS), measured, max_size=3)
wrong_values = st.sampled_from(
    [{"y": math.nan, "g": 1.0}, {"smell": 1.0}, {"y": "1", "g": 1.0}, {"y": [], "g": 0.0}, 3.0]
)
points = st.fixed_dictionaries(
    {"x": st.sampled_from([0.0, 0.25, 1.0]), "n": st.integers(1, 3), "c": st.sampled_from(["a", None])}
)
executed = st.dictionaries(st.sampled_from(["x", "n"]), st.sampled_from([0, 1, 2, 9]), max_size=2)
wrong_params = st.sampled_from([{"z": 1}, {"n": 1.5}, {"c": "ether"}, {"x": math.nan}])
costs = st.one_of(st.none(), st.sampled_from([0.0, 1.0, 2.5]))
words = st.sampled_from(["", "", "pink", "leaked"])
# A trial that there is, or the number behind the last: taken modulo so many.
which = st.integers(0, 60)
# A row filled in: some will be refused.
typed = st.fixed_dictionaries(
    {"given": values},
    optional={
        "word": st.sampled_from(["failed", "cancelled", "completed"]),
        "params": executed,
        "cost": st.sampled_from([0.0, 1.0, 2.5]),
        "note": st.sampled_from(["pink", "leaked", "pin"]),
    },
)
# No amendment leads to these values, so that each row is one experiment.
own_rows = st.fixed_dictionaries(
    {
        "params": st.fixed_dictionaries(
            {"x": st.sampled_from([0.25, 9.5]), "n": st.just(3), "c": st.sampled_from(["a", None])}
        ),
        "given": st.fixed_dictionaries(
            {"y": st.sampled_from([5.0, 6.0]), "g": st.just(0.625)}, optional={"t": numbers}
        ),
    },
    optional={"cost": st.sampled_from([1.0, 2.5]), "note": st.sampled_from(["mine", "pink"])},
)
TITLES = {"y": "y [%]", "x": "x [bar]", "word": "status"}
whole = st.fixed_dictionaries({"y": measured, "g": numbers}, optional={"t": numbers})


class RefusedError(Exception):
    """The model refuses a verb."""


def mean(value):
    return sum(value) / len(value) if isinstance(value, list) else value


def several(given):
    return {m: tuple(v) for m, v in given.items() if isinstance(v, list) and len(v) > 1}


class Model:
    """What a study should be, as dicts and lists."""

    def __init__(self):
        self.trials, self.queue, self.enqueued, self.notes, self.rankings = [], [], [], [], []
        self.attached, self.owned, self.limit = {}, {}, None

    def asked(self, params):
        return self.trials.append(
            {
                "suggested": params,
                "params": dict(params),
                "status": "running",
                "values": {},
                "singles": {},
                "cost": None,
                "told note": "",
                "remarks": [],
                "reason": None,
                "message": "",
                "reports": [],
                "is past": False,
                "end": None,
                "earlier": [],
            }
        )

    @property
    def room(self):
        counted = sum(not t["is past"] and t["status"] != "cancelled" for t in self.trials)
        return math.inf if self.limit is None else max(0, self.limit - counted)

    def find(self, k):
        if not 0 <= k < len(self.trials):
            raise RefusedError(f"no trial {k}")
        return self.trials[k]

    def keep(self, t):
        """What takes the place of something leaves it known."""
        t["earlier"].append(copy.deepcopy({key: part for key, part in t.items() if key != "earlier"}))

    def news(self, t, given, params, cost, note, *, ends=False):
        """What of a result is new; refused where a part is neither what ever stood nor may be added."""
        states, runs, means = [*t["earlier"], t], t["status"] == "running", {m: mean(v) for m, v in given.items()}
        new = {m: v for m, v in given.items() if m not in t["values"]}
        for m, v in means.items():
            single = several(given).get(m)
            same = [s for s in states if s["values"].get(m) == v and single in (None, tuple(s["singles"].get(m, ())))]
            if m not in new and not same:
                raise RefusedError("measured otherwise")
        changed = {n: v for n, v in params.items() if all(s["params"][n] != v for s in states)}
        for n in changed:
            if not runs or not (new or ends) or t["params"][n] != t["suggested"][n]:
                raise RefusedError("executed otherwise")
        cost = None if any(s["cost"] == cost for s in states) else cost
        if cost is not None and t["cost"] is not None and not runs:
            raise RefusedError("another cost")
        return new, changed, cost, "" if self.is_noted(t, note) else note

    def is_noted(self, t, note):
        lines = [[s["told note"], *s["remarks"], s["message"]] for s in [*t["earlier"], t]]
        return not note or any(note in texts for texts in lines)

    def take(self, t, new, changed, cost):
        if cost is not None and t["cost"] is not None:
            self.keep(t)
        for m, v in new.items():
            t["values"][m] = mean(v)
            t["singles"].update(several({m: v}))
        t["params"] = t["params"] | changed
        t["cost"] = t["cost"] if cost is None else cost

    def tell(self, k, given, params, cost, note, partial):
        t = self.find(k)
        if not given:
            raise RefusedError("no values")
        runs = t["status"] == "running"
        if not runs and all(s["status"] != "completed" for s in [*t["earlier"], t]):
            raise RefusedError("ended without values")
        missing = [m for m in REQUIRED if m not in t["values"] | given]
        if runs and missing and not partial:
            raise RefusedError("metrics missing")
        new, changed, cost, note = self.news(t, given, params, cost, note)
        if note and not new:
            raise RefusedError("nothing new but the note")
        in_parts = bool(t["values"]) or bool(missing) or not runs
        self.take(t, new, changed, cost)
        if note and in_parts:
            t["remarks"].append(note)
        elif note:
            t["told note"] = note
        if runs and not missing:
            t["status"], t["end"] = "completed", {"kind": "told"}

    def end(self, k, kind, message, reason, cost):
        """The first end stands; the same words again are no error."""
        t = self.find(k)
        said = {"kind": kind, "message": message, "reason": reason, "cost": cost}
        if t["status"] != "running":
            if any(t["end"].get(key) != part for key, part in said.items() if key != "cost" or part is not None):
                raise RefusedError("ended otherwise")
            return
        self.take(t, {}, {}, None if cost == t["cost"] else cost)
        t["status"], t["end"], t["message"], t["reason"] = kind, said, message, reason

    def fail(self, k, message, reason, cost):
        self.end(k, "failed", message, reason, cost)

    def cancel(self, k, message, cost):
        self.end(k, "cancelled", message, None, cost)

    def tell_row(self, k, given, params, cost, note, word, pending):
        """A row of a table, against what was pending before; whether it gave results."""
        t = self.find(k)
        states, runs = [*t["earlier"], t], t["status"] == "running"
        params = {n: v for n, v in params.items() if v != t["suggested"][n] or any(s["params"][n] == v for s in states)}
        if runs and any(all(s["params"][n] != v for s in states) for n, v in params.items()):
            there = t["params"] | params
            if any(p == there for other, p in pending.items() if other != k):
                raise RefusedError("conditions of another trial")
        if not runs:
            if word and all(s["status"] != word for s in states):
                raise RefusedError("ended otherwise")
            new, _, cost, note = self.news(t, given, params, cost, note)
            if new and all(s["status"] != "completed" for s in states):
                raise RefusedError("ended without values")
            self.take(t, new, {}, cost)
            t["remarks"] += [note] if note else []
        elif word in ("failed", "cancelled"):
            new, changed, cost, _ = self.news(t, given, params, cost, "", ends=True)
            if new:
                raise RefusedError("values of what has none")
            self.take(t, {}, changed, None)
            self.end(k, word, note, "invalid" if word == "failed" else None, cost)
        elif not given and not word:
            _, changed, cost, note = self.news(t, given, params, cost, note, ends=not t["values"])
            if not t["values"] and (changed or cost is not None):
                raise RefusedError("conditions or a cost without results")
            self.take(t, {}, {}, cost)
            t["remarks"] += [note] if note else []
        else:
            if not given.keys() - t["values"].keys() and not self.is_noted(t, note):
                t["remarks"].append(note)
            self.tell(k, given, params, cost, note, partial=word is None)
            return True
        return False

    def own(self, params, given, cost, note, pending):
        """A row without a number: known again by its conditions and results."""
        key = tuple(sorted(params.items(), key=str)), mean(given["y"]), mean(given["g"])
        if key in self.owned:
            self.tell_row(
                self.owned[key], given, {n: v for n, v in params.items() if v is not None}, cost, note, None, {}
            )
            return
        if params in pending.values():
            raise RefusedError("conditions of a pending trial")
        self.owned[key] = len(self.trials)
        self.past(params, given, cost, note)

    def past(self, params, given, cost, note):
        self.asked(params)
        t = self.trials[-1]
        t |= {"is past": True, "status": "completed", "cost": cost, "told note": note}
        t |= {"values": {m: mean(v) for m, v in given.items()}, "singles": several(given), "end": {"kind": "past"}}

    def report(self, k, value, step):
        t = self.find(k)
        if t["status"] != "running":
            raise RefusedError("not running")
        for there_step, there in t["reports"]:
            if there_step == step:
                if there != value:
                    raise RefusedError("reported otherwise")
                return
        t["reports"].append((step, value))

    def amend(self, k, given, params, cost, note, status, why):
        t = self.find(k)
        means = {m: mean(v) for m, v in (given or {}).items()}
        if t["status"] == "running" and (status or not t["values"] or any(m not in t["values"] for m in means)):
            raise RefusedError("nothing to amend yet")
        if not means and not params and cost is None and note is None and status is None:
            raise RefusedError("amend what")
        if not why.strip():
            raise RefusedError("why")
        becomes = status or t["status"]
        if becomes == "completed" and any(m not in t["values"] | means for m in REQUIRED):
            raise RefusedError("metrics missing")
        if becomes in ("failed", "cancelled") and means and status is None:
            raise RefusedError("values without a status")
        self.keep(t)
        for m, v in (given or {}).items():
            t["values"][m] = mean(v)
            t["singles"].pop(m, None)
            t["singles"].update(several({m: v}))
        t["params"] = t["params"] | (params or {})
        t["cost"] = t["cost"] if cost is None else cost
        t["told note"] = t["told note"] if note is None else note
        if status:
            t["status"] = status
            t["reason"] = "invalid" if status == "failed" else None
            t["message"] = "" if status == "completed" else why

    def attach(self, rows):
        """Equal rows are told apart by their count."""
        new = 0
        for row, count in rows:
            if (row, count) not in self.attached:
                params, given = dict(row[0]), {m: list(v) if isinstance(v, tuple) else v for m, v in row[1]}
                self.attached[row, count] = len(self.trials)
                self.past(params, given, None, "")
                new += 1
        return new

    def shown(self):
        return [
            (
                k,
                t["status"],
                t["params"],
                None if t["is past"] or t["suggested"] == t["params"] else t["suggested"],
                t["values"],
                t["singles"],
                t["cost"],
                "\n".join([*([t["told note"]] if t["told note"] else []), *t["remarks"]]),
                t["reason"],
                t["message"],
                t["reports"],
            )
            for k, t in enumerate(self.trials)
        ]


def shown(trials):
    return [
        (
            t.number,
            t.status.value,
            t.params,
            t.suggested,
            dict(t.values),
            dict(t.replicates),
            t.cost,
            t.note,
            None if t.reason is None else t.reason.value,
            t.message,
            [(r.step, r.values["y"]) for r in t.reports],
        )
        for t in trials
    ]


def counted(rows):
    """Rows of past data with the count of each among its equals."""
    seen = {}
    for params, by_metric in rows:
        told = {m: tuple(v) if isinstance(v, list) else v for m, v in by_metric.items()}
        key = tuple(sorted(params.items())), tuple(sorted(told.items()))
        seen[key] = seen.get(key, -1) + 1
        yield key, seen[key]


class Verbs(RuleBasedStateMachine):
    storage = None

    @initialize()
    def begin(self):
        self.name = next(names)
        self.model, self.sheets = Model(), []
        options = {"strategy": RandomSearch(), "storage": self.storage, "name": self.name, "seed": 11}
        self.studies = [Study(SPACE, WANTED, **options), Study(SPACE, WANTED, **options)]
        self.ask(3, ({}, {}), shared=False)

    def at(self, k):
        return k % (len(self.model.trials) + 1)

    @property
    def study(self):
        """One of the two, in turn."""
        self.studies.reverse()
        return self.studies[0]

    def log(self):
        return self.storage.events(self.name)

    def both(self, verb, expected, errors=(ObjectiveError, SpaceError, TrialError)):
        """The study does what the model does; where the model refuses, it raises and the log is as before."""
        model, before = copy.deepcopy(self.model), self.log()
        try:
            result = expected()
        except RefusedError:
            self.model = model
            with pytest.raises(errors):
                verb(self.study)
            assert self.log() == before
            return None
        return result, verb(self.study)

    @rule(
        n=st.integers(1, 3),
        given=st.sampled_from(
            [({}, {}), ({}, {}), ({"n": 2}, {}), ({"c": None}, {}), ({}, {"n": 2}), ({"c": None}, {"n": 3})]
        ),
        shared=st.booleans(),
    )
    def ask(self, n, given, shared):
        room, study, (fixed, context) = self.model.room, self.study, given
        if room == 0:
            with pytest.raises(StudyFinished):
                study.ask(n, fixed=fixed, context=context)
            return
        trials = study.ask(n, fixed=fixed, context=context, shared=["n"] if shared else [])
        assert len(trials) == min(n, room)
        fixed = {**fixed, **context}
        waiting = [p for p in self.model.queue if all(p[name] == v for name, v in fixed.items())]
        if shared:
            waiting = waiting[:1] + [p for p in waiting[1:] if p["n"] == waiting[0]["n"]]
            assert len({t["n"] for t in trials}) == 1
        given = [t.params for t in trials if t.notes["by"] == "enqueued"]
        assert given == waiting[: len(trials)]
        for trial in trials:
            assert all(trial[name] == value for name, value in fixed.items())
            assert trial.params in SPACE
            if trial.params in given:
                self.model.queue.remove(trial.params)
            self.model.asked(trial.params)

    @rule(k=which, given=whole, params=executed, cost=costs, note=words)
    def tell(self, k, given, params, cost, note):
        self.tell_part(k, given, params, cost, note, partial=False)

    @rule(k=which, given=values, params=executed, cost=costs, note=words, partial=st.booleans())
    def tell_part(self, k, given, params, cost, note, partial):
        k = self.at(k)
        options = {"params": params, "cost": cost, "note": note, "partial": partial}
        self.both(lambda s: s.tell(k, given, **options), lambda: self.model.tell(k, given, **options))

    @rule(k=which, given=wrong_values, params=wrong_params, partial=st.booleans())
    def tell_nonsense(self, k, given, params, partial):
        k = self.at(k)
        before = self.log()
        with pytest.raises((ObjectiveError, TrialError)):
            self.study.tell(k, given, partial=partial)
        with pytest.raises((SpaceError, TrialError)):
            self.study.tell(k, {"y": 1.0, "g": 0.0}, params=params)
        assert self.log() == before

    @rule(k=which, message=words, reason=st.sampled_from(["invalid", "timeout"]), cost=costs)
    def fail(self, k, message, reason, cost):
        k, options = self.at(k), {"reason": FailureReason(reason), "cost": cost}
        self.both(lambda s: s.fail(k, message, **options), lambda: self.model.fail(k, message, reason, cost))

    @rule(k=which, message=words, cost=costs)
    def cancel(self, k, message, cost):
        k = self.at(k)
        self.both(lambda s: s.cancel(k, message, cost=cost), lambda: self.model.cancel(k, message, cost))

    @rule(k=which, value=numbers, step=st.integers(0, 2))
    def report(self, k, value, step):
        k = self.at(k)
        self.both(lambda s: s.report(k, {"y": value}, step), lambda: self.model.report(k, value, step))

    @rule(
        k=which,
        given=st.one_of(st.none(), values),
        params=st.one_of(st.none(), executed),
        cost=costs,
        note=st.one_of(st.none(), words),
        status=st.sampled_from([None, None, "completed", "failed", "cancelled"]),
        why=st.sampled_from(["typo", "typo", " "]),
    )
    def amend(self, k, given, params, cost, note, status, why):
        k = self.at(k)
        options = {"params": params, "cost": cost, "note": note, "why": why}
        as_status = None if status is None else Status(status)
        self.both(
            lambda s: s.amend(k, given, status=as_status, **options),
            lambda: self.model.amend(k, given, status=status, **options),
        )

    @rule(text=st.sampled_from(["pink", "lamp replaced", "", "  "]), k=st.one_of(st.none(), which))
    def note(self, text, k):
        k = None if k is None else self.at(k)

        def expected():
            remarks = self.model.notes if k is None else self.model.find(k)["remarks"]
            if not text.strip():
                raise RefusedError("no text")
            remarks.append(text)

        self.both(lambda s: s.note(text, k), expected)

    @rule(groups=st.lists(st.one_of(which, st.lists(which, max_size=2)), max_size=3))
    def rank(self, groups):
        groups = [[self.at(k) for k in g] if isinstance(g, list) else self.at(g) for g in groups]

        def expected():
            listed = [g if isinstance(g, list) else [g] for g in groups]
            everyone = [k for group in listed for k in group]
            for k in everyone:
                self.model.find(k)
            if len(listed) < 2 or [] in listed or len(set(everyone)) < len(everyone):
                raise RefusedError("no ranking")
            self.model.rankings.append(tuple(map(tuple, listed)))

        self.both(lambda s: s.rank(groups), expected)

    @rule(point=points)
    def enqueue(self, point):
        self.study.enqueue(point)
        if point not in self.model.enqueued:
            self.model.enqueued.append(point)
            self.model.queue.append(point)

    @rule(rows=st.lists(st.tuples(points, st.fixed_dictionaries({"y": measured, "g": numbers})), max_size=3))
    def add(self, rows):
        frame = pd.DataFrame([p | v for p, v in rows], columns=["x", "n", "c", "y", "g"])
        rows = [(p, {m: v[0] if isinstance(v, list) and len(v) == 1 else v for m, v in g.items()}) for p, g in rows]
        before = len(self.model.trials)
        assert self.study.add(frame) == self.model.attach(counted(rows)) == len(self.model.trials) - before

    @rule(limit=st.one_of(st.none(), st.integers(1, 12)))
    def set_budget(self, limit):
        self.study.set_budget(Budget(trials=limit))
        self.model.limit = limit

    @rule(
        by_hand=st.dictionaries(st.integers(0, 9), typed, max_size=3),
        own=st.lists(own_rows, max_size=2),
        as_text=st.booleans(),
        has_own=st.booleans(),
    )
    def tell_frame(self, by_hand, own, as_text, has_own):
        """What waits is printed, filled in, rows of one's own below, and read again: typed values, or a CSV's text."""
        frame = self.study.pending_frame()
        waiting = [k for k, t in enumerate(self.model.trials) if t["status"] == "running"]
        assert [int(k) for k in frame["trial"]] == waiting
        pending = {k: dict(self.model.trials[k]["params"]) for k in waiting}
        rows = {k: by_hand.get(k, {"given": {}}) for k in waiting}
        own = own if has_own else []
        frame = pd.concat([frame, pd.DataFrame(index=range(len(own)))], ignore_index=True).astype(object)
        for place, row in enumerate([*rows.values(), *own]):
            cells = {name: row[name] for name in ("word", "cost", "note") if name in row} | row.get("params", {})
            for name, value in (cells | row["given"]).items():
                frame.loc[place, TITLES.get(name, name)] = (
                    "; ".join(map(str, value)) if isinstance(value, list) else value
                )
        if as_text:
            frame = pd.read_csv(io.StringIO(frame.to_csv(index=False)), dtype=str, keep_default_na=False)

        def expected():
            told, seen = set(), []
            for k, row in rows.items():
                t = self.model.trials[k]
                given = {m: list(t["singles"].get(m, ())) or v for m, v in t["values"].items()} | row["given"]
                params = {n: v for n, v in (t["params"] | row.get("params", {})).items() if v is not None}
                cost, note = row.get("cost", t["cost"]), row.get("note", "")
                if self.model.tell_row(k, given, params, cost, note, row.get("word"), pending):
                    told.add(k)
            for row in own:
                same = row["params"], row["given"]["y"]
                if same in seen:
                    raise RefusedError("a row stands twice")
                seen.append(same)
                left = {k: p for k, p in pending.items() if k not in told}
                self.model.own(row["params"], row["given"], row.get("cost"), row.get("note", ""), left)
            return True

        if self.both(lambda s: s.tell_frame(frame), expected):
            self.sheets.append(frame)

    @rule()
    def tell_every_sheet_again(self):
        """Tables as they were typed change nothing, whatever was told, amended, failed or noted since."""
        before = self.log()
        for frame in self.sheets:
            self.study.tell_frame(frame)
        assert self.log() == before

    @rule()
    def tell_everything_again(self):
        """A frame of the whole study changes nothing, whatever was amended."""
        before = self.log()
        self.study.tell_frame(self.study.frame())
        assert self.log() == before

    @rule()
    def reload(self):
        self.studies[0] = Study.load(self.storage, self.name)

    @invariant()
    def the_study_is_what_the_model_says(self):
        if not hasattr(self, "studies"):
            return
        for study in self.studies:
            assert shown(study.trials) == self.model.shown()
        study = self.studies[0]
        assert study.notes == self.model.notes
        assert study.history.rankings == tuple(self.model.rankings)
        completed = [t["status"] == "completed" for t in self.model.trials]
        assert study.history.is_completed.tolist() == completed
        good = [t["values"]["y"] for t in self.model.trials if t["status"] == "completed" and t["values"]["g"] <= 1.0]
        assert (None if study.best is None else study.best.values["y"]) == min(good, default=None)


def run_sequences(storage):
    machine = type("Verbs", (Verbs,), {"storage": storage})
    chosen = settings(
        max_examples=N_SEQUENCES,
        stateful_step_count=40,
        deadline=None,
        phases=[Phase.generate],  # shrinking such sequences takes minutes and gains little
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(machine, settings=chosen)
    finally:
        storage.close()


@pytest.mark.parametrize("form", STORAGES)
def test_any_sequence_of_verbs_gives_what_a_plain_model_says(form, tmp_path):
    run_sequences(open_storage(STORAGES[form](tmp_path)))


def test_any_sequence_of_verbs_on_postgresql_gives_what_a_plain_model_says(fresh_postgres_url):
    run_sequences(open_storage(fresh_postgres_url))


# Tables of anything.

titles = st.one_of(
    st.sampled_from(
        ["trial", "x", "x [bar]", "X (K)", "n", "c", "y", "y [%]", "g", "t", "cost", "trial_cost", "status", "note", ""]
    ),
    st.text(max_size=4),
    st.none(),
    st.integers(0, 3),
)
cells = st.one_of(
    st.none(),
    st.sampled_from([0, 1, 2, "0", "1", "0.5", "a", "81; 83", "failed", "completed", "", " ", "nan", pd.NA, pd.NaT]),
    st.floats(),
    st.integers(),
    st.booleans(),
    st.text(max_size=5),
    st.dates(),
    st.lists(st.floats(), max_size=2),
)


@settings(max_examples=10 * N_SEQUENCES, suppress_health_check=list(HealthCheck))
@given(data=st.data(), header=st.lists(titles, max_size=6), n=st.integers(0, 3))
def test_a_table_of_anything_is_told_whole_or_refused_in_words(data, header, n):
    study = Study(SPACE, WANTED, strategy=RandomSearch(), seed=1)
    study.ask(3)
    study.tell(2, {"y": 1.0, "g": 0.0})
    rows = [[data.draw(cells) for _ in header] for _ in range(n)]
    frame = pd.DataFrame(rows, columns=pd.Index(header, dtype=object), dtype=object)
    for verb in (study.tell_frame, study.add):
        before = study.storage.events(study.name)
        try:
            verb(frame)
        except (SpaceError, ObjectiveError, TrialError):
            assert study.storage.events(study.name) == before
            continue
        with suppress(AlreadyToldError):  # a number stood for the trial that an own row became
            after = study.storage.events(study.name)
            verb(frame)
            assert study.storage.events(study.name) == after
