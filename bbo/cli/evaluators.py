"""What a worker evaluates: a problem of bbo's, or a function or problem in a file of the user's, named on the command
line."""

import importlib.util
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bbo.cli.faults import stop
from bbo.cli.lists import known_problem
from bbo.protocols import Problem
from bbo.studies.evaluating import ObjectiveFunction, Returned, objective_function
from bbo.studies.view import StudyView
from bbo.trial import RunningTrial


@dataclass(frozen=True)
class InFile:
    """A function or problem in a Python file, loaded where it is first called: a child process does not have its
    module."""

    path: str
    function: str

    def __call__(self, trial: RunningTrial) -> Returned:
        return objective_function(load_function(self.path, self.function))(trial)


def evaluator(objective: str | None, study: StudyView) -> ObjectiveFunction | Problem:
    """What to call, from `FILE.py:NAME`, the name of a problem, or the study's own problem; ends the command where
    there is none."""
    if objective is None and not study.problem:
        stop(f"The study {study.name!r} names no problem: say what to evaluate with --objective FILE.py:NAME.")
    name = objective or study.problem
    path, colon, function = name.rpartition(":")
    if colon:
        load_function(path, function)  # what is wrong with it is said before a trial is started
        return InFile(path, function)
    problem = known_problem(name, study.space, study.objectives)
    if problem is None:
        stop(f"{name!r} is no problem with the space and objectives of {study.name!r}; yours is FILE.py:NAME.")
    return problem


def load_function(path: str, function: str) -> Any:
    """The function or problem of that name in the file; its folder is where it imports from. Loaded once a process."""
    module = _loaded.get(path)
    if module is None:
        file = Path(path).absolute()
        spec = importlib.util.spec_from_file_location(file.stem, file) if file.is_file() else None
        if spec is None or spec.loader is None:
            stop(f"There is no Python file {path!r}: give --objective FILE.py:NAME.")
        module = importlib.util.module_from_spec(spec)
        sys.path.insert(0, str(file.parent))
        sys.modules[file.stem] = module
        try:
            spec.loader.exec_module(module)
        except Exception as error:  # whatever the user's file raises
            at = traceback.extract_tb(error.__traceback__)[-1]
            line = getattr(error, "lineno", None) or at.lineno
            stop(f"{path} cannot be loaded: {type(error).__name__}: {error} (line {line}).")
        _loaded[path] = module
    found = getattr(module, function, None)
    if not _can_evaluate(found):
        there = [n for n, v in vars(module).items() if _can_evaluate(v) and not n.startswith("_")]
        stop(f"{path} has no function or problem {function!r}; it has {', '.join(there) or 'none'}.")
    return found


def _can_evaluate(found: object) -> bool:
    return callable(found) or callable(getattr(found, "evaluate", None))


_loaded: dict[str, Any] = {}
