"""Another space in the place of a running study's."""

from collections.abc import Callable
from typing import Any

from bbo.errors import StrategyError
from bbo.events import canonical, event, nonce
from bbo.protocols import Strategy
from bbo.space import Space
from bbo.space.frame import carried_over, check_change, framed
from bbo.studies.desk import turn
from bbo.studies.frames import check_names
from bbo.studies.log import StudyLog, writer
from bbo.studies.specification import refusal


def change_space(
    log: StudyLog, space: Space, given: dict[str, Any], why: str, strategy: Callable[[], Strategy]
) -> None:
    """As `Study.change_space`. Nobody asks meanwhile: who asks next sees the new space.

    Raises:
        SpaceError, ObjectiveError, StrategyError: the log is as it was.
    """
    plain = space.to_dict()
    with turn(log, nonce()[:12], {}) as mine, log.lock:
        fold = log.fold
        if canonical(plain) == canonical(fold.specification["space"]) and given.items() <= fold.given.items():
            log.pass_on(space)
            return
        values = check_change(fold.space, space, given)
        check_names(space, fold.objectives)
        # As the fold will do it, for its errors.
        points = [carried_over(fold.params(k), space, values) for k in range(fold.n_trials)]
        encoded = framed(space, fold.space, points)
        for point in points:
            encoded.codes(point)
        said = refusal(strategy(), space, fold.objectives)
        if said is not None:
            raise StrategyError(said)
        log.pass_on(space)
        body = {"space": plain, "given": values, "why": why}
        log.append(event("space_changed", f"space/{nonce()}", body, by=writer()), lease=mine.lease, releases=True)
        mine.is_spent = True
