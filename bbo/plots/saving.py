"""Figures as files."""

import os
import tempfile
from pathlib import Path

from matplotlib.figure import Figure


def save_png(figure: Figure, path: str | Path) -> Path:
    """The path, now with the figure: at every moment it has the former file, if any, or the new one whole.

    Raises:
        OSError: the folder is not there or cannot be written to.
    """
    path = Path(path)
    handle, made = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=".png")
    os.close(handle)
    draft = Path(made)
    try:
        figure.savefig(draft, format="png")
        # A temporary file is its maker's alone; this one is to be like any other.
        draft.chmod(0o666 & ~_umask())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return path


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
