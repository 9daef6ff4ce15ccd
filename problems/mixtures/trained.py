"""A language model that is trained in every evaluation, on a mixture of corpora of different grammars.

The proportions say from which corpus each sequence of a batch comes. A corpus is finite: the more often its sequences
are met again, the less they teach. What is learnt of one may help with another, or confuse.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bbo import seeding
from bbo.fidelity import Fidelity, paid
from bbo.objective import Minimize, Tracked
from bbo.problems.card import Card
from bbo.problems.mixtures.corpora import ALPHABET, GRAMMARS, LENGTH, N_TEST, N_TRAIN, corpus
from bbo.space import Simplex, Space

if TYPE_CHECKING:  # listing the problems needs no torch
    from bbo.problems.mixtures.language_model import LanguageModel

_BATCH, _N_LAYERS, _N_STEPS, _BETWEEN_REPORTS = 16, 2, 200, 20
_LEARNING_RATE, _WARM_UP = 5e-3, 20


def batches(proportions: Sequence[float], rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Sequences to train on, `batch x (1 + length)` again and again, from each corpus in an order of its own.

    Of every batch a corpus has its share, rounded up or down at random.
    """
    names = list(GRAMMARS)
    orders = [rng.permutation(N_TRAIN) for _ in names]
    n_taken = [0] * len(names)
    ends = np.cumsum(proportions)[:-1]
    while True:
        batch = []
        for k in np.searchsorted(ends, (np.arange(_BATCH) + rng.random()) / _BATCH, side="right").tolist():
            batch.append(corpus(names[k]).train[orders[k][n_taken[k] % N_TRAIN]])
            n_taken[k] += 1
        yield np.array(batch)


def _learning_rate(step: int) -> float:
    """Rises, then falls as a cosine until the last step of a full training, whatever is paid for."""
    return _LEARNING_RATE * min(1.0, step / _WARM_UP) * (1 + math.cos(math.pi * (step - 1) / _N_STEPS)) / 2


def _values(model: "LanguageModel") -> dict[str, float]:
    losses = {name: model.loss(corpus(name).test) for name in GRAMMARS}
    excess = [loss - corpus(name).entropy for name, loss in losses.items()]
    return {
        "mean_excess": math.fsum(excess) / len(excess),
        "worst_excess": max(excess),
        **{f"loss_{name}": loss for name, loss in losses.items()},
    }


@dataclass(frozen=True)
class _Grammars:
    """All but the objective."""

    card: ClassVar[Card] = Card(
        source='bbo: in small what Liu et al. do in "RegMix: data mixture as regression for language model '
        'pre-training", ICLR 2025',
        doi="arXiv:2407.01492",
        size=f"{len(GRAMMARS)} corpora of {N_TRAIN} sequences of {LENGTH} characters, drawn anew from their grammars",
        noise="first weights, and which sequences are met when",
        cost_unit="FLOP",
        remarks=(
            "Losses are of sequences that are not trained on, in nats a character; an excess is a loss above the "
            "entropy of the corpus, which is known.",
        ),
    )
    space: ClassVar[Space] = Space((Simplex("mixture", tuple(GRAMMARS)),))
    fidelities: ClassVar[tuple[Fidelity, ...]] = (
        Fidelity("steps", 10, _N_STEPS, is_whole=True),
        Fidelity.of_levels("width", (16, 32, 64)),
    )

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        *_, (_, model) = self._training(params, fidelity, seed)
        return _values(model)

    def curve(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> Iterator[tuple[int, dict[str, float]]]:
        """After each 20th step, and the last."""
        last = paid(self.fidelities, fidelity)["steps"]
        for step, model in self._training(params, fidelity, seed):
            if step % _BETWEEN_REPORTS == 0 or step == last:
                yield step, _values(model)

    def _training(
        self, params: Mapping[str, Any], fidelity: Mapping[str, float] | None, seed: int
    ) -> Iterator[tuple[int, "LanguageModel"]]:
        """The model after each step, always the same object."""
        pays = paid(self.fidelities, fidelity)
        proportions = list(self.space.check(params)["mixture"].values())
        from bbo.problems.mixtures.language_model import LanguageModel

        weights, order = (seeding.generator(seed, seeding.NOISE, word) for word in (1, 2))
        model = LanguageModel(len(ALPHABET), LENGTH, int(pays["width"]), _N_LAYERS, weights)
        for step, batch in zip(range(1, int(pays["steps"]) + 1), batches(proportions, order), strict=False):
            model.train(batch, _learning_rate(step))
            yield step, model

    def cost(self, params: Mapping[str, Any], fidelity: Mapping[str, float] | None = None) -> float:
        """Six for each weight and character that is trained on, two where it is tested.

        After Kaplan et al., "Scaling laws for neural language models" (2020), arXiv:2001.08361, section 2.1; without
        what attention takes beside its weights.
        """
        pays = paid(self.fidelities, fidelity)
        n_weights = _N_LAYERS * 12 * pays["width"] ** 2 + len(ALPHABET) * pays["width"]
        return n_weights * LENGTH * (6 * _BATCH * pays["steps"] + 2 * N_TEST * len(GRAMMARS))


_LOSSES = tuple(Tracked(f"loss_{name}") for name in GRAMMARS)


@dataclass(frozen=True)
class GrammarMixture(_Grammars):
    """A small language model on six grammars, 6 proportions: what it loses above their entropy, in the mean."""

    objectives: ClassVar[tuple[Minimize | Tracked, ...]] = (Minimize("mean_excess"), Tracked("worst_excess"), *_LOSSES)


@dataclass(frozen=True)
class GrammarMixtureWorst(_Grammars):
    """A small language model on six grammars, 6 proportions: what it loses above entropy where it loses most."""

    objectives: ClassVar[tuple[Minimize | Tracked, ...]] = (Minimize("worst_excess"), Tracked("mean_excess"), *_LOSSES)
