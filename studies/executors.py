"""Where evaluations happen: in the calling thread, in others, or in processes that can be killed."""

import multiprocessing
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pebble import ProcessPool

# Of what an evaluation prints the end is kept.
OUTPUT_BYTES = 8_000
# A child that is to end is sent SIGTERM, and SIGKILL after so long.
_TERM_S = 0.2


class InlineExecutor(Executor):
    """Evaluates in the calling thread, at once, so that an interrupt reaches the objective itself."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class ChildProcesses(Executor):
    """Evaluates in processes of its own, which can be killed: when a trial takes too long, or is given up.

    The death of one is that trial's alone; another takes its place. What an evaluation prints goes to a file that
    outlives it.

    Args:
        n: how many at once.
        timeout: seconds after which an evaluation is killed; its future then raises TimeoutError.
        folder: for the files of output.
    """

    def __init__(self, n: int, timeout: float | None, folder: Path) -> None:
        from pebble import CONSTS

        CONSTS.term_timeout = _TERM_S  # children pass over SIGTERM
        self._timeout, self._folder = timeout, folder
        # A pool for each: one whose process dies in the moment that it takes a task up is broken as a whole.
        self._pools = [self._new_pool() for _ in range(n)]
        self._futures: list[Future[Any] | None] = [None] * n

    def _new_pool(self) -> "ProcessPool":
        from pebble import ProcessPool

        # Not forked: libraries that have threads, such as torch, do not survive that.
        spawn = multiprocessing.get_context("spawn")
        return ProcessPool(1, initializer=_begin_child, initargs=[str(self._folder)], context=spawn)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """The future of fn(*args); its `cancel` kills the process. At most n may be under way."""
        place = next(k for k, future in enumerate(self._futures) if future is None or future.done())
        if not self._pools[place].active:
            self._pools[place] = self._new_pool()
        file = self._folder / f"{time.monotonic_ns()}.txt"
        task = (str(file), fn, *args)
        future: Future[Any] = self._pools[place].schedule(_with_output, task, kwargs, timeout=self._timeout)
        future.output_file = file  # type: ignore[attr-defined]
        self._futures[place] = future
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        for pool in self._pools:
            if cancel_futures:
                pool.stop()  # type: ignore[no-untyped-call]
            else:
                pool.close()  # type: ignore[no-untyped-call]
        for pool in self._pools if wait else ():
            pool.join()


def output_of(future: "Future[Any]") -> str:
    """The end of what an evaluation printed, where it was kept; the file is then gone."""
    file: Path | None = getattr(future, "output_file", None)
    if file is None or not file.exists():
        return ""
    with file.open("rb") as f:
        f.seek(max(0, file.stat().st_size - OUTPUT_BYTES))
        text = f.read().decode(errors="replace")
    file.unlink()
    return text


def _begin_child(folder: str) -> None:
    """Leaves signals to the parent, who ends its children when it is to; ends when the parent was killed."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _pass_over)  # not ignored: programs that an evaluation starts would inherit that
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(line_buffering=True)  # what was printed outlives a kill
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)

    threading.Thread(target=watch, name="bbo-watch", daemon=True).start()


def _pass_over(number: int, frame: FrameType | None) -> None:
    pass


def _with_output(file: str, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Calls fn with all that this process writes to stdout and stderr, and programs that it starts, in the file."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    with Path(file).open("wb") as target:
        os.dup2(target.fileno(), 1)
        os.dup2(target.fileno(), 2)
    try:
        return fn(*args, **kwargs)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for fd, stream in zip(saved, (1, 2), strict=True):
            os.dup2(fd, stream)
            os.close(fd)


@contextmanager
def workplace(workers: int, executor: Executor | None, *, isolated: bool, timeout: float | None) -> Iterator[Executor]:
    """The executor to work with: the given one, which stays open, or one of the run's own, which does not.

    Args:
        isolated: in processes that can be killed.
        timeout: of one evaluation; where it is isolated.
    """
    if executor is not None or (workers == 1 and not isolated):
        yield executor or InlineExecutor()
        return
    if not isolated:
        own: Executor = ThreadPoolExecutor(workers)
        try:
            yield own
        finally:
            own.shutdown(wait=False, cancel_futures=True)
        return
    with TemporaryDirectory(prefix=f"bbo-{os.getpid()}-", ignore_cleanup_errors=True) as folder:
        own = ChildProcesses(workers, timeout, Path(folder))
        try:
            yield own
        finally:
            own.shutdown(cancel_futures=True)
