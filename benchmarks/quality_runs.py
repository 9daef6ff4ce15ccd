"""Runs of `quality.py`: a method on a problem for some trials, and the files that keep them.

bbo runs in this process. A peer is a program of its own environment, which says one point after another in lines of
JSON (`peers/peer.py`); its points are evaluated here, so that the code of a problem exists once.
"""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
from machine import described
from quality_suite import SUITE, Told, evaluate, fingerprint, first_points
from quality_suite import trials as trials_of

from bbo import Study
from bbo.errors import SpaceError
from bbo.objective import Objectives
from bbo.protocols import Problem, Strategy
from bbo.space import Categorical, Space
from bbo.strategies import GP, RandomSearch

HERE = Path(__file__).parent
RECORDS = HERE / "records"
N_EQUAL = 10  # first points that are given, in the second table
_N_FIRST_KEPT = 5
_LIBRARIES = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB_MAXIMUM")


class PeerError(Exception):
    """A peer's program ended, or proposed what is no point of the space."""


class Conversation(Protocol):
    """A method at work on one problem.

    Args:
        pid: of the process that it works in.
    """

    versions: dict[str, str]
    pid: int

    def suggest(self, told: Sequence[Told]) -> tuple[dict[str, Any], float]:
        """The next point, after the trials that were evaluated since the last call, and the seconds of CPU it took.

        Raises:
            PeerError: the method gave up.
        """
        ...


class Method(Protocol):
    """Something that optimizes."""

    def start(
        self, problem: Problem, seed: int, n_given: int, n_trials: int
    ) -> AbstractContextManager[Conversation]: ...


@dataclass(frozen=True)
class Ours:
    """bbo's default strategy, or random search for comparison, in this process.

    Args:
        is_told_likeness: whether it is given the descriptors of choices.
    """

    is_random: bool = False
    device: str = "cpu"
    is_told_likeness: bool = True

    @contextmanager
    def start(self, problem: Problem, seed: int, n_given: int, n_trials: int) -> Iterator[Conversation]:
        # Where first points are given, none of its own come after them.
        gp = GP(n_first=n_given or None, device=self.device)
        strategy: Strategy = RandomSearch() if self.is_random else gp
        space = problem.space if self.is_told_likeness else _without_descriptors(problem.space)
        yield _OurStudy(Study(space, problem.objectives, strategy=strategy, seed=seed))


def _without_descriptors(space: Space) -> Space:
    parameters = [replace(p, descriptors=None) if isinstance(p, Categorical) else p for p in space.parameters]
    return Space(parameters, space.constraints)


class _OurStudy:
    def __init__(self, study: Study) -> None:
        self._study = study
        self._asked: int | None = None
        self.versions = {name: version(name) for name in ("bbo", "torch", "numpy")} | {"commit": _commit()}
        self.pid = os.getpid()

    def suggest(self, told: Sequence[Told]) -> tuple[dict[str, Any], float]:
        started = time.process_time()
        if self._asked is None and told:
            self._study.add(pd.DataFrame([self._study.space.flat(t.params) | t.values for t in told]))
        elif self._asked is not None:
            self._study.tell(self._asked, told[0].values)
        trial = self._study.ask()
        self._asked = trial.number
        return trial.params, time.process_time() - started


@cache
def _commit() -> str:
    """The last one that changed bbo in this checkout; empty outside of one."""
    folders = ["bbo", "problems", "strategies", "studies"]
    try:
        log = subprocess.run(
            ["git", "log", "-1", "--format=%h", "--", *folders], cwd=HERE.parent, capture_output=True, text=True
        )
    except FileNotFoundError:
        return ""
    return log.stdout.strip()


@dataclass(frozen=True)
class Peer:
    """A program in `peers/`, run by the Python of its environment.

    Args:
        program: its name there, and arguments.
        environment: name of its lock file, and of its virtual environment in the folder of all of them.
        takes_first: whether it can be given first points.
    """

    program: tuple[str, ...]
    environment: str
    takes_first: bool = True

    def python(self, venvs: Path) -> Path:
        return venvs / self.environment / "bin" / "python"


@dataclass(frozen=True)
class Running:
    """A peer and the Python that runs it."""

    command: tuple[str, ...]

    @contextmanager
    def start(self, problem: Problem, seed: int, n_given: int, n_trials: int) -> Iterator[Conversation]:
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                self.command,
                cwd=folder,  # some leave files
                env={f"{library}_NUM_THREADS": "1" for library in _LIBRARIES} | os.environ,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
            try:
                yield _Program(process, errors, problem, seed, n_trials)
            finally:
                process.kill()
                process.communicate()


class _Program:
    def __init__(
        self, process: "subprocess.Popen[str]", errors: Any, problem: Problem, seed: int, n_trials: int
    ) -> None:
        self._process, self._errors, self.pid = process, errors, process.pid
        wanted = Objectives(tuple(problem.objectives))
        bounds = sum((c.lower is not None) + (c.upper is not None) for c in wanted.constraints)
        task = {"constraints": [], "n_violations": bounds} | problem.space.to_dict()
        del task["fixed"]
        self.versions: dict[str, str] = self._answer(task | {"seed": seed, "n_trials": n_trials})

    def suggest(self, told: Sequence[Told]) -> tuple[dict[str, Any], float]:
        plain = [asdict(t) for t in told]
        for t in plain:
            del t["values"]
        point, seconds = self._answer(plain)
        return point, seconds

    def _answer(self, said: object) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(said) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it ended: the empty line that follows says so
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            tail = self._errors.read().decode(errors="replace").strip().splitlines()[-1:]
            raise PeerError(f"ended with status {self._process.wait()}: {''.join(tail)[-300:]}")
        return json.loads(line)


@dataclass(frozen=True)
class Record:
    """A run that was made.

    Args:
        fingerprint: of the problem that it was made on.
        n_given: first points that were given; trials too.
        values, feasible: of each trial, the values to be minimized.
        first: the first few points.
        seconds: of CPU, of each ask and the tells before it; one thread, so that of an idle machine they are the time.
        error: why there are fewer trials than wanted.
        peak_mb: the most memory that the process had, by then; None where that is not known.
    """

    method: str
    problem: str
    fingerprint: str
    seed: int
    n_given: int
    values: list[float]
    feasible: list[int]
    first: list[dict[str, Any]]
    seconds: list[float]
    versions: dict[str, str]
    machine: str
    error: str = ""
    peak_mb: int | None = None

    @property
    def key(self) -> tuple[str, str, int, int]:
        return self.problem, self.fingerprint, self.seed, self.n_given


def run(label: str, method: Method, name: str, seed: int, *, n_given: int = 0, n_trials: int | None = None) -> Record:
    """One run, of as many trials as the problem's suite has; a peer that fails ends it early, which its record says."""
    n_trials = trials_of(name) if n_trials is None else n_trials
    problem = SUITE[name](seed)
    trials = [evaluate(name, problem, p, seed) for p in first_points(problem, seed, n_given)]
    news, seconds, versions, error, peak = list(trials), [], {}, "", None
    try:
        with method.start(problem, seed, n_given, n_trials) as conversation:
            versions = conversation.versions
            while len(trials) < n_trials:
                params, cpu_s = conversation.suggest(news)
                seconds.append(round(cpu_s, 4))
                news = [evaluate(name, problem, params, seed)]
                trials += news
                peak = peak_mb(conversation.pid)
    except (PeerError, SpaceError) as failure:
        error = str(failure)
    return Record(
        method=label,
        problem=name,
        fingerprint=fingerprint(name, seed),
        seed=seed,
        n_given=n_given,
        values=[_short(t.value) for t in trials],
        feasible=[int(t.is_feasible) for t in trials],
        first=[{k: _short(v) for k, v in t.params.items()} for t in trials[:_N_FIRST_KEPT]],
        seconds=seconds,
        versions=versions,
        machine=described(),
        error=error,
        peak_mb=peak,
    )


def peak_mb(pid: int | str) -> int | None:
    """The most memory that a process had so far, "self" this one; None where the system does not tell."""
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) // 1000 for line in lines if line.startswith("VmHWM")), None)


def read_records(path: Path) -> list[Record]:
    """Of one method; none where there is no file."""
    return [Record(**json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


def append_record(path: Path, record: Record) -> None:
    """In one write, so that a process that is killed leaves no part of a line."""
    line = json.dumps(asdict(record), separators=(",", ":")) + "\n"
    path.parent.mkdir(exist_ok=True)
    with path.open("ab", buffering=0) as file:
        file.write(line.encode())


def _short(value: Any) -> Any:
    return float(f"{value:.9g}") if isinstance(value, float) else value


# Not `bbo`: what bbo does changes, and is run anew.
OURS, RANDOM, PLAIN = "bbo", "random", "bbo-plain"
PEERS: dict[str, Peer] = {
    "cmaes": Peer(("with_cmaes.py",), "cmaes", takes_first=False),
    "ngopt": Peer(("with_nevergrad.py",), "nevergrad"),
    "tpe": Peer(("with_optuna.py", "tpe"), "optuna"),
    "tpe-group": Peer(("with_optuna.py", "tpe-group"), "optuna"),
    "gpsampler": Peer(("with_optuna.py", "gp"), "optuna"),
    "optuna-cmaes": Peer(("with_optuna.py", "cmaes"), "optuna", takes_first=False),
    "turbo": Peer(("with_turbo.py",), "botorch"),
    "botorch": Peer(("with_botorch.py",), "botorch"),
    "botorch-onehot": Peer(("with_onehot.py",), "botorch"),
    "ax": Peer(("with_ax.py",), "ax"),
    "smac": Peer(("with_smac.py",), "smac"),
    "baybe": Peer(("with_baybe.py",), "baybe"),
    "hebo": Peer(("with_hebo.py",), "hebo"),
}


def made(label: str, venvs: Path) -> Method:
    """The method of that name.

    Raises:
        FileNotFoundError: a peer's environment is missing; says how to make it.
    """
    if label in (OURS, RANDOM, PLAIN):
        return Ours(is_random=label == RANDOM, is_told_likeness=label != PLAIN)
    peer = PEERS[label]
    python = peer.python(venvs).absolute()  # not resolved: a venv's link makes it the venv's
    if not python.exists():
        raise FileNotFoundError(
            f"{label} runs in an environment of its own, and {python} does not exist. Make it: python -m venv "
            f"{venvs / peer.environment} && {python} -m pip install -r {HERE / 'peers' / peer.environment}.txt"
        )
    return Running((str(python), str(HERE / "peers" / peer.program[0]), *peer.program[1:]))
