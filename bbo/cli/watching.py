"""`bbo status --watch`: the overview, drawn anew as the log grows."""

import time
from collections.abc import Sequence

from rich.live import Live
from rich.text import Text

from bbo.cli.faults import stop
from bbo.cli.overview import print_overview
from bbo.cli.terminal import console
from bbo.errors import StorageError
from bbo.studies.view import StudyView

_EVERY_S = 2.0


def watch_studies(studies: Sequence[StudyView]) -> None:
    """Until Ctrl-C, which is its proper end. A storage that is away for a while is waited for."""
    screen, paper = console(), console()
    if not screen.is_terminal:
        stop("--watch draws on a terminal. Without it the status is printed once.")
    said = ""
    with Live(console=screen, auto_refresh=False, vertical_overflow="crop") as live:
        try:
            while True:
                trouble = ""
                try:
                    with paper.capture() as drawn:
                        print_overview(paper, studies)
                    said = drawn.get()
                except StorageError as error:
                    trouble = f"{error} Trying again.\n"
                live.update(Text.from_ansi(f"{said}\n{trouble}watching, Ctrl-C to end"), refresh=True)
                time.sleep(_EVERY_S)
        except KeyboardInterrupt:
            live.update(Text.from_ansi(said), refresh=True)
