"""Hyperparameters of the training of language models, from laws that say how their optimum moves with the scale.

| symbol | | |
|---|---|---|
| N | n_params | parameters of the model, without embeddings |
| D | n_tokens | tokens that it is trained on |

Li et al., "Predictable Scale: Part I, Step Law", arXiv:2503.04715: the learning rate with the least loss is
1.79 N^-0.713 D^0.307, the batch 0.58 D^0.571 tokens, and the loss is convex around them. The least loss itself is that
of Hoffmann et al., "Training compute-optimal large language models", arXiv:2203.15556: 1.69 + 406.4 / N^0.34 +
410.7 / D^0.28 nats per token.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from bbo.fidelity import Fidelity, paid
from bbo.objective import Minimize
from bbo.problems.card import Card
from bbo.space import Float, Space

# Assumed: the share of the loss that is added at twice or half of the optimum. The law fixes where the optimum is and
# says that it is broad, not how broad.
_RATE_EXCESS, _BATCH_EXCESS = 0.0025, 0.0015
# Assumed: with another batch the best learning rate grows as its square root.
_RIDGE = 0.5


def optimal(n_params: float, n_tokens: float) -> tuple[float, float]:
    """Learning rate, and batch in tokens."""
    return 1.79 * n_params**-0.713 * n_tokens**0.307, 0.58 * n_tokens**0.571


def least_loss(n_params: float, n_tokens: float) -> float:
    """In nats per token."""
    return float(1.69 + 406.4 / n_params**0.34 + 410.7 / n_tokens**0.28)


@dataclass(frozen=True)
class StepLaw:
    """Learning rate and batch of a language model, 2 variables: its loss by Step Law; by shares of model and tokens.

    Cheaper runs have their optimum elsewhere: the learning rate is the greater the smaller the model, and the smaller
    the fewer the tokens.

    Args:
        n_params: of the full model, without embeddings.
        n_tokens: of the full run.
    """

    n_params: float = 1e9
    n_tokens: float = 1e11

    card: ClassVar[Card] = Card(
        'Li et al., "Predictable Scale: Part I, Step Law - Optimal hyperparameter scaling law in large language model '
        'pre-training" (2025)',
        doi="arXiv:2503.04715",
        known="the formula has its minimum there",
        cost_unit="FLOP",
        remarks=(
            "From the source is where the optimum lies, for any size of model and number of tokens; it was fitted to "
            "60 million to a billion parameters and 2 to 100 billion tokens.",
            "Assumed is the rest of the surface: quadratic in the logarithms; twice or half of the best learning rate "
            "adds 0.25 % to the loss, twice or half of the best batch 0.15 % where the learning rate follows by its "
            "square root. The loss at the optimum is that of Hoffmann et al. (2022), arXiv:2203.15556.",
            "The cost is 6 N D.",
        ),
    )
    space: ClassVar[Space] = Space(
        (Float("learning_rate", 1e-4, 2e-2, log=True), Float("batch", 3e4, 8e6, log=True, unit="tokens"))
    )
    objectives: ClassVar[tuple[Minimize, ...]] = (Minimize("loss", unit="nats/token"),)
    fidelities: ClassVar[tuple[Fidelity, ...]] = (
        Fidelity("params_share", 0.06, 1.0),
        Fidelity("tokens_share", 0.02, 1.0),
    )

    @property
    def best_value(self) -> float:
        return least_loss(self.n_params, self.n_tokens)

    @property
    def optima(self) -> tuple[tuple[float, ...], ...]:
        return (optimal(self.n_params, self.n_tokens),)

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        point = self.space.check(params)
        size = self._paid(fidelity)
        rate, batch = optimal(*size)
        doublings = math.log2(point["batch"] / batch)
        off = math.log2(point["learning_rate"] / rate) - _RIDGE * doublings
        return {"loss": least_loss(*size) * (1 + _RATE_EXCESS * off**2 + _BATCH_EXCESS * doublings**2)}

    def cost(self, params: Mapping[str, Any], fidelity: Mapping[str, float] | None = None) -> float:
        n_params, n_tokens = self._paid(fidelity)
        return 6 * n_params * n_tokens

    def _paid(self, fidelity: Mapping[str, float] | None) -> tuple[float, float]:
        share = paid(self.fidelities, fidelity)
        return share["params_share"] * self.n_params, share["tokens_share"] * self.n_tokens
