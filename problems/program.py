"""A program of the user's as a problem: it is started, without a shell, for each evaluation.

What it is given stands in its command:

| the command has | the program gets |
|---|---|
| `{lr}` for every parameter `lr` | the values as arguments: text as it is, other values as JSON writes them |
| `{params_file}` | the path of a file of JSON, `{"params": {"lr": 0.1}, "fidelity": {"epochs": 5}, "seed": 7}` |
| no parameter and no such file | the same JSON on its standard input |

`{epochs}` is a fidelity, in full where nothing was said, `{seed}` the seed, `{mix.sand}` a part of a Simplex, and
`{lr:.3e}` a value as Python formats it; `{{` and `}}` are braces. The seed is in the environment too, as `BBO_SEED`.

What it gives is JSON by metric, `{"loss": 0.3}`, or a bare number where there is one metric: in the last line that it
prints, or in the file at `{values_file}`, where the command has that. Metrics that nobody declared are passed over.
`parse` reads other text.
"""

import contextlib
import json
import math
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from string import Formatter
from tempfile import TemporaryDirectory
from typing import Any

from bbo.errors import EvaluationError, InvalidPointError
from bbo.fidelity import Fidelity, paid
from bbo.objective import Objective, Objectives, OutcomeConstraint, Tracked
from bbo.problems.card import Card
from bbo.space import Params, Space

_SEED, _PARAMS_FILE, _VALUES_FILE = "seed", "params_file", "values_file"
# Of what a program writes the last megabyte is read; of its complaints the last lines are told.
_READ_BYTES, _TOLD_LINES, _TOLD_SIGNS = 1_000_000, 10, 2_000


@dataclass(frozen=True)
class Patterns:
    r"""Reads metrics by regular expressions: `Patterns({"loss": r"loss = (\S+)"})`.

    Args:
        by_metric: each with one group, the number; the last place that matches counts.
    """

    by_metric: Mapping[str, str]

    def __post_init__(self) -> None:
        for metric, pattern in self.by_metric.items():
            if re.compile(pattern).groups != 1:
                raise ValueError(f"The pattern of {metric!r} needs one group in parentheses: got {pattern!r}.")

    def __call__(self, text: str) -> dict[str, float]:
        found = {metric: re.findall(pattern, text, re.MULTILINE) for metric, pattern in self.by_metric.items()}
        return {metric: float(numbers[-1]) for metric, numbers in found.items() if numbers}


@dataclass(frozen=True)
class Program:
    """A command-line program as a problem: `Program(["train", "--lr={lr}"], space, [Minimize("loss")])`.

    Exit code 0 says that the values are there, any other that there are none. One that does not end is killed after
    `timeout_s` with all that it has started; so it is where the process dies that waits for it, as by `trial_timeout`
    of a study (not on Windows).

    Args:
        command: the program and its arguments. An argument that names a parameter which is not there under its
            condition is left out.
        timeout_s: seconds after which it is killed; never when None.
        parse: makes values by metric of the text; JSON when None. A function of a module keeps the problem picklable.
        folder: where it runs; the current one when None.
        environment: variables that it has beside those of this process.
        invalid_codes: exit codes by which it says that the point is invalid.
        fidelities: ways to pay for less, which the program takes.
    """

    command: Sequence[str]
    space: Space
    objectives: Sequence[Objective | OutcomeConstraint | Tracked]
    timeout_s: float | None = field(default=None, kw_only=True)
    parse: Callable[[str], Any] | None = field(default=None, kw_only=True)
    folder: str | Path | None = field(default=None, kw_only=True)
    environment: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    invalid_codes: Sequence[int] = field(default=(), kw_only=True)
    fidelities: tuple[Fidelity, ...] = field(default=(), kw_only=True)
    card: Card = field(default=Card(source="a program of the user's"), kw_only=True)

    def __post_init__(self) -> None:
        if isinstance(self.command, str) or not self.command:
            raise ValueError(
                'A command is a list, the program and each of its arguments, as ["train", "--lr={lr}"]; no shell reads '
                f"it: got {self.command!r}."
            )
        if self.timeout_s is not None and not self.timeout_s > 0:
            raise ValueError(f"Program: timeout_s is above 0, or None: got {self.timeout_s!r}.")
        if 0 in self.invalid_codes:
            raise ValueError("Program: exit code 0 says that the values are there, so it is no invalid code.")
        self._check_fields()
        self._check_conditions()

    def _check_fields(self) -> None:
        own = [_SEED, _PARAMS_FILE, _VALUES_FILE]
        paying = [f.name for f in self.fidelities]
        names = [*self._owners, *paying, *own]
        unknown = [name for name in self._fields if name not in names]
        if unknown:
            raise ValueError(f"The command can name {names}: got {unknown}. Braces themselves are {{{{ and }}}}.")
        twice = [name for name in self._fields if names.count(name) > 1]
        if twice:
            raise ValueError(f"In the command, {twice} can mean two things: rename the parameter or the fidelity.")
        told = {self._owners.get(name, name) for name in self._fields}
        missing = [name for name in (*self.space.names, *paying) if name not in told]
        if self._takes_arguments and missing and _PARAMS_FILE not in self._fields:
            raise ValueError(
                f"The command names some parameters and leaves out {missing}: name these too, or {{{_PARAMS_FILE}}}, "
                "or no parameter, for JSON on standard input."
            )

    def _check_conditions(self) -> None:
        for argument in self.command:
            p = self.space.by_name.get(self._owners.get(argument[1:-1], ""))
            if p is not None and p.when and argument[0] + argument[-1] == "{}":
                raise ValueError(
                    f"Where the parameter {p.name!r} is not there its argument is left out: write the argument with a "
                    f"name in it, as '--{p.name}={argument}'; got {argument!r}."
                )

    @property
    def _fields(self) -> list[str]:
        return [name for argument in self.command for name in _fields(argument)]

    @property
    def _owners(self) -> dict[str, str]:
        """The parameter that each name stands for, or for a part of."""
        parts = {cell.name: p.name for p in self.space.parameters for cell in p.cells}
        return {**parts, **{name: name for name in self.space.names}}

    @property
    def _takes_arguments(self) -> bool:
        return any(name in self._owners for name in self._fields)

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        """Values by metric.

        Raises:
            InvalidPointError: an exit code that says so.
            EvaluationError: it cannot be started, took too long, ended with another code or gave no values.
        """
        point, full = self.space.check(params), paid(self.fidelities, fidelity)
        with TemporaryDirectory(prefix="bbo-", ignore_cleanup_errors=True) as name:
            there = Path(name)
            asked = there / "params.json"
            asked.write_text(json.dumps({"params": point, "fidelity": full, "seed": seed}), encoding="utf-8")
            command = self._filled(point, full, seed, there)
            code = self._run(command, seed, there)
            if code != 0:
                raise self._failed(command, code, there)
            return self._values(command, there)

    def _filled(self, point: Params, fidelity: Mapping[str, float], seed: int, there: Path) -> list[str]:
        """The command for a point; without the arguments that name what is not there."""
        files = {_PARAMS_FILE: str(there / "params.json"), _VALUES_FILE: str(there / "values.json")}
        known = {**files, _SEED: seed, **fidelity, **self.space.flat(point), **point}
        return [_filled(argument, known) for argument in self.command if all(n in known for n in _fields(argument))]

    def _run(self, command: list[str], seed: int, there: Path) -> int:
        """The exit code."""
        by_input = not self._takes_arguments and _PARAMS_FILE not in self._fields
        with (
            Path(there / "params.json" if by_input else os.devnull).open("rb") as given,
            # Files, not pipes: a child that outlives the program would keep a pipe open.
            (there / "stdout").open("wb") as out,
            (there / "stderr").open("wb") as err,
        ):
            try:
                process = subprocess.Popen(
                    command,
                    stdin=given,
                    stdout=out,
                    stderr=err,
                    cwd=self.folder,
                    env={**os.environ, **self.environment, "BBO_SEED": str(seed)},
                    start_new_session=True,
                )
            except OSError as error:
                raise EvaluationError(self._unstarted(command, error)) from error
            try:
                with _ends_with_this_process(process):
                    return process.wait(self.timeout_s)
            except subprocess.TimeoutExpired:
                said = f"took more than {self.timeout_s:g} s and was killed"
                raise EvaluationError(f"{shlex.join(command)} {said}.{_complaint(there)}") from None
            finally:
                if process.returncode is None:
                    _kill_group(process)

    def _unstarted(self, command: list[str], error: OSError) -> str:
        if self.folder is not None and not Path(self.folder).is_dir():
            return f"There is no folder {str(self.folder)!r} to run {command[0]!r} in."
        if isinstance(error, FileNotFoundError):
            return (
                f"There is no program {command[0]!r} on this machine: give its path, or a name that is found in the "
                "folders of PATH. Of a script, the interpreter in its first line may be missing."
            )
        return f"{command[0]!r} cannot be started: {error.strerror}."

    def _failed(self, command: list[str], code: int, there: Path) -> EvaluationError:
        if code in self.invalid_codes:
            said = f"says by exit code {code} that the point is invalid"
            return InvalidPointError(f"{shlex.join(command)} {said}.{_complaint(there)}")
        said = f"ended with exit code {code}" if code > 0 else f"was ended by {_signal(-code)}"
        return EvaluationError(f"{shlex.join(command)} {said}.{_complaint(there)}")

    def _values(self, command: list[str], there: Path) -> dict[str, float]:
        is_file = _VALUES_FILE in self._fields
        written = there / ("values.json" if is_file else "stdout")
        if not written.exists():
            raise EvaluationError(f"{shlex.join(command)} wrote no file of values.{_complaint(there)}")
        text = _end(written)
        if self.parse is None and not is_file:
            text = next((line for line in reversed(text.splitlines()) if line.strip()), "")
        try:
            found = (self.parse or json.loads)(text)
        except ValueError as error:
            what = "no JSON" if self.parse is None else "what cannot be read"
            said = f"{error}: got {_last(text)!r}"
            raise EvaluationError(f"{shlex.join(command)} gave {what}: {said}.{_complaint(there)}") from error
        wanted = Objectives(tuple(self.objectives))
        if not isinstance(found, Mapping) and len(wanted.required) == 1:
            found = {wanted.required[0]: found}
        missing = wanted.missing(found) if isinstance(found, Mapping) else list(wanted.required)
        if missing:
            raise EvaluationError(f"{shlex.join(command)} gave no {missing}: got {found!r}.")
        values = {metric: found[metric] for metric in wanted.metrics if metric in found}
        odd = {metric: value for metric, value in values.items() if not _is_finite(value)}
        if odd:
            raise EvaluationError(f"{shlex.join(command)} gave values that are no finite numbers: got {odd!r}.")
        return {metric: float(value) for metric, value in values.items()}


def _fields(argument: str) -> list[str]:
    """The names in braces."""
    try:
        parts = list(Formatter().parse(argument))
    except ValueError as error:
        raise ValueError(f"{argument!r} in the command: {error}. Braces themselves are {{{{ and }}}}.") from error
    return [f"{name}!{conversion}" if conversion else name for _, name, _, conversion in parts if name is not None]


def _filled(argument: str, values: Mapping[str, Any]) -> str:
    """The argument with each name in braces replaced; names are looked up as they stand, nothing is evaluated."""
    said = ""
    for text, name, style, _ in Formatter().parse(argument):
        said += text
        if name is not None:
            value = values[name]
            said += format(value, style) if style else value if isinstance(value, str) else json.dumps(value)
    return said


# Its input ends when the process that waits for the program is gone, whatever ended that.
_GUARD = "import os, signal, sys; sys.stdin.read(); os.killpg(int(sys.argv[1]), signal.SIGKILL)"


@contextlib.contextmanager
def _ends_with_this_process(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Meanwhile another process stands by, which kills the program if this one dies."""
    if sys.platform == "win32":
        yield
        return
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _GUARD, str(process.pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as guard:
        try:
            yield
        finally:
            guard.kill()  # before its input is closed


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Ends a program that was started in a session of its own, with its children."""
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True, check=False)
    else:
        # Until it is waited for its number is not given to another.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _end(file: Path) -> str:
    with file.open("rb") as f:
        f.seek(max(0, file.stat().st_size - _READ_BYTES))
        return f.read().decode("utf-8", errors="replace")


def _last(text: str) -> str:
    return "\n".join(text.rstrip().splitlines()[-_TOLD_LINES:])[-_TOLD_SIGNS:]


def _complaint(there: Path) -> str:
    """The last lines of stderr, or of what was printed where nothing stands there."""
    said = _last(_end(there / "stderr")) or _last(_end(there / "stdout"))
    return f" It said last:\n{said}" if said else ""


def _is_finite(value: object) -> bool:
    try:
        return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False  # a whole number of more than 308 digits
