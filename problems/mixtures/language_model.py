"""A small transformer that is trained step by step, on one thread.

Before each part its input is normalized; after Radford et al., "Language models are unsupervised multitask learners"
(2019), without dropout. All randomness is numpy's: torch's global state is neither read nor changed.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy, gelu, layer_norm, linear, scaled_dot_product_attention

from bbo.surrogates.threads import pinned_threads

_HEAD = 16


class LanguageModel:
    """Says of each character how likely it is after those before it.

    Args:
        n_characters: of the alphabet.
        length: of a sequence without its last character.
        width: a multiple of 16; there is a head for each 16.
        rng: draws the first weights.
    """

    def __init__(self, n_characters: int, length: int, width: int, n_layers: int, rng: np.random.Generator) -> None:
        def drawn(*shape: int, sd: float) -> Tensor:
            values = rng.standard_normal(shape, dtype=np.float32) * np.float32(sd)
            return torch.from_numpy(values).requires_grad_()

        def inner(n_out: int, n_in: int, by: float = 1.0) -> Tensor:
            return drawn(n_out, n_in, sd=by / math.sqrt(n_in))

        last = 1 / math.sqrt(2 * n_layers)  # of what is added to the stream
        self._width = width
        self._characters, self._positions = drawn(n_characters, width, sd=0.1), drawn(length, width, sd=0.1)
        self._layers = [
            (
                inner(3 * width, width),
                inner(width, width, last),
                inner(4 * width, width),
                inner(width, 4 * width, last),
            )
            for _ in range(n_layers)
        ]
        self._head = inner(n_characters, width)
        weights = [self._characters, self._positions, self._head, *(W for layer in self._layers for W in layer)]
        self._optimizer = torch.optim.AdamW(weights, betas=(0.9, 0.95), weight_decay=0.01)

    def train(self, sequences: NDArray[np.int64], learning_rate: float) -> None:
        """A step, on `batch x (1 + length)` positions in the alphabet."""
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        with pinned_threads(1), torch.enable_grad():
            self._optimizer.zero_grad()
            torch.autograd.backward(self._losses(torch.from_numpy(sequences)).mean())
            self._optimizer.step()

    def loss(self, sequences: NDArray[np.int64]) -> float:
        """Mean over the characters of `n x (1 + length)`, in nats."""
        with pinned_threads(1), torch.no_grad():
            return float(self._losses(torch.from_numpy(sequences)).mean())

    def _losses(self, tokens: Tensor) -> Tensor:
        """`n x length`."""
        given, wanted = tokens[:, :-1], tokens[:, 1:]
        n, length = given.shape
        stream = self._characters[given] + self._positions
        for to_heads, from_heads, widen, narrow in self._layers:
            parts = linear(self._normalized(stream), to_heads).view(n, length, 3, -1, _HEAD).permute(2, 0, 3, 1, 4)
            heard = scaled_dot_product_attention(parts[0], parts[1], parts[2], is_causal=True)
            stream = stream + linear(heard.transpose(1, 2).reshape(n, length, self._width), from_heads)
            stream = stream + linear(gelu(linear(self._normalized(stream), widen)), narrow)
        scores = linear(self._normalized(stream), self._head)
        return cross_entropy(scores.transpose(1, 2), wanted, reduction="none")

    def _normalized(self, stream: Tensor) -> Tensor:
        return layer_norm(stream, (self._width,))
