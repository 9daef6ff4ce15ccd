"""From the public files of the Iron Mind benchmark to our tables.

A data set there is a table without a header, and a JSON file that says what its columns are: parameters with their
options and descriptors, then measurements. MacKnight, Regio, Ethier, Baldwin & Gomes, arXiv:2509.00103 (2025).
"""

import csv
import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

# Decimals of what is computed from replicates.
_DIGITS = 6
# Levels of experiments without such a reagent.
_NOTHING = ("None", "NO_BASE")


def data(contents: Sequence[bytes]) -> bytes:
    """The table with a header, given it and the JSON file."""
    table, described = contents
    columns = json.loads(described)
    names = [c["name"] for c in [*columns["parameters"], *columns["measurements"]]]
    lines = table.decode().replace("\r\n", "\n").rstrip("\n")
    return (",".join(names) + "\n" + lines + "\n").encode()


def levels(contents: Sequence[bytes]) -> bytes:
    """A line for each level of each parameter: its SMILES, how many rows have it, and its descriptors.

    Given the table, the JSON file, and SMILES by parameter and level where the levels are other names.
    """
    table, described, *maps = contents
    parameters = json.loads(described)["parameters"]
    smiles: dict[str, dict[str, str]] = json.loads(maps[0]) if maps else {}
    rows = list(csv.reader(io.StringIO(table.decode())))
    width = max(len(d) for p in parameters for d in p.get("descriptors", [[]]))
    lines = []
    for j, p in enumerate(parameters):
        counts = Counter(_same(row[j]) for row in rows)
        for k, option in enumerate(p["options"]):
            level = str(option)
            if "smiles_options" in p:
                written = str(p["smiles_options"][k])
            else:
                written = smiles.get(p["name"], {}).get(level, "") if maps else "" if level in _NOTHING else level
            known = p["descriptors"][k] if "descriptors" in p else []
            written = written if p["type"] == "categorical" else ""
            lines.append(
                [p["name"], p["type"], k, level, written, counts[_same(level)], *known, *[""] * (width - len(known))]
            )
    header = ["parameter", "type", "level_index", "level", "smiles", "n_rows", *(f"d{k + 1}" for k in range(width))]
    return _csv([header, *lines])


def chan_lam(contents: Sequence[bytes]) -> bytes:
    """The conditions of the Chan-Lam coupling with what their replicates say: yields, and weighted selectivity.

    That is d^2 / (d + u) of the desired and the undesired yield, 0 where both are.
    """
    rows = list(csv.reader(io.StringIO(data(contents).decode())))
    names, replicates = rows[0][:-2], defaultdict[tuple[str, ...], list[tuple[float, float]]](list)
    for *point, desired, undesired in rows[1:]:
        replicates[tuple(point)].append((float(desired), float(undesired)))
    kinds = [f"weighted_selectivity_{kind}" for kind in ("min", "mean", "max")]
    yields = ["desired_yield_mean", "undesired_yield_mean", "desired_yield_min", "undesired_yield_max"]
    lines: list[list[Any]] = [[*names, "n_replicates", *kinds, *yields]]
    for at, values in replicates.items():
        wanted, unwanted = ([v[k] for v in values] for k in (0, 1))
        selective = [d * d / (d + u) if d + u > 0 else 0.0 for d, u in values]
        n = len(values)
        found = [min(selective), sum(selective) / n, max(selective)]
        found += [sum(wanted) / n, sum(unwanted) / n, min(wanted), max(unwanted)]
        lines.append([*at, n, *(round(v, _DIGITS) for v in found)])
    return _csv(lines)


def _same(level: str) -> Any:
    """Levels that are numbers are the same however they are written."""
    try:
        return float(level)
    except ValueError:
        return level


def _csv(lines: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue().encode()
