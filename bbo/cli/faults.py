"""Errors at the command line: one line on stderr and an exit code, never a traceback.

| exit code | |
|---|---|
| 0 | done |
| 1 | done, and the answer is no: a suggestion that differs, no feasible trial; or it could not be done |
| 2 | what was typed cannot be: an unknown name, a missing file, a strategy that refuses the study |
| 130 | interrupted by Ctrl-C |
"""

import re
from typing import Any, NoReturn

import typer

from bbo.cli.grouping import Grouped
from bbo.errors import BBOError

NO, WRONG, INTERRUPTED = 1, 2, 130
# What messages advise in Python, and how it is typed.
_TYPED = {
    r"\b(amend|cancel|fail|note|tell)\(\)": r"`bbo \1`",
    r"\bset_budget\(\)": "`bbo budget`",
    r"\bpartial=True\b": "--partial",
    r"\bstatus=Status\.COMPLETED\b": "--status completed",
    r"\bwhy='([^']*)'": r'--why "\1"',
    r"\bstudy\.fork\(strategy=GP\(\)\)\.predict\(\.\.\.\)": "GP",
}


def stop(message: str, code: int = WRONG) -> NoReturn:
    """Ends the command with this message."""
    typer.echo(f"error: {' '.join(message.split())}", err=True)
    raise typer.Exit(code)


class Commands(Grouped):
    """Commands whose expected errors end in a line. Of bbo's errors, ValueErrors and KeyErrors are about the input."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BBOError as error:
            stop(_as_typed(str(error)), WRONG if isinstance(error, (ValueError, KeyError)) else NO)
        except ImportError as error:
            if "pip install" not in str(error):
                raise
            stop(str(error), NO)  # an optional dependency that is not there
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            raise  # a reader that has seen enough, such as `head`
        except OSError as error:
            if error.filename is None:
                raise
            stop(f"Cannot use {error.filename}: {error.strerror}.", NO)


def _as_typed(message: str) -> str:
    for in_python, typed in _TYPED.items():
        message = re.sub(in_python, typed, message)
    return message
