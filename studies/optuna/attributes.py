"""JSON in the attributes of Optuna's trials and studies, in parts of the length that its databases can hold."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from bbo.events import canonical

# Optuna's RDBStorage keeps texts of at most 2,048 bytes with their quotes, in MySQL.
_MOST_BYTES = 2_000


def keep(name: str, content: Mapping[str, Any], put: Callable[[str, str], None]) -> None:
    """Hands JSON on in parts, by keys `name:0`, `name:1`, ..."""
    text = canonical(content)
    # Ends are escaped again where a database keeps the text as JSON, and other letters than ASCII take several bytes.
    parts: list[str] = []
    part, size = "", 0
    for letter in text:
        n = len(json.dumps(letter)) - 2
        if size + n > _MOST_BYTES:
            parts, part, size = [*parts, part], "", 0
        part, size = part + letter, size + n
    for k, each in enumerate([*parts, part]):
        put(f"{name}:{k}", each)


def kept(name: str, attributes: Mapping[str, Any]) -> dict[str, Any] | None:
    """What `keep` handed on; None where there is nothing, or not all of it yet."""
    parts: list[str] = []
    while isinstance(part := attributes.get(f"{name}:{len(parts)}"), str):
        parts.append(part)
    try:
        # A longer one that stood there before may have left its end.
        content, _ = json.JSONDecoder().raw_decode("".join(parts))
    except json.JSONDecodeError:
        return None  # nothing, or somebody is still writing the rest
    return content if isinstance(content, dict) else None
