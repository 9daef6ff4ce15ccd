"""Conjugate gradients against scipy's with preconditioners written out as full matrices, and known counts."""

import math

import numpy as np
import pytest
from scipy.linalg import eigvalsh
from scipy.sparse.linalg import cg

from bbo.problems import CGPreconditioner
from bbo.problems.solvers.conjugate_gradients import preconditioner

N = 12
SMALL = CGPreconditioner(n_side=N)
CASES = [
    {"preconditioner": "none"},
    {"preconditioner": "jacobi"},
    {"preconditioner": "ssor", "omega": 1.3},
    {"preconditioner": "incomplete_cholesky", "compensation": 0.0},
    {"preconditioner": "incomplete_cholesky", "compensation": 0.9},
    {"preconditioner": "block_jacobi", "lines": 1, "along": "x"},
    {"preconditioner": "block_jacobi", "lines": 3, "along": "y"},
    {"preconditioner": "block_jacobi", "lines": 5, "along": "x"},
    {"preconditioner": "chebyshev", "degree": 2, "low": 0.1},
    {"preconditioner": "chebyshev", "degree": 7, "low": 0.02},
]


def _incomplete(A, compensation):
    """Cholesky's factor with what falls outside of A's pattern dropped, or its share put on the diagonal of both."""
    W = A.copy()
    n = len(W)
    for k in range(n):
        for i in range(k + 1, n):
            for j in range(k + 1, n):
                change = W[i, k] * W[k, j] / W[k, k]
                if change and A[i, j]:
                    W[i, j] -= change
                elif change:
                    W[i, i] -= compensation * change
    L = np.tril(W)
    return L @ np.diag(1 / np.diag(W)) @ L.T


def _block(A, lines, along):
    y, x = np.divmod(np.arange(len(A)), N)
    block = (y if along == "x" else x) // lines
    return A * (block[:, None] == block)


def _inverse(A, point):
    """The preconditioner, as a full matrix."""
    D, L = np.diag(np.diag(A)), np.tril(A, -1)
    match point["preconditioner"]:
        case "none":
            return np.eye(len(A))
        case "jacobi":
            return np.linalg.inv(D)
        case "ssor":
            M = (D / point["omega"] + L) @ np.linalg.inv(D / point["omega"]) @ (D / point["omega"] + L).T
            return np.linalg.inv(M)
        case "incomplete_cholesky":
            return np.linalg.inv(_incomplete(A, point["compensation"]))
        case "block_jacobi":
            return np.linalg.inv(_block(A, point["lines"], point["along"]))
    # The residual polynomial is Chebyshev's, so of S similar to a symmetric matrix it is 1 - s p(s).
    low, half = point["low"], np.diag(1 / np.sqrt(np.diag(A)))
    values, vectors = np.linalg.eigh(half @ A @ half)
    chebyshev = np.polynomial.chebyshev.Chebyshev.basis(point["degree"])
    left = chebyshev((2 + low - 2 * values) / (2 - low)) / chebyshev((2 + low) / (2 - low))
    return half @ vectors @ np.diag((1 - left) / values) @ vectors.T @ half


@pytest.mark.parametrize("point", CASES, ids=str)
def test_what_is_applied_and_the_iterations_are_those_of_the_full_matrix(point):
    for seed in (1, 2):
        A, b = SMALL.system(seed)
        full = A.toarray()
        inverse = _inverse(full, point)
        r = np.random.default_rng(seed).standard_normal(len(b))
        assert preconditioner(A, N, point).apply(r) == pytest.approx(inverse @ r, rel=1e-9, abs=1e-9)
        counted = []
        cg(full, b, M=inverse, rtol=1e-8, atol=0.0, callback=counted.append)
        assert SMALL.evaluate(point, seed=seed)["iterations"] == pytest.approx(len(counted), abs=1)


@pytest.mark.parametrize("point", CASES, ids=str)
def test_multiplications_are_counted_from_the_elements_of_the_full_matrices(point):
    A, _ = SMALL.system(0)
    full, n = A.toarray(), N * N
    below = np.count_nonzero(np.tril(full, -1))
    match point["preconditioner"]:
        case "none":
            once, each = 0, 0
        case "jacobi":
            once, each = n, n
        case "ssor":
            once, each = n, 2 * (below + n) + n
        case "incomplete_cholesky":
            once, each = 5 * n, 2 * (below + n) + n
        case "block_jacobi":
            factor = np.linalg.cholesky(_block(full, point["lines"], point["along"]))
            if point["along"] == "y":
                order = np.arange(n).reshape(N, N).T.ravel()
                blocks = _block(full, point["lines"], "y")[np.ix_(order, order)]
                factor = np.linalg.cholesky(blocks)
            per_column = np.count_nonzero(factor, axis=0) - 1
            once, each = sum(m * (m + 3) / 2 for m in per_column), 2 * np.count_nonzero(factor)
        case _:
            once, each = n, 2 * n + (point["degree"] - 1) * (np.count_nonzero(full) + 3 * n)
    values = SMALL.evaluate(point)
    total = once + values["iterations"] * (np.count_nonzero(full) + 6 * n + each)
    assert values["multiplications"] == pytest.approx(total / n)


def test_the_systems_are_symmetric_positive_definite_and_differ_by_seed():
    first, second = (SMALL.system(seed) for seed in (0, 1))
    for A, _ in (first, second):
        full = A.toarray()
        assert (full == full.T).all()
        assert eigvalsh(full)[0] > 0
        assert (full - np.diag(np.diag(full)) <= 0).all()
        # Along x the medium conducts ten times as well.
        assert np.median(np.diag(full, 1)[np.diag(full, 1) < 0]) / np.median(np.diag(full, N)) == pytest.approx(
            10, rel=0.3
        )
    assert not np.array_equal(first[1], second[1])
    assert (first[0] != second[0]).nnz


def test_a_block_of_all_lines_is_a_direct_solver():
    assert SMALL.evaluate({"preconditioner": "block_jacobi", "lines": 12, "along": "x"})["iterations"] == 1


def test_full_compensation_keeps_the_sums_of_rows():
    A, _ = SMALL.system(3)
    ones = np.ones(N * N)
    made = preconditioner(A, N, {"preconditioner": "incomplete_cholesky", "compensation": 1.0})
    assert made.apply(A @ ones) == pytest.approx(ones, rel=1e-9)


def test_in_an_even_medium_finer_grids_take_so_many_more_iterations_as_the_root_of_the_condition():
    # On an even medium the condition grows as the square of the grid; the modified factorization takes a root of it.
    counts = {}
    for n_side in (16, 32):
        system = CGPreconditioner(n_side=n_side, anisotropy=1.0)
        for point in ({"preconditioner": "jacobi"}, {"preconditioner": "incomplete_cholesky", "compensation": 0.95}):
            found = np.mean([system.evaluate(point, seed=seed)["iterations"] for seed in range(3)])
            counts[point["preconditioner"], n_side] = found
    growth = [math.log2(counts[kind, 32] / counts[kind, 16]) for kind in ("jacobi", "incomplete_cholesky")]
    assert growth[0] == pytest.approx(1.0, abs=0.2)
    assert growth[1] == pytest.approx(0.5, abs=0.2)


def test_the_best_parameter_of_a_preconditioner_is_inside_its_range_and_the_best_of_others_is_worse():
    def mean(**point):
        return np.mean([CGPreconditioner().evaluate(point, seed=seed)["multiplications"] for seed in range(3)])

    cholesky = [mean(preconditioner="incomplete_cholesky", compensation=c) for c in (0.0, 0.95, 1.0)]
    assert cholesky[1] == min(cholesky)
    ssor = [mean(preconditioner="ssor", omega=omega) for omega in (0.8, 1.5, 1.9)]
    assert ssor[1] == min(ssor)
    terms = [mean(preconditioner="chebyshev", degree=6, low=low) for low in (1e-3, 0.02, 0.5)]
    assert terms[1] == min(terms)
    assert cholesky[1] < min(ssor[1], terms[1], mean(preconditioner="jacobi"))
