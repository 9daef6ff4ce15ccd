"""Recomputes every suggestion of a study from its log."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bbo.errors import StrategyError
from bbo.events import Event, canonical
from bbo.fold import Fold
from bbo.protocols import Strategy
from bbo.studies.asking import ask_seed, propose, visible


@dataclass(frozen=True)
class Verification:
    """What came of it.

    Args:
        n_asks: asks recomputed, up to and with the first that differs.
        n_left_out: asks by a strategy of somebody's own that is not at hand.
        divergence: the first difference in words; None when every suggestion agrees to the last bit.
    """

    n_asks: int
    divergence: str | None = None
    n_left_out: int = 0

    @property
    def agrees(self) -> bool:
        """Whether every suggestion was recomputed and is the same."""
        return self.divergence is None and self.n_left_out == 0


def verify(events: Sequence[Event], build: Callable[[dict[str, Any]], Strategy]) -> Verification:
    """Folds the log to what each ask had seen, asks again and compares.

    Args:
        build: gives a strategy from its description; raises StrategyError where it is not at hand.
    """
    fold, folded, n_asks, n_left_out = Fold(), 0, 0, 0
    for asked in (e for e in events if e.kind == "asked"):
        body = asked.read()
        fold.add(events[folded : body["seen"]])
        folded = body["seen"]
        try:
            strategy = build(fold.specification["strategy"])
        except StrategyError:
            n_left_out += 1
            continue
        found = _recompute(fold, body, strategy)
        n_asks += 1
        if canonical({"s": found}) != canonical({"s": body["suggestions"]}):
            return Verification(n_asks, _difference(fold, body, found), n_left_out)
    return Verification(n_asks, None, n_left_out)


def _recompute(fold: Fold, body: dict[str, Any], strategy: Strategy) -> list[dict[str, Any]]:
    return propose(
        strategy,
        visible(fold, body.get("complete_below")),
        fold.queue,
        body["n"],
        seed=ask_seed(fold.seed, body["index"]),
        fixed=body.get("fixed", {}),
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
