"""How the next points of a study come about: `propose`, a function of its log, which asking and verifying share, and
`Asker`, which computes outside any transaction and appends what it found unless somebody else asked meanwhile."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from bbo import seeding
from bbo.errors import ConflictError, SpaceExhaustedError, StorageError, StrategyError, TooLargeError
from bbo.events import check_known, event, nonce
from bbo.fold import Fold
from bbo.history import History
from bbo.protocols import Strategy
from bbo.space import Params, Space
from bbo.studies.fingerprint import differences, fingerprint
from bbo.studies.log import StudyLog, writer
from bbo.studies.runner import Runner
from bbo.trial import Status, Suggestion

logger = logging.getLogger(__name__)
# Another process that asks at the same time wins at most a few times in a row.
_ATTEMPTS = 100
# An event's body has at most 64 KB; a suggestion with its notes takes about so much.
_BYTES_PER_SUGGESTION = 1_000
_BYTES_PER_PARAMETER = 120
_BYTES_PER_ASK = 50_000


def ask_seed(study_seed: int, index: int) -> int:
    return seeding.derive(study_seed, seeding.ASK, index)


def largest_ask(dim: int) -> int:
    """How many points one `asked` event may hold; a larger ask is several, each seeing those before as pending."""
    return max(1, _BYTES_PER_ASK // (_BYTES_PER_SUGGESTION + _BYTES_PER_PARAMETER * dim))


def visible(fold: Fold, complete_below: int | None) -> History:
    """What a strategy may see; with `complete_below`, trials from that number on count as pending."""
    history = fold.history()
    return history if complete_below is None else history.seen_below(complete_below)


def propose(
    strategy: Strategy,
    history: History,
    queue: Mapping[str, Params],
    n: int,
    *,
    seed: int,
    fixed: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """At most `n` suggestions as an `asked` event holds them: first what was enqueued, then what the strategy says.

    Args:
        queue: points waiting by the key of their event; those that contradict `fixed` wait on.
    """
    waiting = [(k, p) for k, p in queue.items() if all(_is_same(p[name], v) for name, v in fixed.items())][:n]
    said = [{"params": p, "notes": {"by": "enqueued"}, "enqueued": k} for k, p in waiting]
    if len(said) == n:
        return said
    if waiting:
        history = history.with_pending([p for _, p in waiting])
    if fixed:
        history = history.fix(fixed)
    suggestions = strategy.suggest(history, n - len(said), seed=seed)
    if len(suggestions) > n - len(said):
        raise StrategyError(
            f"{type(strategy).__name__} was asked for {n - len(said)} points and gave {len(suggestions)}."
        )
    return [*said, *(_as_json(s, history.space) for s in suggestions)]


def _is_same(one: Any, other: Any) -> bool:
    """Equal and of one type: True is not 1."""
    return type(one) is type(other) and bool(one == other)


def _as_json(suggestion: Suggestion, space: Space) -> dict[str, Any]:
    plain: dict[str, Any] = {"params": space.check(suggestion.params)}
    for key in ("fidelity", "resume", "parent", "notes"):
        value = getattr(suggestion, key)
        if value is not None and value != {}:
            plain[key] = value
    return plain


class Asker:
    """Asks a study's strategy, one ask at a time in this process.

    Args:
        strategy: gives the strategy; called at the first ask, so that a process that only tells loads no model.
    """

    def __init__(self, log: StudyLog, strategy: Callable[[], Strategy]) -> None:
        self._log = log
        self._strategy = strategy
        self._turn = threading.Lock()
        self._is_opened = False

    def ask(
        self,
        n: int,
        *,
        fixed: Mapping[str, Any] | None = None,
        complete_below: int | None = None,
        runner: Runner | None = None,
    ) -> list[int]:
        """Numbers of at most `n` new trials; fewer, even none, where the strategy waits for tells.

        Args:
            fixed: values of parameters that are given.
            complete_below: trials from this number on count as pending, whatever was told.
            runner: who will evaluate them; None when a person does.
        Raises:
            SpaceExhaustedError: the space has no untried point and none is pending.
            SpaceError: `fixed` names or values that the space does not have.
        """
        fold = self._log.fold
        given = fold.space.fix(fixed or {}).fixed
        largest = largest_ask(fold.space.dim)
        numbers: list[int] = []
        with self._turn:
            while len(numbers) < n:
                size = min(largest, n - len(numbers))
                try:
                    more = self._ask_once(size, given, complete_below, runner)
                except TooLargeError:
                    if size == 1:
                        raise
                    largest = (size + 1) // 2  # long choices or notes: fewer points in an event
                    continue
                if not more:
                    break
                numbers += more
        if not numbers and n > 0:
            self._check_can_wait(given)
        return numbers

    def _ask_once(
        self, n: int, fixed: Mapping[str, Any], complete_below: int | None, runner: Runner | None
    ) -> list[int]:
        for _ in range(_ATTEMPTS):
            self._open()
            started = time.perf_counter()
            with self._log.lock:
                self._log.refresh()
                fold = self._log.fold
                history, index, queue = visible(fold, complete_below), fold.n_asks, dict(fold.queue)
                if fold.unknown is not None:
                    check_known(fold.unknown)
                strategy = self._strategy()
            seed = ask_seed(history.seed, index)
            suggestions = propose(strategy, history, queue, n, seed=seed, fixed=fixed)
            if not suggestions:
                return []
            body = {"index": index, "n": n, "seen": history.last_event, "seed": seed, "suggestions": suggestions}
            body |= {"fixed": dict(fixed)} if fixed else {}
            body |= {"complete_below": complete_below} if complete_below is not None else {}
            # The ticket tells this ask from another process's, which may well have found the same points.
            meta = {"seconds": round(time.perf_counter() - started, 4), "ticket": nonce()[:12]}
            body["meta"] = meta | ({"runner": runner} if runner else {})
            try:
                self._log.append(event("asked", f"asked/{index}", body, by=writer()))
            except ConflictError:
                continue  # somebody else asked; ask again with what they asked for pending
            with self._log.lock:
                first = self._log.fold.first_of_ask(index)
            return list(range(first, first + len(suggestions)))
        raise StorageError(f"Asking {self._log.name!r} was overtaken {_ATTEMPTS} times by other processes; try again.")

    def _open(self) -> None:
        """Records on what this process computes, when that is new, and says what differs from before."""
        if self._is_opened:
            return
        self._log.refresh()
        logged, here = self._log.fold.fingerprint, fingerprint()
        if logged != here:
            if logged:
                logger.warning(
                    "%s is resumed elsewhere; bits may differ: %s", self._log.name, differences(logged, here)
                )
            self._log.append(event("opened", f"opened/{nonce()}", here, by=writer()))
        self._is_opened = True

    def _check_can_wait(self, fixed: Mapping[str, Any]) -> None:
        fold = self._log.fold
        if fold.count(Status.RUNNING, Status.PAUSED):
            return
        if fold.space.fix(fixed).n_points is None:
            raise StrategyError("The strategy suggests nothing though no trial is pending; use another strategy.")
        raise SpaceExhaustedError(
            f"All {fold.space.fix(fixed).n_points} points of the space{f' with {dict(fixed)}' if fixed else ''} "
            f"were tried in {fold.n_trials} trials and none is pending. Tell best, or widen the space."
        )
