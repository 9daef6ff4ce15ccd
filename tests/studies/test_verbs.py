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
        self.attached, self.limit = {}, None

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
                "was": None,
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

    def end(self, t, kind, **said):
        """The first end stands; the same words again are no error."""
        if t["status"] == "running":
            t["status"], t["end"] = {"told": "completed"}.get(kind, kind), {"kind": kind} | said
            return True
        there = t["end"]
        if there["kind"] != kind or (t["is past"] and kind != "told"):
            raise RefusedError("ended otherwise")
        for key, new in said.items():
            old = there.get(key)
            if isinstance(new, dict):
                if any(old.get(k) != v for k, v in new.items()):
                    raise RefusedError(f"other {key}")
            elif key in ("message", "reason"):
                if new != old:
                    raise RefusedError(f"other {key}")
            elif new not in (None, "") and new != old:
                raise RefusedError(f"other {key}")
        return False

    def tell(self, k, given, params, cost, note, partial):
        t = self.find(k)
        means = {m: mean(v) for m, v in given.items()}
        if not means:
            raise RefusedError("no values")
        changed = {n: v for n, v in params.items() if v != t["suggested"][n]}
        if t["status"] != "running":
            if t["end"]["kind"] == "told" and any(t["was"]["params"][n] != v for n, v in params.items()):
                raise RefusedError("executed otherwise")
            self.end(t, "told", values=means, singles=several(given), cost=cost, note=note)
            return
        whole = t["values"] | means
        missing = [m for m in REQUIRED if m not in whole]
        if missing and not partial:
            raise RefusedError("metrics missing")
        new = [m for m in means if m not in t["values"]]
        in_parts = bool(t["values"]) or bool(missing)
        if in_parts:
            if any(t["values"].get(m, v) != v for m, v in means.items()):
                raise RefusedError("measured otherwise")
            for n, v in params.items():
                was_executed = t["params"][n] != t["suggested"][n]
                if v != t["params"][n] and (was_executed or not new):
                    raise RefusedError("executed otherwise")
            if not new and cost is not None and cost != t["cost"]:
                raise RefusedError("nothing new but the cost")
            if not new and note and note not in "\n".join([t["told note"], *t["remarks"]]):
                raise RefusedError("nothing new but the note")
        for m in new:
            t["values"][m] = means[m]
            t["singles"].update({k: v for k, v in several(given).items() if k == m})
        if new:
            t["params"] = t["params"] | changed
            t["cost"] = t["cost"] if cost is None else cost
            if note and in_parts:
                t["remarks"].append(note)
            elif note:
                t["told note"] = note
        if not missing:
            said = {"values": dict(t["values"]), "singles": dict(t["singles"]), "cost": t["cost"]}
            self.end(t, "told", note="" if in_parts else note, **said)
            t["was"] = copy.deepcopy({key: t[key] for key in ("params", "values", "cost")})

    def fail(self, k, message, reason):
        t = self.find(k)
        if self.end(t, "failed", message=message, reason=reason):
            t["reason"], t["message"] = reason, message
            t["was"] = copy.deepcopy({key: t[key] for key in ("params", "values", "cost")})

    def cancel(self, k, message):
        t = self.find(k)
        if self.end(t, "cancelled", message=message):
            t["message"] = message
            t["was"] = copy.deepcopy({key: t[key] for key in ("params", "values", "cost")})

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
                self.asked(params)
                t = self.trials[-1]
                means = {m: mean(v) for m, v in given.items()}
                t |= {"is past": True, "values": means, "singles": several(given), "status": "completed"}
                t["end"] = {"kind": "told", "values": dict(means), "singles": several(given), "cost": None, "note": ""}
                t["was"] = copy.deepcopy({key: t[key] for key in ("params", "values", "cost")})
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
        self.model = Model()
        options = {"strategy": RandomSearch(), "storage": self.storage, "name": self.name, "seed": 11}
        self.studies = [Study(SPACE, WANTED, **options), Study(SPACE, WANTED, **options)]
        self.ask(3, {}, shared=False)

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

    @rule(n=st.integers(1, 3), fixed=st.sampled_from([{}, {}, {"n": 2}, {"c": None}]), shared=st.booleans())
    def ask(self, n, fixed, shared):
        room, study = self.model.room, self.study
        if room == 0:
            with pytest.raises(StudyFinished):
                study.ask(n, fixed=fixed)
            return
        trials = study.ask(n, fixed=fixed, shared=["n"] if shared else [])
        assert len(trials) == min(n, room)
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

    @rule(k=which, message=words, reason=st.sampled_from(["invalid", "timeout"]))
    def fail(self, k, message, reason):
        k = self.at(k)
        reasons = FailureReason(reason)
        self.both(lambda s: s.fail(k, message, reason=reasons), lambda: self.model.fail(k, message, reason))

    @rule(k=which, message=words)
    def cancel(self, k, message):
        k = self.at(k)
        self.both(lambda s: s.cancel(k, message), lambda: self.model.cancel(k, message))

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
        by_hand=st.dictionaries(st.integers(0, 9), values, max_size=3),
        words_of=st.dictionaries(st.integers(0, 9), st.sampled_from(["failed", "cancelled", "completed"]), max_size=1),
        as_text=st.booleans(),
    )
    def tell_frame(self, by_hand, words_of, as_text):
        """What waits is printed, filled in and read again, as typed values or as the text of a CSV."""
        frame = self.study.pending_frame()
        if as_text:
            frame = pd.read_csv(io.StringIO(frame.to_csv(index=False)), dtype=str, keep_default_na=False)
        waiting = [k for k, t in enumerate(self.model.trials) if t["status"] == "running"]
        assert [int(k) for k in frame["trial"]] == waiting
        filled = {}
        for row, k in enumerate(waiting):
            given = by_hand.get(k, {})
            for m, v in given.items():
                title = "y [%]" if m == "y" else m
                if k not in words_of or words_of[k] == "completed":
                    frame.loc[row, title] = "; ".join(map(str, v)) if isinstance(v, list) else str(v)
                    filled.setdefault(k, {})[m] = v
            if k in words_of:
                frame.loc[row, "status"] = words_of[k]

        def expected():
            for k in waiting:
                there, word = self.model.trials[k], words_of.get(k)
                given = {m: filled.get(k, {}).get(m, v) for m, v in there["values"].items()} | filled.get(k, {})
                if word in ("failed", "cancelled"):
                    self.model.fail(k, "", "invalid") if word == "failed" else self.model.cancel(k, "")
                elif given or word:
                    self.model.tell(k, given, {}, None, "", partial=word is None)

        self.both(lambda s: s.tell_frame(frame), expected)

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
