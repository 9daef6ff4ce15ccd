"""Tables that problems stand on: fetched from their public homes on first use, checked, and kept in the user's cache.

What is kept is a table of our own layout, made of one or more public files; both are known by their SHA-256. Where the
environment variable BBO_DATA names a folder, tables are read from there and nothing is fetched.
"""

import gzip
import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bbo.errors import DataError

FOLDER = "BBO_DATA"
_TIMEOUT = 60.0  # seconds without an answer


@dataclass(frozen=True)
class Source:
    """A public file.

    Args:
        sha256: of its bytes.
    """

    url: str
    sha256: str


@dataclass(frozen=True)
class Dataset:
    """A table, and how it is made of public files.

    Args:
        path: of the table, within the cache and within the folder that BBO_DATA names; there it may end in ".gz" too.
        sha256: of the table, not compressed.
        sources: the public files; none where they cannot be fetched one by one, and BBO_DATA is the only way.
        convert: from the bytes of the sources, in their order, to those of the table.
        home: where a person finds it, in words for an error.
    """

    path: str
    sha256: str
    sources: tuple[Source, ...]
    convert: Callable[[Sequence[bytes]], bytes]
    home: str = ""

    def read(self) -> bytes:
        """The table.

        Raises:
            DataError: it cannot be fetched, or is not what it should be; says what to do.
            ImportError: it has to be fetched, and pooch is not installed.
        """
        folder = here()
        if folder:
            return self._checked(_copy(Path(folder), self.path), f"{FOLDER}={folder}", "Put the right one there.")
        kept = cache() / self.path
        if not kept.is_file():
            _write(kept, self._fetched())
        return self._checked(kept.read_bytes(), str(kept), "Delete it, so that it is fetched again.")

    def _fetched(self) -> bytes:
        if not self.sources:
            raise DataError(
                f"The table {self.path!r} cannot be fetched: get it from {self.home} and set {FOLDER} to a folder that "
                "has it under this path."
            )
        with tempfile.TemporaryDirectory() as folder:
            contents = [_fetch(source, Path(folder)) for source in self.sources]
            return self._checked(self.convert(contents), "its sources", "This is a fault of bbo's: please report it.")

    def _checked(self, content: bytes, where: str, remedy: str) -> bytes:
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise DataError(
                f"The table {self.path!r} of {where} is not the one that was described: its SHA-256 is {found}, wanted "
                f"is {self.sha256}. {remedy}"
            )
        return content


def as_it_is(contents: Sequence[bytes]) -> bytes:
    """The table is the one public file."""
    (content,) = contents
    return content


def here() -> str:
    """Where tables are read from: what is made of them is kept by it."""
    return os.environ.get(FOLDER, "")


def cache() -> Path:
    """The user's folder of tables, as the system has it."""
    return Path(_pooch().os_cache("bbo"))


def _copy(folder: Path, path: str) -> bytes:
    plain, packed = folder / path, folder / f"{path}.gz"
    if plain.is_file():
        return plain.read_bytes()
    if packed.is_file():
        return gzip.decompress(packed.read_bytes())
    raise DataError(
        f"{FOLDER}={folder} has no {path!r}, nor {path + '.gz'!r}: put it there, or unset {FOLDER} so that it is "
        "fetched."
    )


def _fetch(source: Source, folder: Path) -> bytes:
    pooch = _pooch()
    try:
        name = pooch.retrieve(
            source.url,
            known_hash=f"sha256:{source.sha256}",
            path=folder,
            downloader=pooch.HTTPDownloader(timeout=_TIMEOUT),
        )
    except (OSError, ValueError) as error:  # no network, no such file; another content
        raise DataError(
            f"{source.url} could not be fetched: {error}. Try again, or set {FOLDER} to a folder that has the table."
        ) from error
    return Path(name).read_bytes()


def _write(path: Path, content: bytes) -> None:
    """Wholly or not at all, whoever else writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
    Path(file.name).replace(path)


def _pooch() -> Any:
    try:
        import pooch
    except ImportError as error:
        raise ImportError(
            f"Fetching tables needs pooch, which is not installed: pip install 'bbo[data]', or set {FOLDER} to a "
            "folder that has them."
        ) from error
    return pooch
