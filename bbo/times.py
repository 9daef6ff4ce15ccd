"""Many times, as events have them, in eight bytes each."""

from array import array
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import overload

_START = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_IN_WORDS = -(2**63)


class Times:
    """A list of times as text. What comes back is what went in, to the letter; of another form than `events.now` gives,
    it takes more room."""

    def __init__(self) -> None:
        self._milliseconds = array("q")  # since 1970, or _IN_WORDS
        self._words: dict[int, str] = {}

    def append(self, text: str) -> None:
        self._milliseconds.append(_IN_WORDS)
        self[len(self) - 1] = text

    def __setitem__(self, k: int, text: str) -> None:
        found = _parsed(text)
        self._milliseconds[k] = _IN_WORDS if found is None else found
        if found is None:
            self._words[k] = text
        else:
            self._words.pop(k, None)

    @overload
    def __getitem__(self, k: int) -> str: ...
    @overload
    def __getitem__(self, k: slice) -> list[str]: ...
    def __getitem__(self, k: int | slice) -> str | list[str]:
        if isinstance(k, slice):
            return [self._text(j) for j in range(len(self))[k]]
        return self._text(range(len(self))[k])

    def cut(self, n: int) -> None:
        """Leave the first n."""
        del self._milliseconds[n:]
        self._words = {k: text for k, text in self._words.items() if k < n}

    def __len__(self) -> int:
        return len(self._milliseconds)

    def __iter__(self) -> Iterator[str]:
        return map(self._text, range(len(self)))

    def _text(self, k: int) -> str:
        found = self._milliseconds[k]
        return self._words[k] if found == _IN_WORDS else _text(found)


def _parsed(text: str) -> int | None:
    """Milliseconds since 1970; None unless just this text is made of them."""
    try:
        found = (datetime.fromisoformat(text) - _START) // _MILLISECOND
    except (ValueError, TypeError, OverflowError):
        return None
    return found if _text(found) == text else None


def _text(milliseconds: int) -> str:
    return (_START + milliseconds * _MILLISECOND).isoformat(timespec="milliseconds")
