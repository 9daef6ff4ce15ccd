"""How a study comes to be in a storage, or is found there and compared with what is asked for."""

from bbo import seeding
from bbo.errors import ConflictError, StrategyError, StudyExistsError, StudyNotFoundError
from bbo.events import event
from bbo.objective import Objectives
from bbo.protocols import Strategy
from bbo.space import Space
from bbo.storage import Storage
from bbo.studies import specification
from bbo.studies.log import StudyLog, writer


def create_or_compare(
    log: StudyLog,
    space: Space,
    objectives: Objectives,
    strategy: Strategy | None,
    seed: int | None,
    if_exists: str,
    problem: str = "",
) -> None:
    """Creates the study, or sees that the one of this name is the same.

    Raises:
        StudyExistsError, StrategyError: as `Study`.
    """
    if if_exists not in ("resume", "fail"):
        raise ValueError(f'if_exists is "resume" or "fail": got {if_exists!r}.')
    try:
        log.refresh()
    except StudyNotFoundError:
        description = specification.DEFAULT_STRATEGY if strategy is None else specification.describe(strategy)
        if strategy is None and len(objectives.aims) > 1:
            strategy = specification.rebuild(description)  # loads its libraries, only to say that it refuses
        refusal = None if strategy is None else specification.refusal(strategy, space, objectives)
        if refusal is not None:
            raise StrategyError(refusal) from None
        drawn = seeding.draw() if seed is None else int(seed)
        body = specification.specify(space, objectives, description, drawn, problem)
        try:
            log.append(event("created", "created", body, by=writer()))
            return
        except ConflictError:
            log.refresh()  # another process created it in between
    if if_exists == "fail":
        raise StudyExistsError(f"{log.storage.url} has a study {log.name!r} already; use another name, or resume it.")
    check_same(log, space, objectives, seed)


def check_same(log: StudyLog, space: Space, objectives: Objectives, seed: int | None) -> None:
    """Raises StudyExistsError where the log's study is another than this; None for a seed leaves it open.

    A space that the study had before it was changed is no other one: so the script that changed it may be run again.
    """
    if any(not Space.from_dict(former).difference(space) for former in log.fold.former_spaces):
        space = Space.from_dict(log.fold.specification["space"])
    said = specification.difference(log.fold.specification, space, objectives, seed)
    if said:
        raise StudyExistsError(
            f"{log.storage.url} has another study {log.name!r}: {said}. Use another name, or the logged specification."
        )


def only_name(storage: Storage) -> str:
    """The name of the storage's only study.

    Raises:
        StudyNotFoundError: there is none, or more than one.
    """
    names = storage.studies()
    if not names:
        raise StudyNotFoundError(f"{storage.url} has no study: check the path, or create one with Study(...).")
    if len(names) > 1:
        raise StudyNotFoundError(f"{storage.url} has the studies {names}: say which one by name.")
    return names[0]
