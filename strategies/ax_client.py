"""AxClient: what Ax's `Client` suggests, as a strategy, so that it can be compared in one study.

Bakshy et al., "AE: a domain-agnostic platform for adaptive experimentation", NeurIPS 2018 workshop. Ax draws from the
global generators of torch and numpy, so it works in a process of its own, which starts with the first suggestion. Every
suggestion is made by a new client that is given all trials: its first design, which is the middle of the space and then
a Sobol sequence, is therefore made here.
"""

import atexit
import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from bbo.errors import StrategyError
from bbo.history import History
from bbo.objective import Objectives
from bbo.space import Categorical, Float, Int, Linear, Molecule, Ordinal, Simplex, Space
from bbo.strategies.first_design import first_design
from bbo.strategies.sobol_search import SobolSearch
from bbo.trial import Suggestion

Method = Literal["fast", "quality"]
_METHODS = ("fast", "quality")
_LARGEST_SEED = 2**31 - 1
_KINDS = (Float, Int, Ordinal, Categorical, Molecule, Simplex)
# Ax has no more choices than these in one parameter.
_MOST_CHOICES = 1000
_SAME = 1e-9  # of the cube


@dataclass(frozen=True, kw_only=True)
class AxClient:
    """Ax with the defaults of its `Client`; needs `pip install bbo[ax]`.

    Constraints on outcomes are Ax's, linear ones on points too, conditions are its hierarchical space, and the last
    part of a mixture is what the others leave. Pending trials are running ones; failed and cancelled trials are
    abandoned: Ax has no model of where trials fail. Points that were executed outside of the space are left out. A
    point that was tried gives way to an untried one near it. Where Ax finds no point, the next of the first design is
    taken, which its note `fall` says.

    Args:
        method: as `Client.configure_generation_strategy` takes it.
        n_first: how many trials the first design has, past data counted.
    """

    method: Method = "fast"
    n_first: int = 5

    def __post_init__(self) -> None:
        if self.method not in _METHODS:
            raise StrategyError(f"AxClient takes as method one of {list(_METHODS)}: got {self.method!r}.")
        if isinstance(self.n_first, bool) or not isinstance(self.n_first, int) or self.n_first < 1:
            raise StrategyError(f"AxClient takes as n_first a whole number of at least 1: got {self.n_first!r}.")

    def refuses(self, space: Space, objectives: Objectives) -> str | None:
        if importlib.util.find_spec("ax") is None:
            return "AxClient needs Ax: pip install bbo[ax]."
        for p in space.parameters:
            if not isinstance(p, _KINDS):
                return f"AxClient knows no {type(p).__name__}, which {p.name!r} is: use GP."
            if isinstance(p, (Ordinal, Categorical, Molecule)) and p.n_levels > _MOST_CHOICES:
                return f"AxClient takes up to {_MOST_CHOICES} choices, {p.name!r} has {p.n_levels}: use GP."
            if isinstance(p, Simplex) and p.max_parts is not None:
                return f"AxClient knows no number of parts, which {p.name!r} has: use GP."
            others = [name for name in p.when or {} if isinstance(space.by_name[name], Int)]
            if others:
                return f"AxClient knows conditions on choices alone, {p.name!r} depends on {others}: use GP."
        unknown = [c for c in space.constraints if not isinstance(c, Linear) or c.between_points or c.lower == c.upper]
        if unknown:
            return f"AxClient knows linear inequalities on one point alone, the space has {unknown[0]}: use GP."
        return None

    def suggest(self, history: History, n: int, *, seed: int) -> list[Suggestion]:
        n_design = min(n, max(0, self.n_first - int((history.is_completed | history.is_pending).sum())))
        if not history.is_completed.any():
            n_design = n
        design = first_design(SobolSearch(), history, n_design, seed)
        if len(design) < n_design or n_design == n:
            return design
        history = history.with_pending([s.params for s in design])
        task = _task(history) | {"n": n - n_design, "seed": seed % _LARGEST_SEED, "method": self.method}
        points = [_point(history.space, values) for values in _AX.ask(task)]
        if not points:
            others = SobolSearch().suggest(history, n - n_design, seed=seed)
            return [*design, *(replace(s, notes={**s.notes, "fall": "unproposed"}) for s in others)]
        return [*design, *(Suggestion(p, notes={"by": "ax"}) for p in history.space.fresh(points, history))]


class _Worker:
    """A process of Ax's own, spoken with in lines of JSON."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._speaking = threading.Lock()
        atexit.register(self._end)

    def ask(self, task: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What `suggested` gives.

        Raises:
            StrategyError: Ax raised, or its process ended.
        """
        with self._speaking:
            if self._process is None or self._process.poll() is not None:
                command = [sys.executable, "-m", __name__]
                self._process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
                )
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            try:
                self._process.stdin.write(json.dumps(task) + "\n")
                self._process.stdin.flush()
                line = self._process.stdout.readline()
            except BrokenPipeError:
                line = ""
            if not line:
                raise StrategyError(
                    f"Ax's process ended with status {self._process.wait()}; asking again starts another."
                )
        answer = json.loads(line)
        if "error" in answer:
            raise StrategyError(f"Ax raised {answer['error']}")
        points: list[dict[str, Any]] = answer["points"]
        return points

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()


_AX = _Worker()


# In this process: what Ax is to know, as plain data. Names are x0, ..., y0, ..., g0, ...: Ax reads them in formulas.


def _names(space: Space) -> dict[str, str]:
    """What Ax calls each cell of the space; it does not know the last part of a mixture."""
    last = {p.cells[-1].name for p in space.parameters if isinstance(p, Simplex)}
    return {cell: f"x{k}" for k, cell in enumerate(space.cells) if cell not in last}


def _task(history: History) -> dict[str, Any]:
    space, names = history.space, _names(history.space)
    trials = []
    is_done, is_open = history.is_completed, history.is_pending
    V_sd = [history.objectives.metrics.index(metric) for metric in history.objectives.sources]
    points = space.decode(history.X) if history.n_trials else []
    # A value off the range or grid is decoded to the nearest there is.
    is_inside = space.is_member(history.X) & (np.abs(space.encode(points) - history.X) <= _SAME).all(axis=1)
    for k in np.flatnonzero(is_inside).tolist():
        told = np.concatenate([history.Y[k], history.G[k]]).tolist() if is_done[k] else None
        trials.append(
            {
                "params": _values(space, points[k]),
                "told": told,
                "sd": history.V_sd[k, V_sd].tolist(),
                "is_open": bool(is_open[k]),
            }
        )
    return {
        "parameters": [c for p in space.parameters for c in _configs(p, names, space)],
        "constraints": [*_totals(space, names), *_linear(space, names)],
        "fixed": _values(space, space.fixed),
        "n_objectives": history.Y.shape[1],
        "n_constraints": history.G.shape[1],
        "trials": trials,
    }


def _configs(p: Any, names: Mapping[str, str], space: Space) -> list[dict[str, Any]]:
    """Arguments of Ax's configurations of a parameter."""
    if isinstance(p, (Float, Int)):
        step = {} if p.step in (None, 1) else {"step_size": p.step}
        kind, scale = "int" if isinstance(p, Int) else "float", "log" if p.log else None
        return [{"name": names[p.name], "parameter_type": kind, "bounds": (p.low, p.high), "scaling": scale, **step}]
    if isinstance(p, Simplex):
        free = [part for part in p.cells if part.name in names]
        return [{"name": names[part.name], "parameter_type": "float", "bounds": (part.low, part.high)} for part in free]
    # Places in the list, as choices of several types are none of Ax's.
    dependents = {
        k: [names[cell.name] for q in space.parameters if choice in (q.when or {}).get(p.name, ()) for cell in q.cells]
        for k, choice in enumerate(p.listed)
    }
    hierarchy = {"dependent_parameters": dependents} if any(dependents.values()) else {}
    values = list(range(p.n_levels))
    return [{"name": names[p.name], "parameter_type": "int", "values": values, "is_ordered": p.is_ordered, **hierarchy}]


def _totals(space: Space, names: Mapping[str, str]) -> list[str]:
    """Bounds of the last part of each mixture, which is what the others leave of the total."""
    said = []
    for p in space.parameters:
        if isinstance(p, Simplex):
            *others, last = p.cells
            total = " + ".join(names[part.name] for part in others)
            said += [f"{total} <= {p.total - last.low!r}", f"{total} >= {p.total - last.high!r}"]
    return said


def _linear(space: Space, names: Mapping[str, str]) -> list[str]:
    said = []
    for c in space.constraints:
        assert isinstance(c, Linear)
        coefficients, shift = dict(c.coefficients), 0.0
        for p in space.parameters:
            if isinstance(p, Simplex) and (of_last := coefficients.pop(p.cells[-1].name, 0.0)):
                shift += of_last * p.total
                for part in p.cells[:-1]:
                    coefficients[part.name] = coefficients.get(part.name, 0.0) - of_last
        total = " + ".join(f"{v!r}*{names[name]}" for name, v in coefficients.items() if v)
        if total:
            said += [] if c.upper is None else [f"{total} <= {c.upper - shift!r}"]
            said += [] if c.lower is None else [f"{total} >= {c.lower - shift!r}"]
    return said


def _values(space: Space, params: Mapping[str, Any]) -> dict[str, Any]:
    """As Ax knows them, of some parameters."""
    names = _names(space)
    plain: dict[str, Any] = {}
    for p in space.parameters:
        if p.name not in params:
            continue
        value = params[p.name]
        cells = {p.name: int(p.code(value))} if isinstance(p, (Ordinal, Categorical, Molecule)) else p.flat(value)
        plain |= {names[cell]: v for cell, v in cells.items() if cell in names}
    return plain


def _point(space: Space, values: Mapping[str, Any]) -> dict[str, Any]:
    cells = {cell: values[name] for cell, name in _names(space).items() if name in values}
    for p in space.parameters:
        if isinstance(p, Simplex) and p.cells[0].name in cells:
            *others, last = p.cells
            rest = p.total - sum(cells[part.name] for part in others)
            cells[last.name] = min(max(rest, last.low), last.high)
    point = space.gathered(cells)
    return space.there({name: _known(space.by_name[name], value) for name, value in point.items()})


def _known(p: Any, value: Any) -> Any:
    if isinstance(p, (Ordinal, Categorical, Molecule)):
        return p.listed[value]
    if isinstance(p, (Float, Int)):  # rounding may leave it a hair off its grid or range
        position = p.place(np.array([p.code(value)])).clip(0.0, 1.0)
        return p.decode(position)[0]
    return p.check(value)


# In the process of Ax.


def suggested(task: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Points of a new client that was told the trials; none where Ax finds none."""
    import logging
    import warnings

    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")  # such as that 3 * 0.1 is no multiple of 0.1
    import torch
    from ax.api.client import Client
    from ax.exceptions.core import SearchSpaceExhausted
    from ax.exceptions.generation_strategy import GenerationStrategyRepeatedPoints

    torch.set_num_threads(1)  # so that bits do not depend on the machine's cores
    client = Client(random_seed=task["seed"])
    client.configure_experiment(
        parameters=[_config(c) for c in task["parameters"]], parameter_constraints=task["constraints"]
    )
    outputs = [*(f"y{k}" for k in range(task["n_objectives"])), *(f"g{k}" for k in range(task["n_constraints"]))]
    client.configure_optimization(
        objective=", ".join(outputs[: task["n_objectives"]]),
        outcome_constraints=[f"{g} <= 0" for g in outputs[task["n_objectives"] :]],
    )
    client.configure_generation_strategy(method=task["method"], initialization_budget=0)
    for trial in task["trials"]:
        index = client.attach_trial(trial["params"])
        if trial["told"] is not None:
            told = zip(outputs, trial["told"], trial["sd"], strict=True)
            client.complete_trial(index, raw_data={name: v if np.isnan(sd) else (v, sd) for name, v, sd in told})
        elif not trial["is_open"]:
            client.mark_trial_abandoned(index)
    try:
        return [dict(p) for p in client.get_next_trials(task["n"], fixed_parameters=task["fixed"] or None).values()]
    except (SearchSpaceExhausted, GenerationStrategyRepeatedPoints):
        return []


def _config(arguments: Mapping[str, Any]) -> Any:
    from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig

    kind: Any = ChoiceParameterConfig if "values" in arguments else RangeParameterConfig
    dependents = arguments.get("dependent_parameters", {})
    hierarchy = {"dependent_parameters": {int(k): names for k, names in dependents.items()}} if dependents else {}
    return kind(**{**arguments, **hierarchy})


def _serve() -> None:
    """Answers until stdin ends; what Ax prints goes nowhere."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for line in sys.stdin:
        try:
            answer: dict[str, Any] = {"points": suggested(json.loads(line))}
        except Exception as error:  # whatever it is, the other process says it
            answer = {"error": f"{type(error).__name__}: {error}"}
        out.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    _serve()
