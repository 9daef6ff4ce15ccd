"""Losses by mixture as laws that were fitted to recorded runs, so that any mixture can be tried.

The exponential law of Ye et al., "Data mixing laws", ICLR 2025: a loss is c + exp(k + t'r) of the proportions r, fitted
by least squares for each size of model that has enough runs; of the largest, which has few, a straight line of the next
smaller one.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bbo.fidelity import Fidelity, paid
from bbo.objective import Minimize, Tracked
from bbo.problems.card import Card
from bbo.problems.data import here
from bbo.problems.mixtures.recorded import regmix
from bbo.space import Simplex, Space

_DOMAINS = (
    "arxiv",
    "freelaw",
    "nih_exporter",
    "pubmed_central",
    "wikipedia_en",
    "dm_mathematics",
    "github",
    "philpapers",
    "stackexchange",
    "enron_emails",
    "gutenberg_pg_19",
    "pile_cc",
    "ubuntu_irc",
    "europarl",
    "hackernews",
    "pubmed_abstracts",
    "uspto_backgrounds",
)
_RIDGE = 1e-3
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Law:
    """c + exp(k + t'r), and a line of it.

    Args:
        t: `d`.
        intercept, slope: of the line.
    """

    c: float
    k: float
    t: Array
    intercept: float = 0.0
    slope: float = 1.0

    def __call__(self, R: Array) -> Array:
        """Losses, `n`, of mixtures, `n x d`."""
        return self.intercept + self.slope * (self.c + np.exp(self.k + R @ self.t))

    @staticmethod
    def fit(R: Array, losses: Array) -> "Law":
        """Of least squares."""
        from scipy.optimize import least_squares

        least = float(losses.min())

        def unpacked(x: Array) -> Law:
            return Law(least - math.exp(x[0]), x[1], x[2:])

        start = np.array([0.0, math.log(float(losses.mean()) - least + 1.0), *np.zeros(R.shape[1])])

        def errors(x: Array) -> Array:
            # With a little of a ridge, as t and k may shift together.
            return np.concatenate([unpacked(x)(R) - losses, _RIDGE * x[2:]])

        return unpacked(least_squares(errors, start).x)

    def along(self, R: Array, losses: Array) -> "Law":
        """The line of this law that other losses of mixtures are nearest to."""
        slope, intercept = np.polyfit(self(R), losses, 1)
        return Law(self.c, self.k, self.t, float(intercept), float(slope))


@dataclass(frozen=True)
class RegMixLaw:
    """Pre-training data of 17 domains of the Pile, any mixture: mean loss on 13 domains by laws of 1,088 runs."""

    space: ClassVar[Space] = Space((Simplex("mixture", _DOMAINS),))
    objectives: ClassVar[tuple[Minimize | Tracked, ...]] = (
        Minimize("loss", unit="nats"),
        Tracked("loss_pile_cc", unit="nats"),
    )
    fidelities: ClassVar[tuple[Fidelity, ...]] = (
        Fidelity.of_levels("model_size", (1e6, 60e6, 1e9), unit="parameters"),
    )
    card: ClassVar[Card] = Card(
        source='Liu et al., "RegMix: data mixture as regression for language model pre-training" (2024); the law is '
        "that of Ye et al., ICLR 2025, arXiv:2403.16952",
        doi="arXiv:2407.01492",
        licence="MIT, of the repository sail-sg/regmix",
        size="768 runs of 1M parameters, 256 of 60M, 64 of 1B",
        cost_unit="training runs of the largest model, all on as many tokens",
        remarks=(
            "Mean losses that were held out, in five parts: R2 0.81, rank correlation 0.93 and root mean square error "
            "0.13 nats of the 1M models; 0.78, 0.89 and 0.10 of the 60M; 0.46, 0.74 and 0.04 of the 1B, whose law is a "
            "line of that of 60M.",
            "The best mixtures of the laws lie outside of those that were run: there the law says 1.98 nats for 1B, "
            "where the best run has 2.11.",
        ),
    )

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        size = int(paid(self.fidelities, fidelity)["model_size"])
        mixture = self.space.check(params)["mixture"]
        r = np.array([[mixture[domain] for domain in _DOMAINS]])
        losses = {name: float(law(r)[0]) for name, law in laws(here())[size].items()}
        return {"loss": math.fsum(losses.values()) / len(losses), "loss_pile_cc": losses["loss_pile_cc"]}

    def cost(self, params: Mapping[str, Any], fidelity: Mapping[str, float] | None = None) -> float:
        return paid(self.fidelities, fidelity)["model_size"] / self.fidelities[0].high


def runs(*sizes: str) -> tuple[Array, dict[str, Array]]:
    """Mixtures, `n x 17`, and their losses by domain, each `n`, of the tables of these sizes."""
    import pandas as pd

    table = pd.concat([regmix(size)[0] for size in sizes])
    losses = [name for name in table.columns if name.startswith("loss_")]
    return table[[f"mixture.{d}" for d in _DOMAINS]].to_numpy(), {name: table[name].to_numpy() for name in losses}


@cache
def laws(where: str) -> dict[int, dict[str, Law]]:
    """By size of the model and domain; `where` tables are read from, another folder has others."""
    (small, of_small), (middle, of_middle), (large, of_large) = runs("1m", "1m-train"), runs("60m"), runs("1B")
    fitted = {name: Law.fit(middle, losses) for name, losses in of_middle.items()}
    return {
        1_000_000: {name: Law.fit(small, losses) for name, losses in of_small.items()},
        60_000_000: fitted,
        1_000_000_000: {name: fitted[name].along(large, losses) for name, losses in of_large.items()},
    }
