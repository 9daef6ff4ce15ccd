"""From the training logs of Data Mixing Laws to our tables, a line for each model, mixture and step.

A log is of models of one size. A line has the path of a checkpoint, which names the mixture and the step, the path of a
validation set, and the loss. Ye, Liu, Sun, Zhan, Zhou & Qiu, ICLR 2025, arXiv:2403.16952.
"""

import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Callable, Sequence

_CHECKPOINT = re.compile(r"/(?:\d+[MB]_)?(?:RP_)?(?P<mix>\d+)-(?P<ratios>[\d.-]+)/(?P<step>\d+)/?$")
_DOMAIN = re.compile(r"\.valid\.(?P<domain>[^./]+)\.bin$")


def pivoted(sizes: Sequence[str], proportions: Sequence[str]) -> Callable[[Sequence[bytes]], bytes]:
    """What makes the table of the logs.

    Args:
        sizes: of the models, in the order of the logs.
        proportions: names of the parts of a mixture, in the order of the paths.
    """

    def convert(contents: Sequence[bytes]) -> bytes:
        losses = defaultdict[tuple[str, int, int, tuple[str, ...]], dict[str, str]](dict)
        for size, log in zip(sizes, contents, strict=True):
            for line in log.decode().splitlines():
                checkpoint, _, rest = line.partition("\t")
                validation, _, loss = rest.partition("\t")
                found, domain = _CHECKPOINT.search(checkpoint), _DOMAIN.search(validation)
                if found is None or domain is None or not loss.strip():  # the last step has no number
                    continue
                ratios = tuple(found["ratios"].split("-"))
                losses[size, int(found["mix"]), int(found["step"]), ratios][domain["domain"]] = loss.strip()
        return _table(losses, sizes, proportions)

    return convert


def _table(
    losses: dict[tuple[str, int, int, tuple[str, ...]], dict[str, str]],
    sizes: Sequence[str],
    proportions: Sequence[str],
) -> bytes:
    domains = sorted({domain for row in losses.values() for domain in row})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    header = ["model_size", "mix_id", "step", *(f"ratio_{name}" for name in proportions)]
    writer.writerow([*header, *(f"loss_{domain}" for domain in domains)])
    for key in sorted(losses, key=lambda key: (sizes.index(key[0]), *key[1:])):
        size, mix, step, ratios = key
        writer.writerow([size, mix, step, *map(float, ratios), *(losses[key].get(domain, "") for domain in domains)])
    return text.getvalue().encode()


def weights(contents: Sequence[bytes]) -> bytes:
    """The table of what each validation set counts for, given the JSON file that says so."""
    (described,) = contents
    lines = ["domain,weight", *(f"{domain},{weight}" for domain, weight in json.loads(described).items())]
    return ("\n".join(lines) + "\n").encode()
