"""Asking with many: tickets, joint suggestions, leases that run out, holders that die."""

import json
import threading
import time
from dataclasses import replace

import pytest

from bbo.budget import Budget
from bbo.errors import StudyFinished
from bbo.events import event
from bbo.objective import Minimize
from bbo.space import Categorical, Float, Space
from bbo.storage import MemoryStorage, open_storage
from bbo.strategies import RandomSearch, SobolSearch
from bbo.studies import desk, runner
from bbo.studies.asking import largest_ask
from bbo.studies.study import Study
from bbo.studies.wish import Wish
from bbo.trial import Suggestion

SPACE = Space([Float("x", 0.0, 1.0), Float("z", 0.0, 1.0)])
ELSEWHERE = json.dumps({"host": "else", "place": "another boot", "pid": 1, "start": "1"})


def study(**options):
    return Study(SPACE, Minimize("y"), **({"strategy": RandomSearch(), "seed": 3} | options))


def wish(n=1, **options):
    return Wish(**({"n": n} | options))


def ticket(s, name, n=1, **options):
    """A ticket as another process leaves it."""
    plain = runner.identity() | wish(n, **options).to_dict()
    return s.storage.take(s.name, f"ticket/{name}", name, 60.0, json.dumps(plain))


def asked(s):
    return [e.read() for e in s.storage.events(s.name) if e.kind == "asked"]


def dealt(s, k=-1):
    return [(t["id"], t["n"]) for t in asked(s)[k]["meta"]["tickets"]]


@pytest.fixture(params=["memory", "jsonl", "sqlite"])
def storage(request, tmp_path):
    where = {"memory": None, "jsonl": tmp_path / "s.jsonl", "sqlite": tmp_path / "s.db"}[request.param]
    opened = open_storage(where)
    yield opened
    opened.close()


def test_whoever_asks_answers_the_tickets_of_those_who_wait_in_their_order(storage):
    s = study(storage=storage)
    ticket(s, "second", 2)
    ticket(s, "third", 1)
    trial = s.ask()
    assert trial.number == 0
    (only,) = asked(s)
    assert only["n"] == 4
    assert len({tuple(p["params"].values()) for p in only["suggestions"]}) == 4
    assert dealt(s)[1:] == [("second", 2), ("third", 1)]
    fold = s._log.fold
    assert [fold.answer(t) for t in ("second", "third")] == [range(1, 3), range(3, 4)]
    assert s.verify().agrees


def test_an_answered_ticket_is_not_answered_again():
    s = study()
    ticket(s, "waiting")
    s.ask()
    s.ask()
    assert [len(a["suggestions"]) for a in asked(s)] == [2, 1]


def test_tickets_that_want_other_points_wait_on():
    s = study()
    ticket(s, "fixed", fixed={"x": 0.5})
    ticket(s, "context", context={"x": 0.5})
    ticket(s, "shared", 2, shared=("x",))
    ticket(s, "ordered", complete_below=0)
    s.ask()
    assert len(dealt(s)) == 1
    s.ask(fixed={"x": 0.5})
    assert dealt(s)[1:] == [("fixed", 1)]
    s.ask(context={"x": 0.5})
    assert dealt(s)[1:] == [("context", 1)]
    assert [a.get("context") for a in asked(s)] == [None, None, {"x": 0.5}]


def test_tickets_of_the_dead_are_passed_over():
    s = study()
    gone = json.dumps(runner.identity() | {"start": "0"} | wish().to_dict())
    s.storage.take(s.name, "ticket/gone", "gone", 60.0, gone)
    late = s.storage.take(s.name, "ticket/late", "late", 0.0, json.dumps(json.loads(ELSEWHERE) | wish().to_dict()))
    assert late.seconds_left <= 0
    s.ask()
    assert len(dealt(s)) == 1


def test_a_joint_suggestion_is_no_larger_than_an_event():
    s = study()
    for k in range(largest_ask(2) + 5):
        ticket(s, f"t{k}")
    s.ask()
    assert len(asked(s)[0]["suggestions"]) == largest_ask(2)


def test_a_limit_holds_for_a_ticket_as_for_the_asker():
    s = study()
    ticket(s, "greedy", 5, limit=3)
    ticket(s, "late", 1, limit=3)
    assert s._asker.ask(wish(1, limit=3)) == [0]
    assert dealt(s)[1:] == [("greedy", 2)]
    assert s._asker.ask(wish(2, limit=3)) == []
    assert s._asker.ask(wish(2, limit=4)) == [3]


def test_a_strategy_that_gives_less_serves_the_first(storage):
    class Two:
        def suggest(self, history, n, *, seed):
            return [Suggestion({"x": 0.1 * (history.n_trials + k), "z": 0.5}) for k in range(min(n, 2))]

    s = study(storage=storage, strategy=Two())
    ticket(s, "second", 2)
    ticket(s, "third", 1)
    assert s.ask().number == 0
    assert dealt(s)[1:] == [("second", 1)]
    assert s._log.fold.answer("third") is None


def test_threads_that_ask_while_one_computes_are_served_together():
    begun, go = threading.Event(), threading.Event()

    class Slow(RandomSearch):
        def suggest(self, history, n, *, seed):
            begun.set()
            go.wait(20)
            return super().suggest(history, n, seed=seed)

    s = study(strategy=Slow())
    numbers = []
    threads = [threading.Thread(target=lambda: numbers.append(s.ask().number)) for _ in range(6)]
    threads[0].start()
    begun.wait(20)
    for thread in threads[1:]:
        thread.start()
    while len([lease for lease in s.storage.leases(s.name) if lease.name.startswith("ticket/")]) < 5:
        time.sleep(0.005)
    go.set()
    for thread in threads:
        thread.join(20)
    assert sorted(numbers) == list(range(6))
    assert [len(a["suggestions"]) for a in asked(s)] == [1, 5]
    assert s.storage.leases(s.name) == []


def test_a_holder_that_died_here_is_followed_at_once(storage):
    s = study(storage=storage)
    dead = json.dumps(runner.identity() | {"start": "0"})  # another process had this number
    s.storage.take(s.name, "ask", "dead", 60.0, dead)
    started = time.monotonic()
    s.ask()
    assert time.monotonic() - started < 10.0


def test_a_holder_elsewhere_is_waited_for_until_its_lease_has_run_out(storage):
    s = study(storage=storage)
    s.storage.take(s.name, "ask", "dead", 1.0, ELSEWHERE)
    started = time.monotonic()
    s.ask()
    assert 0.5 < time.monotonic() - started < 30.0


def test_an_ask_whose_lease_was_taken_while_it_computed_is_computed_again_with_their_trials_pending(storage):
    """The holder is taken for dead between computing and appending; another one asks; then it goes on."""
    s = study(storage=storage, strategy=SobolSearch())
    other = Study.load(storage, s.name)
    append, is_late = storage.append, True

    def stolen(name, events, **lease):
        nonlocal is_late
        if events[0].kind == "asked" and is_late:
            is_late = False
            storage.release(name, lease["lease"])
            assert other.ask().number == 0
        return append(name, events, **lease)

    storage.append = stolen
    assert s.ask().number == 1
    assert [len(a["suggestions"]) for a in asked(s)] == [1, 1]
    assert len({tuple(t.params.values()) for t in s.trials}) == 2
    assert s.verify().agrees


def test_who_had_a_ticket_and_then_the_desk_and_is_overtaken_gets_what_its_ticket_was_given():
    """The ticket is still open while its owner computes, so whoever overtakes answers it too."""
    storage = MemoryStorage()
    s = study(storage=storage, strategy=SobolSearch())
    other = Study.load(storage, s.name)
    append, is_late, theirs = storage.append, True, []

    def stolen(name, events, **lease):
        nonlocal is_late
        if events[0].kind == "asked" and is_late:
            is_late = False
            storage.release(name, lease["lease"])
            theirs.append(other.ask().number)
        return append(name, events, **lease)

    storage.append = stolen
    storage.take(s.name, "ask", "elsewhere", 0.5, ELSEWHERE)  # so that it queues first
    mine = s.ask().number
    assert sorted([mine, *theirs]) == [0, 1]
    assert len(s.trials) == 2


def test_a_ticket_is_kept_alive_for_as_long_as_its_owner_waits(monkeypatch):
    monkeypatch.setattr(desk, "LEASE_S", 1.8)
    s = study()
    s.storage.take(s.name, "ask", "elsewhere", 4.0, ELSEWHERE)
    waiting = threading.Thread(target=s.ask)
    waiting.start()
    time.sleep(3.0)  # longer than a ticket lives by itself
    (place,) = [lease for lease in s.storage.leases(s.name) if lease.name.startswith("ticket/")]
    assert place.seconds_left > 0
    waiting.join(20)


def test_true_is_not_one_in_a_ticket_either():
    s = Study([Categorical("c", [True, 1, "1"]), Float("x", 0.0, 1.0)], Minimize("y"), strategy=RandomSearch())
    ticket(s, "one", fixed={"c": 1})
    s.ask(fixed={"c": True})
    assert len(dealt(s)) == 1
    s.ask(fixed={"c": 1})
    assert dealt(s)[1:] == [("one", 1)]


def test_a_ticket_that_cannot_be_read_is_passed_over():
    s = study()
    s.storage.take(s.name, "ticket/later", "later", 60.0, json.dumps(runner.identity() | {"n": 1}))
    assert s.ask().number == 0
    assert len(dealt(s)) == 1


@pytest.mark.parametrize(
    "plain",
    [
        {"n": 1, "fixed": {}, "shared": [], "complete_below": None, "limit": None, "runner": None},
        {"wish": wish().to_dict()["wish"] | {"unheard_of": {}}},
    ],
)
def test_a_ticket_that_says_more_or_less_than_is_understood_is_left_to_its_own_version(plain):
    s = study()
    s.storage.take(s.name, "ticket/other", "other", 60.0, json.dumps(runner.identity() | plain))
    s.ask()
    assert len(dealt(s)) == 1


def test_an_earlier_version_that_reads_the_fields_it_knows_cannot_read_a_ticket():
    """It would pass over the context and take the rest."""
    assert not {"n", "fixed", "shared"} & wish(context={"x": 0.5}).to_dict().keys()


def test_a_tell_while_the_strategy_decides_to_wait_is_no_exhaustion():
    class Waits:
        def suggest(self, history, n, *, seed):
            if not history.n_trials:
                return [Suggestion({"x": 0.5, "z": 0.5})]
            if history.is_pending.any():
                s.tell(0, 1.0)
                return []
            return [Suggestion({"x": 0.1, "z": 0.5})]

    s = study(strategy=Waits())
    s.ask()
    assert s.ask(1) == []
    assert s.ask().number == 1


def test_who_is_to_stop_waits_no_longer_and_leaves_no_ticket():
    s, stop = study(), threading.Event()
    s.storage.take(s.name, "ask", "elsewhere", 60.0, ELSEWHERE)
    given = []
    waiting = threading.Thread(target=lambda: given.append(s._asker.ask(wish(), stop)))
    waiting.start()
    while len(s.storage.leases(s.name)) < 2:
        time.sleep(0.005)
    stop.set()
    waiting.join(20)
    assert given == [[]]
    assert [lease.name for lease in s.storage.leases(s.name)] == ["ask"]


def test_a_strategy_that_raises_leaves_the_desk_free():
    class Broken:
        def suggest(self, history, n, *, seed):
            raise ZeroDivisionError

    s = study(strategy=Broken())
    with pytest.raises(ZeroDivisionError):
        s.ask()
    assert s.storage.leases(s.name) == []


def test_shared_parameters_have_one_value_in_an_ask_also_where_it_is_several_events():
    space = Space([Float("t", 20.0, 120.0), Float("x", 0.0, 1.0), Categorical("c", ["a", "b", "c"])])
    s = Study(space, Minimize("y"), strategy=SobolSearch(), seed=1)
    one, two = s.ask(5, shared=["t", "c"]), s.ask(5, shared=["t"])
    assert len({(t["t"], t["c"]) for t in one}) == 1
    assert len({t["t"] for t in two}) == 1
    assert one[0]["t"] != two[0]["t"]
    assert len({t["x"] for t in one}) == 5
    many = s.ask(largest_ask(3) + 10, shared=["t"])
    assert len(many) == largest_ask(3) + 10
    assert len({t["t"] for t in many}) == 1
    assert s.verify().agrees


def test_shared_goes_with_fixed_and_with_enqueued_points():
    s = study(strategy=SobolSearch())
    s.enqueue({"x": 0.25, "z": 0.5})
    s.enqueue({"x": 0.75, "z": 0.5})
    batch = s.ask(3, shared=["x"])
    assert [t["x"] for t in batch] == [0.25] * 3
    assert s.ask(2, fixed={"x": 0.75}, shared=["x"])[0].params == {"x": 0.75, "z": 0.5}
    assert s.verify().agrees


@pytest.mark.parametrize("shared", [["q"], "x"])
def test_shared_names_that_are_no_parameters_are_refused(shared):
    s = study()
    with pytest.raises(ValueError, match="shared is a list of parameters"):
        s.ask(2, shared=shared)
    assert asked(s) == []


def test_a_budget_is_kept_to_the_trial_and_ends_with_its_reason_in_the_log():
    s = study(budget=Budget(trials=5))
    ticket(s, "greedy", 9)
    assert len(s.ask(2)) == 2
    assert dealt(s)[1:] == [("greedy", 3)]
    with pytest.raises(StudyFinished, match="5 trials"):
        s.ask()
    (stopped,) = [e for e in s.storage.events(s.name) if e.kind == "stopped"]
    assert "5 trials" in stopped.read()["message"]
    s.set_budget(Budget(trials=6))
    assert s.ask().number == 5


def test_a_log_with_one_runner_an_ask_is_read_as_before():
    """Version 1 of `asked` named the runner once."""
    s = study(storage=MemoryStorage())
    points = [{"params": {"x": k / 2, "z": 0.0}} for k in range(2)]
    body = {"index": 0, "n": 2, "seen": 1, "seed": 1, "suggestions": points}
    body["meta"] = {"seconds": 0.1, "ticket": "abc", "runner": {"study": "s", "run": "r"}}
    s.storage.append(s.name, [replace(event("asked", "asked/0", body), version=1)])
    assert [t.number for t in s.trials] == [0, 1]
    assert set(s._log.fold.runners()) == {0, 1}
