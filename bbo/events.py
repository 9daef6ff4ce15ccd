"""The kinds of event in a study's log, their bodies and versions.

The log is the state: everything else is a fold over it. A row is `study, seq, kind, version, key, trial, at, by,
body`. The body is canonical JSON text; the key is unique within a study, so that a retry after a lost reply is
recognised (same key, same body) and a contradiction is refused (same key, another body). Each row has a hash of itself
and of the row before: a chain that shows where a log was changed by other hands.

| kind | key | body |
|---|---|---|
| created | `created` | specification: space, objectives, strategy, seed; with its version |
| opened | nonce | fingerprint: versions, threads, CPU, device |
| strategy_changed | nonce | strategy |
| space_changed | nonce | space; given (values that new parameters had in the trials so far); why |
| budget_changed | nonce | budget: trials, cost, seconds, stop (rules) |
| enqueued | `enqueued/<hash of the point>` | params |
| attached | `attached/<hash of the row>/<k>` | params, values, source, replicates, sd, cost, note; reason, message |
| asked | `asked/<index>` | seen, n, seed, suggestions; fixed, context, shared, complete_below, earlier, later; meta |
| started | `started/<trial>/<attempt>` | attempt, runner |
| lost | `lost/<trial>/<attempt>` | attempt, worker (its death counts), message |
| reported | `reported/<trial>/<attempt>/<step>` | values, cost |
| measured | `measured/<trial>/<metric>` | a part of what is to come, as `told` has the whole |
| told | `ended/<trial>` | values, sd, cost, replicates, params (executed ones that differ), note, output |
| failed, cancelled | `ended/<trial>` | reason, message (end of the traceback), cost, params (executed), output |
| amended | nonce | what takes the place of what was told: values, sd, cost, replicates, params, note, status; why |
| noted | nonce | text; of a trial, or of the study |
| ranked | nonce | groups of trials, the best first |
| stopped | `stopped/<index of the next ask>/<rule>` | rule, message |

A trial's number is its place in the log: trials are numbered from 0 in the order of their asked and attached events. So
two writers never contend for a number. `told`, `failed` and `cancelled` share a key: the first end of a trial wins. A
table's row of one's own is attached under `own/<hash of params and required values>`: all else may be filled in later.
The k-th of equal rows has the key with k. One that failed is attached with a reason, and without values.
`asked.seen` is the last event that the suggestion's history was folded to, which makes it re-derivable. Where points of
one ask are bound together and take several events, `earlier` are its trials in those before, and `later` says how many
come after. `meta.seconds` is how long it took, `meta.tickets` say whose the suggestions are, in their order:
`[{"id", "n", "runner", "queued"}, ...]`.

Notes of a suggestion that others read:

| key | is |
|---|---|
| by | who proposed it: the strategy, its first design, `enqueued` |
| mean, sd | predicted without noise, by metric, in the user's units where the transform allows |
| acquisition | value of the acquisition at the point, per unit of cost where that counts |
| cost | expected, in the unit that costs are told in, where it counts; null while too few were told |
| feasibility | predicted probability that the evaluation succeeds and is found to satisfy all constraints |
| length_scales | by parameter name, in the unit cube |
| rung | of the ladder of the fit, when it is not the first |
| fall | why the point is not the best by the acquisition: `moved`, `unjudged` (see `strategies.batch`), `unproposed` |
| gain | expected improvement on the best, by this trial or a pending one, in the objective's units; first of an ask |
| noise | standard deviation of the objective's noise at the best, in its units; first of an ask |
| coverage | of the latest results foretold, `of`, how many lay `inside` their 90 % intervals; first of an ask |
| outliers | trials with a value that the model takes for an outlier, and so for little; first of an ask |
| incumbent | the trial of the highest mean, where noise leaves it open which is the best; first of an ask |
| looks_at | the trial whose value the model takes for an outlier, where this point is to confirm or refute it |
| region | length of the trust region the point was sought in; null where, one having served, it was sought everywhere |
| noise_sd | standard deviation of the objective's noise at the point, by metric |
| loo_r2 | share of the transformed objective's variance explained, each value left out in turn; first of an ask |
| regret | bound on how far the best may be from the optimum, where a rule asks for it |
| warm | hyperparameters that the next fit starts from, and the transforms that it keeps |
"""

import hashlib
import json
import math
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from bbo.errors import NewerFormatError, StorageError, TooLargeError

# The version of each body's form that this code writes. A higher one in a log may be read but not asked.
VERSIONS: dict[str, int] = {
    "created": 1,
    "opened": 1,
    "strategy_changed": 1,
    "space_changed": 1,
    "budget_changed": 1,
    "enqueued": 1,
    "attached": 2,
    "asked": 3,
    "started": 1,
    "lost": 1,
    "reported": 1,
    "measured": 1,
    "told": 2,
    "failed": 2,
    "cancelled": 2,
    "amended": 1,
    "noted": 1,
    "ranked": 1,
    "stopped": 1,
}
# What stands before the first row of a chain.
GENESIS = "0" * 64
MAX_BODY_BYTES = 64 * 1024
_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


@dataclass(frozen=True, slots=True)
class Event:
    """A row of the log. `seq` and `hash` are 0 and empty until the storage has it.

    Args:
        trial: number of the trial it is about, where it is about one.
        at: UTC time, ISO 8601.
        by: host, process and thread that wrote it.
        body: canonical JSON text; `read` parses it.
        hash: of this row and the hash of the one before; see `chained`.
    """

    kind: str
    key: str
    body: str
    trial: int | None = None
    seq: int = 0
    version: int = 1
    at: str = ""
    by: str = ""
    hash: str = field(default="", compare=False)

    def read(self) -> dict[str, Any]:
        """The body parsed, in the form of the newest version.

        Raises:
            StorageError: not a JSON object.
        """
        try:
            body: Any = json.loads(self.body)
        except json.JSONDecodeError as error:
            raise StorageError(f"Event {self.seq} ({self.kind}) has a body that is not JSON: {error}.") from error
        if not isinstance(body, dict):
            raise StorageError(
                f"Event {self.seq} ({self.kind}) must have a JSON object as body: got {self.body[:80]!r}."
            )
        newest: dict[str, Any] = body
        for version in range(self.version, VERSIONS.get(self.kind, 0)):
            newest = _UPCASTS[self.kind, version](newest)
        return newest


def event(kind: str, key: str, body: Mapping[str, Any], *, trial: int | None = None, by: str = "") -> Event:
    """A new event, stamped with the time.

    Raises:
        TooLargeError: the body is larger than 64 KB.
    """
    text = canonical(body)
    if len(text) > MAX_BODY_BYTES // 4 and len(text.encode()) > MAX_BODY_BYTES:
        raise TooLargeError(
            f"An event's body has at most {MAX_BODY_BYTES} bytes: {kind} {key!r} has {len(text.encode())}. "
            "Keep notes and messages small; put data in a file and its name in the note."
        )
    return Event(kind=kind, key=key, body=text, trial=trial, version=VERSIONS[kind], at=now(), by=by)


def chained(before: str, e: Event) -> str:
    """The hash of a numbered event, as hexadecimal text: SHA-256 over a JSON list of the hash before and all columns.

    The study's name is not in it, so that a copy under another name has the same hashes.
    """
    columns = [before, e.seq, e.kind, e.version, e.key, e.trial, e.at, e.by, e.body]
    return hashlib.sha256(_AS_LIST.encode(columns).encode()).hexdigest()


def canonical(body: Mapping[str, Any]) -> str:
    """JSON text with one form per content: keys sorted, no spaces, non-finite floats as strings."""
    try:
        return _CANONICAL.encode(body)
    except ValueError:
        return _CANONICAL.encode(_spelled(body))


def _plain(value: Any) -> Any:
    """What arrays and their scalars are in JSON, where notes hold some."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not JSON: got {value!r}. Notes hold numbers, text, lists and dicts.")


# Made once: `json.dumps` would make one at each call.
_CANONICAL = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_plain
)
_AS_LIST = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)  # no text can pass for two columns


def number(value: float | str) -> float:
    """A float as it stands in a body, non-finite ones as strings."""
    return _NON_FINITE[value] if isinstance(value, str) else float(value)


def digest(body: Mapping[str, Any]) -> str:
    """A short name of a content, for keys."""
    return hashlib.sha256(canonical(body).encode()).hexdigest()[:24]


def nonce() -> str:
    """A key that nobody else has."""
    return uuid.uuid4().hex


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def check_known(e: Event) -> None:
    """Raises NewerFormatError for an event that only a later version understands."""
    if e.version > VERSIONS.get(e.kind, 0):
        raise NewerFormatError(
            f"Event {e.seq} ({e.kind}, version {e.version}) was written by a later version of bbo. "
            "The study can be read but not asked; upgrade bbo to go on with it."
        )


def _spelled(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {k: _spelled(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_spelled(v) for v in value]
    return value


def _attached_1(body: dict[str, Any]) -> dict[str, Any]:
    """Version 1 had completed trials alone."""
    return body


def _asked_1(body: dict[str, Any]) -> dict[str, Any]:
    """Version 1 had one runner for all suggestions of an ask."""
    meta = body.get("meta", {})
    ticket = {"id": meta.get("ticket", ""), "n": len(body["suggestions"])}
    if "runner" in meta:
        ticket["runner"] = meta["runner"]
    return {**body, "meta": {"seconds": meta.get("seconds", 0.0), "tickets": [ticket]}}


def _asked_2(body: dict[str, Any]) -> dict[str, Any]:
    """Version 2 had no context."""
    return body


def _told_1(body: dict[str, Any]) -> dict[str, Any]:
    """Version 1 had neither replicates nor executed parameters."""
    return body


def _ended_1(body: dict[str, Any]) -> dict[str, Any]:
    """Version 1 of a failed or cancelled trial had neither cost nor executed parameters."""
    return body


_UPCASTS: dict[tuple[str, int], Callable[[dict[str, Any]], dict[str, Any]]] = {
    ("attached", 1): _attached_1,
    ("asked", 1): _asked_1,
    ("asked", 2): _asked_2,
    ("told", 1): _told_1,
    ("failed", 1): _ended_1,
    ("cancelled", 1): _ended_1,
}
