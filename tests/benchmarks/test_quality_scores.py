"""Made-up runs whose scores, ranks and trials were worked out by hand."""

import math

import numpy as np
import pytest
from quality_runs import Record
from quality_scores import Scores, best_so_far, final, tables, trials_to


def _run(method, problem, seed, values, feasible=None):
    return Record(
        method=method,
        problem=problem,
        fingerprint="",
        seed=seed,
        n_given=0,
        values=values,
        feasible=feasible or [1] * len(values),
        first=[],
        seconds=[0.5] * len(values),
        versions={},
        machine="",
    )


def _scores(finals, best_known=None, middling=None):
    """Runs of two trials, the second the better, from finals by method, problem and seed."""
    runs = {
        m: [_run(m, p, s, [v + 1, v]) for p, by_seed in by_problem.items() for s, v in enumerate(by_seed)]
        for m, by_problem in finals.items()
    }
    return Scores(runs, best_known or {}, middling or {})


SIMPLE = {
    "bbo": {"a": [1.0, 1.0], "b": [2.0, 4.0]},
    "random": {"a": [4.0, 8.0], "b": [10.0, 10.0]},
    "peer": {"a": [2.0, 1.0], "b": [2.0, 1.0]},
}


def test_infeasible_trials_do_not_count():
    record = _run("m", "p", 0, [5.0, 1.0, 4.0, 4.5], [1, 0, 1, 1])
    assert best_so_far(record).tolist() == [5.0, 5.0, 4.0, 4.0]
    assert (final(record), trials_to(record, 4.0), trials_to(record, 4.2), trials_to(record, 1.0)) == (
        4,
        3,
        3,
        math.inf,
    )
    assert final(_run("m", "p", 0, [5.0], [0])) == math.inf
    assert final(_run("m", "p", 0, [])) == math.inf


def test_scores_are_0_for_the_best_known_and_1_for_the_median_of_random_search():
    scores = _scores(SIMPLE, {"a": 0.0})
    # a: best 0, random 6; b: best of all runs 1, random 10.
    assert scores.scores[:, 0].tolist() == [[1 / 6, 1 / 6], [4 / 6, 8 / 6], [2 / 6, 1 / 6]]
    assert scores.scores[:, 1] == pytest.approx(np.array([[1 / 9, 3 / 9], [1, 1], [1 / 9, 0]]))
    assert scores.median_scores()[0] == pytest.approx([1 / 6, 2 / 9])


def test_a_run_without_a_feasible_trial_is_worst():
    finals = {"bbo": {"a": [1.0, math.inf]}, "random": {"a": [math.inf, 3.0]}, "peer": {"a": [3.0, 2.0]}}
    scores = _scores(finals, middling={"a": 5.0})
    assert scores.scores.tolist() == [[[0.0, math.inf]], [[math.inf, 0.5]], [[0.5, 0.25]]]
    assert scores.mean_ranks().tolist() == [2.0, 2.5, 1.5]


def test_mean_ranks_are_those_of_the_cells_with_ties_shared():
    # Cells: (1, 3, 2), (1.5, 3, 1.5), (1.5, 3, 1.5), (2, 3, 1).
    assert _scores(SIMPLE).mean_ranks().tolist() == [1.5, 3.0, 1.5]


def test_a_method_with_half_of_the_cells_is_ranked_by_those():
    finals = {**SIMPLE, "peer": {"a": [2.0], "b": [2.0]}}
    scores = _scores(finals)
    # The peer loses a and ties b of seed 0 to bbo, and beats random search in both.
    assert scores.mean_ranks().tolist() == [1.25, 3.0, 1.75]


def test_a_method_that_always_wins_is_ahead_by_an_interval_of_no_width():
    finals = {"bbo": {"a": [1.0] * 5}, "random": {"a": [3.0] * 5}, "peer": {"a": [2.0] * 5}}
    scores = _scores(finals)
    behind = scores.rank_differences()["peer"]
    assert (behind.mean, behind.low, behind.high) == (1.0, 1.0, 1.0)
    assert scores.problems_where_better("peer", "bbo") == []
    assert scores.problems_where_better("bbo", "peer") == ["a"]
    swapped = _scores({"bbo": finals["peer"], "random": finals["random"], "peer": finals["bbo"]})
    assert swapped.problems_where_better("peer", "bbo") == ["a"]


def test_a_few_wins_are_no_evidence():
    few = {"bbo": {"a": [1.0] * 4}, "random": {"a": [3.0] * 4}, "peer": {"a": [2.0] * 4}}
    assert _scores(few).problems_where_better("bbo", "peer") == []


def test_the_interval_of_a_difference_covers_as_the_normal_approximation_says():
    rng = np.random.default_rng(4)
    ours, theirs = rng.random(40), rng.random(40) + 0.2
    scores = _scores(
        {"bbo": {"a": ours.tolist()}, "random": {"a": [9.0] * 40}, "peer": {"a": theirs.tolist()}}, {"a": -1.0}
    )
    # In each cell the peer is 1 rank behind or ahead.
    signs = np.where(theirs > ours, 1.0, -1.0)
    se = signs.std() / math.sqrt(40)
    behind = scores.rank_differences()["peer"]
    assert behind.mean == pytest.approx(signs.mean())
    assert (behind.high - behind.low) == pytest.approx(2 * 1.96 * se, rel=0.15)


def test_a_tie_now_and_then_is_no_win():
    n = 10
    even = {"bbo": {"a": [1.0, 2.0] * 5}, "random": {"a": [9.0] * n}, "peer": {"a": [2.0, 1.0] * 5}}
    assert _scores(even, {"a": 0.0}).problems_where_better("peer", "bbo") == []


def test_trials_to_the_best_peer_are_those_to_its_final_of_the_same_cell():
    runs = {
        "bbo": [_run("bbo", "a", s, [9.0, 5.0, 4.0, 1.0]) for s in range(3)],
        "random": [_run("random", "a", s, [9.0] * 4) for s in range(3)],
        "good": [_run("good", "a", s, [9.0, 9.0, 9.0, v]) for s, v in enumerate([5.0, 4.5, 0.5])],
        "bad": [_run("bad", "a", s, [8.0] * 4) for s in range(3)],
    }
    assert Scores(runs, {"a": 0.0}, {}).trials_to_best_peer() == {"a": ("good", 3)}


def test_the_tables_name_every_method_and_problem():
    text = tables(_scores(SIMPLE))
    assert all(word in text for word in ("| bbo |", "| peer |", "| random |", "| a |", "| b |", "0.500"))


def test_without_any_peer_there_is_a_table_all_the_same():
    scores = _scores({m: SIMPLE[m] for m in ("bbo", "random")})
    assert scores.trials_to_best_peer() == {}
    assert "| bbo | 4 | 1.00 |" in tables(scores)


def test_a_problem_that_no_peer_ran_has_no_best_peer():
    scores = _scores(SIMPLE | {"bbo": {"a": [1.0, 1.0], "b": [2.0]}, "peer": {"a": [2.0, 1.0]}})
    assert list(scores.trials_to_best_peer()) == ["a"]
