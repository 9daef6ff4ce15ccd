"""The preconditioner of conjugate gradients, and its parameters, on a family of sparse systems.

Nothing is timed: counted are multiplications. Counts of iterations are the same on every machine, but where rounding
moves a residual over the tolerance: they may then differ by one, those without a preconditioner by one in a hundred.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bbo import seeding
from bbo.fidelity import paid
from bbo.objective import Minimize, Tracked
from bbo.problems.card import Card
from bbo.space import Categorical, Float, Int, Space

# What a seed is for, below the words of `bbo.seeding`.
_MEDIUM, _LOAD = 13, 14
_TOLERANCE, _MOST = 1e-8, 10_000


@dataclass(frozen=True)
class CGPreconditioner:
    """Preconditioner of conjugate gradients for diffusion in a rough medium, 7 variables: multiplications to 1e-8.

    Five-point finite volumes for the flow through a square whose conductivity is exp(g) along x, and `anisotropy` times
    that along y, zero beyond the edges; g is Gaussian, smoothed, of variance 1.

    | preconditioner | its parameters |
    |---|---|
    | none, jacobi | |
    | ssor | omega |
    | incomplete_cholesky | compensation: the share of the dropped fill that the diagonal bears; 1 keeps row sums |
    | block_jacobi | lines of the grid in a block, solved exactly, and along which axis the lines run |
    | chebyshev | number of its terms in the scaled matrix, and low, the lower end of its interval, which ends at 2 |

    Counted are multiplications per unknown, of the factorization and of all iterations: one for each stored element in
    a sparse product or triangular solve, and one for each element of a vector that is scaled or multiplied.

    Args:
        n_side: unknowns along each side.
        anisotropy: of the medium.
    """

    n_side: int = 32
    anisotropy: float = 0.1

    card: ClassVar[Card] = Card(
        "bbo; methods as in Saad, Iterative Methods for Sparse Linear Systems (2003), chapters 9, 10 and 12",
        noise="the system: its medium and its load",
        cost_unit="multiplications per unknown",
        remarks=(
            "A conditional space: each preconditioner has its own parameters.",
            "The cost is that of the seed 0.",
        ),
    )
    space: ClassVar[Space] = Space(
        (
            Categorical(
                "preconditioner", ("none", "jacobi", "ssor", "incomplete_cholesky", "block_jacobi", "chebyshev")
            ),
            Float("omega", 0.2, 1.95, when={"preconditioner": ("ssor",)}),
            Float("compensation", 0.0, 1.0, when={"preconditioner": ("incomplete_cholesky",)}),
            Int("lines", 1, 16, log=True, when={"preconditioner": ("block_jacobi",)}),
            Categorical("along", ("x", "y"), when={"preconditioner": ("block_jacobi",)}),
            Int("degree", 2, 12, when={"preconditioner": ("chebyshev",)}),
            Float("low", 1e-3, 1.0, log=True, when={"preconditioner": ("chebyshev",)}),
        )
    )
    objectives: ClassVar[tuple[Minimize | Tracked, ...]] = (
        Minimize("multiplications", unit="per unknown"),
        Tracked("iterations"),
    )

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        point = self.space.check(params)
        paid((), fidelity)
        A, b = self.system(seed)
        n = len(b)
        made = preconditioner(A, self.n_side, point)
        iterations = _iterations(A, b, made.apply)
        # Beside A p and M^-1 r these are (r, z), (p, A p), |r| and the steps of x, r and p.
        each = A.nnz + 6 * n + made.per_use
        return {"multiplications": (made.once + iterations * each) / n, "iterations": float(iterations)}

    def cost(self, params: Mapping[str, Any], fidelity: Mapping[str, float] | None = None) -> float:
        return self.evaluate(params, fidelity=fidelity)["multiplications"]

    def system(self, seed: int) -> tuple[Any, NDArray[np.float64]]:
        """Matrix, sparse, and right-hand side that the seed draws; unknowns along x are next to each other."""
        from scipy import sparse

        n = self.n_side
        g = seeding.generator(seed, seeding.NOISE, _MEDIUM).standard_normal((n + 2, n + 2))
        for axis in (0, 1):
            g = (np.roll(g, 1, axis) + g + np.roll(g, -1, axis)) / np.sqrt(3)
        # Rows are y, columns are x; on the edges too there is a medium, one cell of it.
        a = np.exp(g / g.std())
        along_x, along_y = _harmonic(a[1:-1, :-1], a[1:-1, 1:]), self.anisotropy * _harmonic(a[:-1, 1:-1], a[1:, 1:-1])
        diagonal = along_x[:, :-1] + along_x[:, 1:] + along_y[:-1] + along_y[1:]
        beside = along_x[:, 1:].copy()
        beside[:, -1] = 0.0
        right, above = (-beside.ravel()[:-1]).tolist(), (-along_y[1:-1].ravel()).tolist()
        A = sparse.diags_array(
            [above, right, diagonal.ravel().tolist(), right, above], offsets=[-n, -1, 0, 1, n]
        ).tocsc()
        A.eliminate_zeros()
        return A, seeding.generator(seed, seeding.NOISE, _LOAD).standard_normal(n * n)


def _harmonic(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = 2 * a * b / (a + b)
    return mean


@dataclass(frozen=True)
class Preconditioner:
    """An approximate inverse.

    Args:
        apply: it times a vector.
        once, per_use: multiplications to make it, and to apply it.
    """

    apply: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    once: float
    per_use: float


def preconditioner(A: Any, n_side: int, point: Mapping[str, Any]) -> Preconditioner:
    """Of a matrix on a grid; `point` has the name and the parameters, as the problem does."""
    kind, n, diagonal = point["preconditioner"], A.shape[0], A.diagonal()
    if kind == "none":
        return Preconditioner(lambda r: r, 0, 0)
    if kind == "jacobi":
        return Preconditioner(lambda r: r / diagonal, n, n)
    if kind == "ssor":
        return _factored(A, diagonal / point["omega"], once=n)
    if kind == "incomplete_cholesky":
        return _factored(A, _pivots(A, n_side, point["compensation"]), once=5 * n)
    if kind == "block_jacobi":
        return _blocks(A, n_side, point["lines"], point["along"])
    return _chebyshev(A, point["degree"], point["low"])


def _factored(A: Any, pivots: NDArray[np.float64], *, once: float) -> Preconditioner:
    """Of (P + L) P^-1 (P + L^T), with L the part of A below its diagonal."""
    from scipy import sparse

    lower = sparse.tril(A, -1, format="csc") + sparse.diags_array(pivots, format="csc")
    solve = _solver(lower)
    return Preconditioner(lambda r: solve.solve(pivots * solve.solve(r), trans="T"), once, 2 * lower.nnz + A.shape[0])


def _solver(matrix: Any) -> Any:
    """Factors without exchange of rows or columns: what is triangular stays itself."""
    from scipy.sparse.linalg import splu

    return splu(matrix, permc_spec="NATURAL", diag_pivot_thresh=0.0, options={"SymmetricMode": True})


def _pivots(A: Any, n_side: int, compensation: float) -> NDArray[np.float64]:
    """Of the incomplete factorization in the pattern of A, by Gustafsson with the share of the fill that is dropped."""
    pivots = A.diagonal().tolist()
    right, above = [*A.diagonal(1).tolist(), 0.0], [*A.diagonal(n_side).tolist(), *[0.0] * n_side]
    for k in range(len(pivots)):
        fill = compensation * right[k] * above[k]
        if k + 1 < len(pivots):
            pivots[k + 1] -= (right[k] ** 2 + fill) / pivots[k]
        if k + n_side < len(pivots):
            pivots[k + n_side] -= (above[k] ** 2 + fill) / pivots[k]
    return np.array(pivots)


def _blocks(A: Any, n_side: int, lines: int, along: str) -> Preconditioner:
    n = A.shape[0]
    order = np.arange(n) if along == "x" else np.arange(n).reshape(n_side, n_side).T.ravel()
    entries = A[order][:, order].tocoo()
    rows, columns = entries.coords
    within = rows // (n_side * lines) == columns // (n_side * lines)
    from scipy import sparse

    solve = _solver(sparse.csc_array((entries.data[within], (rows[within], columns[within])), shape=(n, n)))
    # Of a Cholesky factor, of the same pattern as L.
    below = np.diff(solve.L.indptr) - 1.0
    back = np.argsort(order)
    return Preconditioner(
        lambda r: solve.solve(r[order])[back], float((below * (below + 3) / 2).sum()), 2 * solve.L.nnz
    )


def _chebyshev(A: Any, degree: int, low: float) -> Preconditioner:
    """The polynomial p in S = D^-1 A with 1 - s p(s) least on [low, 2]; no eigenvalue of S is above 2."""
    n, scale = A.shape[0], 1 / A.diagonal()
    centre, half = (2 + low) / 2, (2 - low) / 2

    def apply(r: NDArray[np.float64]) -> NDArray[np.float64]:
        # Saad, algorithm 12.1, from zero.
        rho = half / centre
        residual: NDArray[np.float64] = scale * r
        step = residual / centre
        x: NDArray[np.float64] = step
        for _ in range(degree - 1):
            residual = residual - scale * (A @ step)
            before, rho = rho, 1 / (2 * centre / half - rho)
            step = rho * before * step + 2 * rho / half * residual
            x = x + step
        return x

    return Preconditioner(apply, n, 2 * n + (degree - 1) * (A.nnz + 3 * n))


def _iterations(A: Any, b: NDArray[np.float64], apply: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> int:
    """Of preconditioned conjugate gradients from zero."""
    r = b
    z = apply(r)
    p, rz = z, r @ z
    enough = _TOLERANCE * np.linalg.norm(b)
    for k in range(1, _MOST + 1):
        Ap = A @ p
        alpha = rz / (p @ Ap)
        r = r - alpha * Ap
        if np.linalg.norm(r) <= enough:
            return k
        z = apply(r)
        before, rz = rz, r @ z
        p = z + rz / before * p
    return _MOST
