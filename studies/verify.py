"""Checks the chain of a study's log and recomputes every suggestion from it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from bbo.errors import StrategyError
from bbo.events import GENESIS, Event, canonical
from bbo.fold import Fold
from bbo.protocols import Strategy
from bbo.space import Space
from bbo.storage.chain import broken_at
from bbo.studies.asking import ask_seed, visible
from bbo.studies.proposing import propose


@dataclass(frozen=True)
class Verification:
    """What came of it.

    Args:
        n_asks: asks recomputed, up to and with the first that differs; of those before the chain breaks.
        divergence: the first difference in words; None when every suggestion agrees to the last bit.
        n_left_out: asks by a strategy of somebody's own that is not at hand, or in a space that is not wholly at hand.
        absent: what of the space is not, in words.
        broken_at: number of the first event that does not follow from those before it, so the log was changed by other
            hands there or behind; None where the chain holds. A log cut short has a chain that holds: compare `head`.
        head: hash of the last event; a log that has this hash has all that was logged before it, unchanged.
    """

    n_asks: int
    divergence: str | None = None
    n_left_out: int = 0
    broken_at: int | None = None
    head: str = GENESIS
    absent: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether the chain holds and every suggestion was recomputed and is the same."""
        return self.divergence is None and self.n_left_out == 0 and self.broken_at is None


def verify(
    events: Sequence[Event], build: Callable[[dict[str, Any]], Strategy], space: Space | None = None
) -> Verification:
    """Checks the chain, folds the log to what each ask had seen, asks again and compares.

    Asks from a break of the chain on are not recomputed: what stands there may be anything.

    Args:
        events: all of the study's.
        build: gives a strategy from its description; raises StrategyError where it is not at hand.
        space: the study's, where it is at hand; what the log cannot hold of it is taken from here.
    """
    broken = broken_at(events)
    head = events[-1].hash if events else GENESIS
    passed = () if space is None else (space,)
    fold, folded, n_asks, n_left_out = Fold(passed), 0, 0, 0
    absent: tuple[str, ...] = ()
    for asked in (e for e in takewhile(lambda e: e.seq != broken, events) if e.kind == "asked"):
        body = asked.read()
        fold.add(events[folded : body["seen"]])
        folded = body["seen"]
        absent = tuple(map(str, fold.space.absent))
        if absent:
            n_left_out += 1
            continue
        try:
            strategy = build(fold.specification["strategy"])
        except StrategyError:
            n_left_out += 1
            continue
        found = _recompute(fold, body, strategy)
        n_asks += 1
        if canonical({"s": found}) != canonical({"s": body["suggestions"]}):
            return Verification(n_asks, _difference(fold, body, found), n_left_out, broken, head)
    return Verification(n_asks, None, n_left_out, broken, head, absent)


def _recompute(fold: Fold, body: dict[str, Any], strategy: Strategy) -> list[dict[str, Any]]:
    return propose(
        strategy,
        visible(fold, body.get("complete_below")),
        fold.queue,
        body["n"],
        seed=ask_seed(fold.seed, body["index"]),
        fixed=body.get("fixed", {}),
        context=body.get("context", {}),
        shared=body.get("shared", ()),
        earlier=[fold.suggested(k) for k in body.get("earlier", ())],
        later=body.get("later", 0),
    )


def _difference(fold: Fold, body: dict[str, Any], found: list[dict[str, Any]]) -> str:
    logged = body["suggestions"]
    if len(found) != len(logged):
        return f"ask {body['index']} has {len(logged)} suggestions in the log, {len(found)} recomputed"
    k = next(k for k in range(len(logged)) if canonical(found[k]) != canonical(logged[k]))
    for part in ("params", "notes"):
        mine, theirs = found[k].get(part, {}), logged[k].get(part, {})
        for key in sorted(mine.keys() | theirs.keys()):
            if mine.get(key) != theirs.get(key):
                return (
                    f"trial {fold.n_trials + k} (ask {body['index']}): {key} of its {part} is "
                    f"{theirs.get(key)!r} in the log, {mine.get(key)!r} recomputed"
                )
    return f"trial {fold.n_trials + k} (ask {body['index']}): {logged[k]!r} in the log, {found[k]!r} recomputed"
