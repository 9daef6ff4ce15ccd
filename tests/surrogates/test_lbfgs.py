import numpy as np
import pytest
import torch
from scipy.optimize import minimize, rosen, rosen_der

from bbo.surrogates import lbfgs
from bbo.surrogates.lbfgs import Box, maximize


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def on_rows(value, grad):
    """A batched function to be maximized from numpy's of one point to be minimized."""

    def value_and_grad(X):
        rows = X.numpy()
        return tensor([-value(x) for x in rows]), tensor(np.array([-grad(x) for x in rows]))

    return value_and_grad


def test_rosenbrock_is_climbed_from_every_start():
    X0 = torch.rand(6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 3 - 1
    X, value = maximize(on_rows(rosen, rosen_der), X0, Box(tensor([-2.0] * 5), tensor([2.0] * 5)), max_evaluations=300)
    # The function has a second minimum near x1 = -1, value 3.93.
    assert all(v == pytest.approx(0.0, abs=1e-8) or v == pytest.approx(-3.9308, abs=1e-3) for v in value.tolist())
    assert (value > -1e-8).sum() >= 4
    assert X.shape == (6, 5)


@pytest.mark.parametrize("seed", range(10))
def test_quadratic_with_active_bounds_ends_where_scipy_ends(seed):
    rng = np.random.default_rng(seed)
    d = 8
    root = rng.normal(size=(d, d))
    A, b = root @ root.T + 0.1 * np.eye(d), 5 * rng.normal(size=d)

    def value(x):
        return 0.5 * x @ A @ x - b @ x

    def grad(x):
        return A @ x - b

    reference = minimize(value, np.full(d, 0.5), jac=grad, bounds=[(0, 1)] * d, method="L-BFGS-B", tol=1e-14)
    X0 = tensor(rng.random((4, d)))
    X, best = maximize(on_rows(value, grad), X0, Box(tensor([0.0] * d), tensor([1.0] * d)), max_evaluations=400)
    assert ((reference.x < 1e-9) | (reference.x > 1 - 1e-9)).any()
    assert torch.allclose(X, tensor(reference.x).expand(4, d), atol=1e-5)
    assert torch.allclose(best, tensor(-reference.fun), rtol=1e-10)


def test_rosenbrock_with_its_optimum_outside_the_box_ends_where_scipy_ends():
    lower, upper = np.array([-1.5, -1.5, -1.5]), np.array([0.8, 0.8, 1.5])
    start = np.array([0.1, 0.2, 0.3])
    bounds = list(zip(lower, upper, strict=True))
    reference = minimize(rosen, start, jac=rosen_der, bounds=bounds, method="L-BFGS-B", tol=1e-14)
    X, _ = maximize(
        on_rows(rosen, rosen_der), tensor(start[None]), Box(tensor(lower), tensor(upper)), max_evaluations=200
    )
    assert torch.allclose(X[0], tensor(reference.x), atol=1e-6)


def test_ill_conditioned_quadratic_takes_not_many_more_evaluations_than_scipy():
    scales = np.logspace(0, 4, 12)
    calls = []

    def value(x):
        calls.append(0.5 * (scales * x * x).sum())
        return calls[-1]

    def grad(x):
        return scales * x

    bounds = [(-10, 10)] * 12
    options = {"ftol": 0, "gtol": 1e-6, "maxcor": 10}
    minimize(value, np.ones(12), jac=grad, method="L-BFGS-B", bounds=bounds, options=options)
    theirs = next(k for k, v in enumerate(calls) if v < 1e-6)
    calls.clear()
    box = tensor([-10.0] * 12), tensor([10.0] * 12)
    maximize(on_rows(value, grad), tensor(np.ones((1, 12))), Box(*box), max_evaluations=500, progress=0.0)
    assert next(k for k, v in enumerate(calls) if v < 1e-6) < 1.5 * theirs


def test_rows_do_not_wait_for_each_other():
    """A row among others ends where it ends alone."""
    X0 = torch.rand(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    box = tensor([-2.0] * 4), tensor([2.0] * 4)
    X, _ = maximize(on_rows(rosen, rosen_der), X0, Box(*box), max_evaluations=200)
    alone = [maximize(on_rows(rosen, rosen_der), x[None], Box(*box), max_evaluations=200)[0] for x in X0]
    assert torch.allclose(X, torch.cat(alone), atol=1e-5)


def test_looking_less_often_at_which_rows_are_done_changes_nothing_but_how_many_are_evaluated(monkeypatch):
    X0 = torch.rand(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2)) * 2 - 1
    box = tensor([-2.0] * 4), tensor([2.0] * 4)

    def found(check_every):
        monkeypatch.setitem(lbfgs._CHECK_EVERY, "cpu", check_every)
        n_rows = []

        def counted(X):
            n_rows.append(len(X))
            return on_rows(rosen, rosen_der)(X)

        X, value = maximize(counted, X0, Box(*box), max_evaluations=200, among=lambda rows: counted)
        return X, value, sum(n_rows)

    often, seldom = found(1), found(lbfgs._CHECK_ELSEWHERE_EVERY)
    assert torch.equal(often[0], seldom[0])
    assert torch.equal(often[1], seldom[1])
    assert often[2] < seldom[2] < 6 * 200


def test_values_that_are_not_finite_are_stepped_back_from():
    def value_and_grad(X):
        x = X[:, 0]
        return torch.where(x < 0.7, -((x - 0.69) ** 2), torch.nan), torch.where(x < 0.7, -2 * (x - 0.69), torch.nan)[
            :, None
        ]

    X, value = maximize(value_and_grad, tensor([[0.0], [0.9]]), Box(tensor([0.0]), tensor([1.0])), max_evaluations=60)
    assert X[0, 0].item() == pytest.approx(0.69, abs=1e-5)
    assert value[1] == -torch.inf


def test_concave_start_is_left_with_growing_steps():
    def value_and_grad(X):
        x = X[:, 0]
        return -x.cos(), x.sin()[:, None]

    X, _ = maximize(value_and_grad, tensor([[1e-3]]), Box(tensor([-1.0]), tensor([6.0])), max_evaluations=60)
    assert X[0, 0].item() == pytest.approx(torch.pi, abs=1e-4)


def test_given_coordinates_stay_and_calls_are_bounded():
    calls = []
    plain = on_rows(rosen, rosen_der)

    def value_and_grad(X):
        calls.append(1)
        return plain(X)

    lower, upper = tensor([-2.0, 0.3, -2.0]), tensor([2.0, 0.3, 2.0])
    X, _ = maximize(value_and_grad, torch.zeros(2, 3, dtype=torch.float64), Box(lower, upper), max_evaluations=7)
    assert len(calls) == 7
    assert (X[:, 1] == 0.3).all()


def test_rows_that_are_done_are_dropped_and_the_others_end_where_they_would_have():
    """A quadratic of its own in each row, some of them started where they end."""
    b, d = 12, 5
    rng = np.random.default_rng(0)
    roots, centres = tensor(rng.normal(size=(b, d, d))), tensor(rng.random((b, d)))
    sizes = []

    def among(rows):
        A, c = roots[rows] @ roots[rows].mT, centres[rows]

        def value_and_grad(X):
            sizes.append(len(X))
            slope = (A @ (X - c)[..., None])[..., 0]
            return -0.5 * ((X - c) * slope).sum(1), -slope

        return value_and_grad

    X0 = tensor(rng.random((b, d)))
    X0[3:7] = centres[3:7]
    box = tensor([0.0] * d), tensor([1.0] * d)
    plain = maximize(among(torch.arange(b)), X0, Box(*box), max_evaluations=100)
    assert set(sizes) == {b}
    sizes.clear()
    X, value = maximize(among(torch.arange(b)), X0, Box(*box), max_evaluations=100, among=among)
    assert sizes[0] == b
    assert sizes[-1] < b / 2
    assert torch.allclose(X, plain[0], rtol=0, atol=1e-9)
    assert torch.allclose(value, plain[1], rtol=0, atol=1e-12)
