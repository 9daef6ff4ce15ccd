"""The language model that is trained on grammars: what the corpora are, and that mixture, steps and width matter."""

import math
import re
from collections import Counter

import numpy as np
import pytest
import torch

from bbo.problems import GrammarMixture, GrammarMixtureWorst
from bbo.problems.mixtures.corpora import ALPHABET, GRAMMARS, LENGTH, N_TRAIN, corpus
from bbo.problems.mixtures.language_model import LanguageModel
from bbo.problems.mixtures.trained import batches

EVEN = {"mixture": dict.fromkeys(GRAMMARS, 1 / len(GRAMMARS))}
SMALL = {"width": 16, "steps": 60}


def _texts(name):
    return ["".join(ALPHABET[k] for k in row) for row in corpus(name).train]


def _whole(name, length):
    """The sentences that no sequence cuts off."""
    for text in _texts(name):
        assert text[0] == "|"
        yield from (text[k : k + length] for k in range(1, LENGTH - length + 2, length))


def test_sums_are_right():
    for said in _whole("sums", 7):
        a, b, total = map(int, re.fullmatch(r"(\d)\+(\d)=(\d\d);", said).groups())
        assert a + b == total


def test_copies_are_the_same_and_reversals_backwards():
    for said in _whole("copies", 10):
        assert said[4] == "="
        assert said[:4] == said[5:9]
    for said in _whole("reversals", 10):
        assert said[4] == ">"
        assert said[:4] == said[8:4:-1]


def test_brackets_close_what_was_opened_last():
    deepest = 0
    for text in _texts("brackets"):
        left = text[1:]
        while (shorter := re.sub(r"\(\)|\[\]", "", left)) != left:
            left = shorter
        assert re.fullmatch(r"[(\[]*", left)
        deepest = max(deepest, len(left))
    assert deepest == 6


@pytest.mark.parametrize(
    ("name", "expected"),
    # Of each word, or sum, some characters are drawn evenly and the rest follow: 32 characters hold so many drawn ones.
    [("copies", 14 * math.log(8) / 32), ("reversals", 14 * math.log(8) / 32), ("sums", 10 * math.log(10) / 32)],
)
def test_entropy_is_that_of_the_characters_that_are_drawn(name, expected):
    assert corpus(name).entropy == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("name", "order", "n"), [("chain", 1, 8), ("chain_of_two", 2, 4)])
def test_entropy_of_a_chain_is_that_of_its_counted_transitions(name, order, n):
    pairs = Counter((t[k : k + order], t[k + order]) for t in _texts(name) for k in range(1, LENGTH + 1 - order))
    words = Counter()
    for (word, _), times in pairs.items():
        words[word] += times
    rate = -sum(times * math.log(times / words[word]) for (word, _), times in pairs.items()) / sum(pairs.values())
    # The first letters are drawn evenly; 64 sequences tell the rest to some per cent.
    assert corpus(name).entropy == pytest.approx((order * math.log(n) + (LENGTH - order) * rate) / LENGTH, rel=0.06)


def test_a_batch_has_the_share_of_each_corpus_and_repeats_none_before_all_have_come():
    proportions = [0.5, 0.25, 0.0, 0.0, 0.05, 0.2]
    drawn = batches(proportions, np.random.default_rng(0))
    taken = [next(drawn) for _ in range(100)]
    of = {tuple(row): k for k, name in enumerate(GRAMMARS) for row in corpus(name).train.tolist()}
    counts = np.array([[[of[tuple(row)] for row in batch.tolist()].count(k) for k in range(6)] for batch in taken])
    assert np.all(counts.sum(axis=1) == 16)
    assert np.all(np.abs(counts - 16 * np.array(proportions)) < 1)
    assert counts.mean(axis=0) == pytest.approx(16 * np.array(proportions), abs=5 * 0.5 / 10)
    first = [tuple(row) for batch in taken for row in batch.tolist() if of[tuple(row)] == 0]
    known = Counter(map(tuple, corpus("chain").train.tolist()))
    assert len(first) == 800 < N_TRAIN
    assert all(times <= known[row] for row, times in Counter(first).items())


def test_a_corpus_that_is_left_out_is_lost_more():
    problem = GrammarMixture()
    even = problem.evaluate(EVEN, fidelity=SMALL)
    for name in GRAMMARS:
        without = {"mixture": {other: 0.0 if other == name else 1 / 5 for other in GRAMMARS}}
        assert problem.evaluate(without, fidelity=SMALL)[f"loss_{name}"] > even[f"loss_{name}"] + 0.2


def test_more_steps_and_more_width_lose_less_and_cost_more():
    problem = GrammarMixture()
    points = problem.space.sample(2, np.random.default_rng(1))
    paid = [{"steps": 20, "width": 16}, {"steps": 80, "width": 16}, {"steps": 80, "width": 64}]
    means = [np.mean([problem.evaluate(p, fidelity=f, seed=2)["mean_excess"] for p in points]) for f in paid]
    assert means[0] > means[1] + 0.1 > means[2] + 0.2
    costs = [problem.cost(EVEN, fidelity) for fidelity in [*paid, None]]
    assert costs == sorted(costs)


def test_what_is_lost_above_the_entropies_is_what_the_losses_say():
    values = GrammarMixture().evaluate(EVEN, fidelity=SMALL, seed=1)
    excess = [values[f"loss_{name}"] - corpus(name).entropy for name in GRAMMARS]
    assert values["mean_excess"] == pytest.approx(np.mean(excess))
    assert values["worst_excess"] == pytest.approx(max(excess))
    assert min(excess) > 0
    assert GrammarMixtureWorst().evaluate(EVEN, fidelity=SMALL, seed=1) == values


def test_a_model_learns_a_single_grammar_nearly_to_its_entropy():
    only = {"mixture": {name: float(name == "brackets") for name in GRAMMARS}}
    values = GrammarMixture().evaluate(only, fidelity={"width": 32})
    assert 0 < values["loss_brackets"] - corpus("brackets").entropy < 0.25
    assert values["worst_excess"] > 3


def test_the_seed_is_noise_and_the_same_seed_has_the_same_bits_whatever_torchs_threads():
    before = torch.get_num_threads()
    problem, cheap = GrammarMixture(), {"width": 64, "steps": 10}
    try:
        torch.set_num_threads(1)
        one = problem.evaluate(EVEN, fidelity=cheap, seed=4)
        torch.set_num_threads(2)
        assert problem.evaluate(EVEN, fidelity=cheap, seed=4) == one
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert problem.evaluate(EVEN, fidelity=cheap, seed=5) != one


def test_a_model_does_not_see_what_it_is_to_say():
    model = LanguageModel(len(ALPHABET), LENGTH, 32, 2, np.random.default_rng(0))
    tokens = torch.from_numpy(corpus("copies").test[:1])
    other = tokens.clone()
    other[0, 20] = (other[0, 20] + 1) % len(ALPHABET)
    with torch.no_grad():
        one, two = model._losses(tokens)[0], model._losses(other)[0]
    assert torch.equal(one[:19], two[:19])
    assert not torch.allclose(one[19:], two[19:])


def test_cost_counts_the_weights_of_the_model():
    model = LanguageModel(len(ALPHABET), LENGTH, 32, 2, np.random.default_rng(0))
    n_weights = sum(W.numel() for layer in model._layers for W in layer) + model._head.numel()
    trained, tested = 50 * 16 * LENGTH, 6 * 64 * LENGTH
    assert GrammarMixture().cost(EVEN, {"width": 32, "steps": 50}) == n_weights * (6 * trained + 2 * tested)
