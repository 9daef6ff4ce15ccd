"""How the next points of a study come about: an `Asker` computes them outside any transaction, for all who wait at the
desk, and appends what it found."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from bbo import seeding
from bbo.errors import (
    ConflictError,
    SpaceError,
    SpaceExhaustedError,
    StaleLeaseError,
    StorageError,
    StrategyError,
    StudyFinished,
    TooLargeError,
)
from bbo.events import check_known, event, nonce
from bbo.fold import Fold
from bbo.history import History
from bbo.protocols import Strategy
from bbo.space.fresh import ENUMERABLE
from bbo.studies.desk import Turn, turn
from bbo.studies.fingerprint import differences, fingerprint
from bbo.studies.finishing import finish, trials_left
from bbo.studies.log import StudyLog, writer
from bbo.studies.proposing import propose
from bbo.studies.runner import Runner
from bbo.studies.wish import Wish

logger = logging.getLogger(__name__)
# A process that loses its lease while it computes starts again; more than a few times in a row is a fault.
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


@dataclass(frozen=True, slots=True)
class _Share:
    """What one ticket gets of a joint suggestion."""

    ticket: str
    n: int
    runner: Runner | None
    is_queued: bool

    def to_dict(self, n: int) -> dict[str, Any]:
        plain: dict[str, Any] = {"id": self.ticket, "n": n}
        plain |= {"runner": self.runner} if self.runner else {}
        return plain | ({"queued": True} if self.is_queued else {})


class Asker:
    """Asks a study's strategy, in turn with all other processes and threads that do.

    Args:
        strategy: gives the strategy; called at the first ask, so that a process that only tells loads no model.
    """

    def __init__(self, log: StudyLog, strategy: Callable[[], Strategy]) -> None:
        self._log = log
        self._strategy = strategy
        self._opening = threading.Lock()
        self._is_opened = False

    def ask(self, wish: Wish, stop: threading.Event | None = None) -> list[int]:
        """Numbers of new trials, at most as many as wished for; fewer, even none, where the strategy waits for tells or
        the limit of the wish is reached.

        Args:
            stop: when set, there is no more waiting for others that ask, and none are given.
        Raises:
            SpaceExhaustedError: the space has no untried point and none is pending.
            StudyFinished: the budget is spent, or a stop rule holds.
            SpaceError: the space has something that the log cannot hold and that was not passed again.
        """
        self._log.fold.space.check_whole()
        self._open()
        largest = largest_ask(self._log.fold.space.dim)
        is_bound = self._log.fold.space.between is not None
        numbers: list[int] = []
        while len(numbers) < wish.n:
            n = min(largest, wish.n - len(numbers))
            part = replace(wish, n=n)
            if is_bound:
                part = replace(part, earlier=tuple(numbers), later=wish.n - len(numbers) - n)
            try:
                more = self._ask_once(part, stop)
            except StudyFinished:
                if not numbers:
                    raise
                break
            except SpaceError:  # others were given what was to be for these, or the model's points left nothing
                if not part.earlier:
                    raise
                break
            if not more:
                break
            numbers += more
            if wish.shared:  # a large ask is several events: the later ones hold what the first one chose
                with self._log.lock:
                    chosen = self._log.fold.params(numbers[0])
                wish = replace(
                    wish,
                    fixed={**wish.fixed, **{name: chosen[name] for name in wish.shared if name in chosen}},
                    shared=(),
                )
        return numbers

    def _ask_once(self, wish: Wish, stop: threading.Event | None) -> list[int]:
        ticket = nonce()[:12]  # one for all attempts: whoever overtakes may have answered it
        for _ in range(_ATTEMPTS):
            with turn(self._log, ticket, wish.to_dict(), stop) as mine:
                if mine.lease is None:
                    return list(mine.answer or ())
                try:
                    return self._answer(wish, ticket, mine)
                except (ConflictError, StaleLeaseError):
                    continue  # too slow, and somebody else took over: ask again with what they asked for pending
        raise StorageError(f"Asking {self._log.name!r} was overtaken {_ATTEMPTS} times by other processes; try again.")

    def _answer(self, wish: Wish, ticket: str, mine: Turn) -> list[int]:
        """Computes and appends for this wish and for those of others that go together with it."""
        started = time.perf_counter()
        with self._log.lock:
            fold = self._log.fold
            history, index, queue = visible(fold, wish.complete_below), fold.n_asks, dict(fold.queue)
            if fold.unknown is not None:
                check_known(fold.unknown)
            self._check_unfinished(fold)
            shares, later = _shares(wish, ticket, mine, fold)
            earlier = [fold.suggested(k) for k in wish.earlier]
            strategy = self._strategy()
        seed, n = ask_seed(history.seed, index), sum(share.n for share in shares)
        if shares[0].n == 0:
            return []
        while True:
            suggestions = propose(
                strategy,
                history,
                queue,
                n,
                seed=seed,
                fixed=wish.fixed,
                context=wish.context,
                shared=wish.shared,
                earlier=earlier,
                later=later,
            )
            if not suggestions:
                _check_can_wait(history, wish.given)
                return []
            body = {"index": index, "n": n, "seen": history.last_event, "seed": seed, "suggestions": suggestions}
            body |= {"fixed": wish.fixed} if wish.fixed else {}
            body |= {"context": wish.context} if wish.context else {}
            body |= {"shared": list(wish.shared)} if wish.shared else {}
            body |= {"complete_below": wish.complete_below} if wish.complete_below is not None else {}
            body |= {"earlier": list(wish.earlier)} if wish.earlier else {}
            body |= {"later": later} if later else {}
            seconds = round(time.perf_counter() - started, 4)
            # Tickets tell this ask from another process's, which may well have found the same points.
            body["meta"] = {"seconds": seconds, "tickets": _dealt(shares, len(suggestions))}
            try:
                asked = event("asked", f"asked/{index}", body, by=writer())
            except TooLargeError:
                if n == 1:
                    raise
                fewer = (n + 1) // 2  # long choices or notes: fewer points in an event
                later, n = later + (n - fewer if history.space.between is not None else 0), fewer
                continue
            self._log.append(asked, lease=mine.lease, releases=True)
            mine.is_spent = True
            with self._log.lock:
                first = self._log.fold.first_of_ask(index)
            return list(range(first, first + min(shares[0].n, len(suggestions))))

    def _check_unfinished(self, fold: Fold) -> None:
        end = finish(fold)
        if end is None:
            return
        body = {"rule": end.rule, "message": end.message}
        with suppress(ConflictError):  # it was said before, at another time of the clock
            self._log.append(event("stopped", f"stopped/{fold.n_asks}/{end.rule}", body, by=writer()))
        raise StudyFinished(
            f"The study {self._log.name!r} is finished: {end.message}. To go on, give it another budget: set_budget()."
        )

    def _open(self) -> None:
        """Records on what this process computes, when that is new, and says what differs from before."""
        with self._opening:
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


def _shares(wish: Wish, ticket: str, mine: Turn, fold: Fold) -> tuple[list[_Share], int]:
    """Who gets how many, this wish first; those who want the same kind of points are served together. And how many this
    wish will get later."""
    room = trials_left(fold)
    allowed = _within(wish.n + wish.later, wish.limit, room, fold.n_counted)
    own = min(wish.n, allowed)
    shares = [_Share(ticket, own, wish.runner, mine.is_queued)]
    if wish.shared or wish.complete_below is not None or fold.space.between is not None:
        return shares, allowed - own
    for other, plain in mine.others:
        try:
            theirs = Wish.from_dict(plain)
        except KeyError:
            continue  # of another version, which answers it itself
        n = sum(share.n for share in shares)
        if theirs.shared or theirs.complete_below is not None or not theirs.goes_with(wish):
            continue
        if n + theirs.n > largest_ask(fold.space.dim):
            break
        left = None if room is None else room - n
        allowed = _within(theirs.n, theirs.limit, left, fold.n_counted + n)
        if allowed:
            shares.append(_Share(other, allowed, theirs.runner, True))
    return shares, 0


def _check_can_wait(history: History, given: Mapping[str, Any]) -> None:
    """Raises where a strategy that suggested nothing has nothing to wait for, by the history that it saw.

    Raises:
        SpaceExhaustedError, StrategyError
    """
    if history.is_pending.any():
        return
    space = history.space.fix(given)
    if space.between is not None:
        raise SpaceExhaustedError(
            f"No untried points were found that together satisfy {' and '.join(map(str, space.between.constraints))}"
            f"{f' with {dict(given)}' if given else ''}, after {history.n_trials} trials, and none is pending. Ask for "
            "another number of points, tell best, or widen the space."
        )
    n_points = space.n_points
    is_counted = n_points is not None and (space.region.is_box or n_points <= ENUMERABLE)
    if not is_counted and (space.is_conditional or not space.region.is_box):
        raise SpaceExhaustedError(
            f"No untried point was found{f' with {dict(given)}' if given else ''} after {history.n_trials} trials and "
            "none is pending. Tell best, or widen the space."
        )
    if n_points is None:
        raise StrategyError("The strategy suggests nothing though no trial is pending; use another strategy.")
    raise SpaceExhaustedError(
        f"All {n_points} points of the space{f' with {dict(given)}' if given else ''} "
        f"were tried in {history.n_trials} trials and none is pending. Tell best, or widen the space."
    )


def _within(n: int, limit: int | None, room: int | None, n_counted: int) -> int:
    """How many of n a limit on the study's trials, and the room that its budget leaves, allow."""
    bounds = [n] + ([] if limit is None else [limit - n_counted]) + ([] if room is None else [room])
    return max(0, min(bounds))


def _dealt(shares: Sequence[_Share], n: int) -> list[dict[str, Any]]:
    """Tickets and how many of n suggestions each gets, in order; those that get none wait on."""
    dealt = []
    for share in shares:
        got = min(share.n, n)
        n -= got
        if got:
            dealt.append(share.to_dict(got))
    return dealt
