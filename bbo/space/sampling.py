"""Points at random in a region of the cube.

Where columns are bound together they are drawn by a Markov chain whose limit is uniform: hit-and-run on the columns
that vary in a continuum (Smith, Oper. Res. 32 (1984)), and changes of levels, of places and of the parts that are
present. Where several equalities bind levels these take whole numbers of steps along a lattice; Baumert et al., Oper.
Res. 57 (2009).
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from bbo.errors import NoPointError
from bbo.space.constraints import SLACK
from bbo.space.lattice import Lattice
from bbo.space.permutation import in_order
from bbo.space.program import Program
from bbo.space.region import Mask, Mixture, Positions, Region

_TIGHT = 1e-9
_MAKES_UP = 0.7  # how often two discrete columns move together, where equalities bind them
# What is drawn independently is kept where it satisfies all; a chain is walked where fewer than one in so many do.
_TRIES = 64
_STEPS = 32  # of a chain, for each column
_MOST_STEPS = 2000
# From so many branches, and sets of parts or rows of pools, points are drawn at once.
_MOST_BRANCHES, _MOST_STARTS = 64, 32
_PRESENT = 1e-5  # a part that is there amounts to more, and programs take less for 0


def sample(region: Region, n: int, rng: np.random.Generator) -> Positions:
    """Points uniform over a region, `n x d`; fewer, even none, where it has no member.

    Raises:
        NoPointError: hardly any point satisfies the tests.
    """
    return Sampler(region).sample(n, rng)


@dataclass(frozen=True)
class Sampler:
    """Draws points of one region."""

    region: Region

    def sample(self, n: int, rng: np.random.Generator) -> Positions:
        """As the function."""
        if n == 0:
            return np.empty((0, self.region.dim))
        if self.region.branches:
            return self._of_branches(n, rng)
        if any(self._is_cut(mixture) for mixture in self.region.mixtures):
            starts = self._of_supports(n, rng)
            if len(starts):
                return self._walk(np.resize(starts, (n, self.region.dim)), rng)
        kept = np.empty((0, self.region.dim))
        tried, least = 0, 4 * max(n, _TRIES)
        while len(kept) < n and (tried < least or len(kept) * _TRIES >= tried):
            U = self._independent(max(n, _TRIES), rng)
            tried += max(n, _TRIES)
            kept = np.vstack([kept, U[self.region.contains(U)]])
        if len(kept) >= n:
            return kept[:n]
        starts = np.vstack([kept, self._starts(rng)])
        if not len(starts) and self.region.pools:
            starts = self._of_rows(n, rng)
        if not len(starts) and self.region.tests:
            starts = self._searched(rng)
        return self._walk(starts[rng.integers(len(starts), size=n)], rng) if len(starts) else starts

    def _of_branches(self, n: int, rng: np.random.Generator) -> Positions:
        """Points of branches at random, by how many combinations of levels these have; of those that have members.

        Raises:
            NoPointError: none has, and tests are why.
        """
        branches, refusal = list(self.region.branches), None
        U = np.full((n, self.region.dim), np.nan)
        while branches and np.isnan(U).any():
            missing = np.flatnonzero(np.isnan(U).any(1))
            shares = np.array([branch.share for branch in branches])
            chosen = rng.choice(len(branches), size=min(len(missing), _MOST_BRANCHES), p=shares / shares.sum())
            chosen = np.resize(chosen, len(missing))
            tried = [branches[k] for k in np.unique(chosen)]
            for k, branch in zip(np.unique(chosen), tried, strict=True):
                try:
                    found = Sampler(branch).sample(int((chosen == k).sum()), rng)
                except NoPointError as error:
                    refusal = error
                    found = np.empty((0, self.region.dim))
                if len(found):
                    U[missing[chosen == k]] = found
                else:
                    branches = [other for other in branches if other is not branch]
        if not branches and refusal is not None:
            raise refusal
        drawn: Positions = U[~np.isnan(U).any(1)]
        return drawn

    def _is_cut(self, mixture: Mixture) -> bool:
        """Whether an equality binds the amounts of a sparse mixture, so that not all sets of parts have equal room."""
        others = self.region.E[len(self.region.mixtures) :, mixture.at]
        is_given = bool((self.region.lower == self.region.upper)[mixture.at].all())
        return mixture.is_sparse and not is_given and bool(np.any(others))

    def _of_supports(self, n: int, rng: np.random.Generator) -> Positions:
        """Members with as many parts as mixtures may have, sets of parts at random; fewer where few sets have any."""
        found: list[Positions] = []
        for _ in range(_TRIES):
            face = self.region
            for mixture in self.region.mixtures:
                if mixture.is_sparse:
                    low = np.maximum(mixture.least, face.lower[mixture.at])
                    is_in = _supports(1, low > mixture.none, mixture.n_present, rng)[0]
                    absent = np.flatnonzero(~is_in)
                    face = face.given((mixture.columns[0] + absent).tolist(), mixture.none[absent])
                    face.lower[mixture.at] = np.where(is_in, np.maximum(low, mixture.none + _PRESENT), mixture.none)
            x = Program.of(replace(face, mixtures=())).solve(rng.standard_normal(self.region.dim))
            if x is not None:
                u = self.region.on_levels(x[None])[0]
                # A mean of corners may lie on an edge of the face, where a part is missing.
                u = (u + self._inward(u, rng)) / 2
                found += [u] if self.region.contains(u[None])[0] else []
            if len(found) == min(n, _MOST_STARTS):
                break
        return np.array(found).reshape(-1, self.region.dim)

    def _of_rows(self, n: int, rng: np.random.Generator) -> Positions:
        """Members each at rows of pools at random; fewer where few have any."""
        found = np.empty((0, self.region.dim))
        for _ in range(_TRIES):
            face = replace(self.region, pools=())
            for pool in self.region.pools:
                face = face.given(pool.columns.tolist(), pool.U[rng.integers(len(pool))])
            found = np.vstack([found, Sampler(face)._starts(rng)[:1]])
            if len(found) == min(n, _MOST_STARTS):
                break
        return found

    def _searched(self, rng: np.random.Generator) -> Positions:
        """Members among many points that satisfy all but the tests.

        Raises:
            NoPointError: there are none; says what each test accepts.
        """
        U = Sampler(replace(self.region, tests=(), forbidden=())).sample(self.region.most_tried, rng)
        is_in = self.region.contains(U)
        if not is_in.any():
            rates = "; ".join(f"{said}: {accepts(U).mean():.2%}" for said, accepts in self.region.tests)
            raise NoPointError(
                f"None of {len(U):,} points that satisfy all else was accepted. By constraint: {rates}. "
                "Mend the one that accepts too little, or narrow the ranges to where it holds."
            )
        return U[is_in]

    def _independent(self, n: int, rng: np.random.Generator) -> Positions:
        """Columns drawn by themselves, simplices as wholes and within their lower bounds alone."""
        U = self.region.lower + (self.region.upper - self.region.lower) * rng.random((n, self.region.dim))
        for j, centres in self.region.levels.items():
            U[:, j] = centres[rng.integers(len(centres), size=n)]
        for pool in self.region.pools:
            U[:, pool.columns] = pool.U[rng.integers(len(pool), size=n)]
        for row, mixture in enumerate(self.region.mixtures):
            if (self.region.lower == self.region.upper)[mixture.at].all():
                continue
            weights, room = self.region.E[row, mixture.at], self.region.e[row]
            shares = rng.exponential(size=(n, len(weights)))
            low = np.maximum(mixture.least, self.region.lower[mixture.at])
            if mixture.is_sparse:
                is_in = _supports(n, low > mixture.none, mixture.n_present, rng)
                low = np.where(is_in, low, mixture.none)
                shares *= is_in
            shares /= shares.sum(1, keepdims=True)
            left = room - (low * weights).sum(-1)
            U[:, mixture.at] = low + shares * np.reshape(left, (-1, 1)) / weights
        for at in self.region.orders:
            U[:, at] = in_order(U[:, at])
        return np.clip(U, self.region.lower, self.region.upper)[self.region.is_in_box(U)]

    def _starts(self, rng: np.random.Generator) -> Positions:
        """Some members, found by mixed-integer programs with objectives at random, and moved inwards; `k x d`."""
        found = Program.of(self.region).vertices(rng)
        if not len(found):
            return found
        U = self.region.on_levels(found)
        if self.region.discrete or any(m.is_sparse for m in self.region.mixtures):
            U = np.array([self._inward(u, rng) for u in U])
        else:
            U = U.mean(0, keepdims=True)
        return U[self.region.contains(U)]

    def _inward(self, u: Positions, rng: np.random.Generator) -> Positions:
        """A point in the middle of the face that a member, `d`, is on: its levels, its order, and as many parts."""
        face = self.region.given(self.region.discrete, u[self.region.discrete])
        for mixture in self.region.mixtures:
            if mixture.is_sparse:
                order = np.argsort(rng.random(len(mixture.none)) - 2.0 * (u[mixture.at] > mixture.none + SLACK))
                absent = order[mixture.n_present :]
                face = face.given((mixture.columns[0] + absent).tolist(), mixture.none[absent])
        found = Program.of(replace(face, mixtures=())).vertices(rng)
        middle: Positions = found.mean(0) if len(found) else u
        return middle

    def _walk(self, U: Positions, rng: np.random.Generator) -> Positions:
        """The ends of Markov chains, one from each row."""
        U = U.copy()
        movable = np.broadcast_to(self.region.is_continuous, U.shape).copy()
        for mixture in self.region.mixtures:
            if mixture.is_sparse:
                movable[:, mixture.at] &= U[:, mixture.at] > mixture.none + SLACK
        orders = self.region.orders
        n_kinds = 1 + bool(self.region.levels) + sum(m.is_sparse for m in self.region.mixtures) + bool(orders)
        for step in range(min(_MOST_STEPS, _STEPS * self.region.dim * n_kinds)):
            kind = step % n_kinds
            if kind == 0:
                self._slide(U, movable, rng)
            elif kind == 1 and self.region.levels:
                if self._lattice is not None and (step // n_kinds) % 2:
                    self._step(U, movable, self._lattice, rng)
                else:
                    self._change_level(U, movable, rng)
            elif kind == n_kinds - 1 and orders:
                self._reorder(U, movable, orders[(step // n_kinds) % len(orders)], rng)
            else:
                sparse = [m for m in self.region.mixtures if m.is_sparse]
                self._exchange(U, movable, sparse[(step // n_kinds) % len(sparse)], rng)
        return U

    def _slide(self, U: Positions, movable: Mask, rng: np.random.Generator) -> None:
        """A step of hit-and-run, in place."""
        D = self._along(rng.standard_normal(U.shape) * movable, movable)
        low, high = _chord(U, D, self.region.lower, self.region.upper, self.region.A, self.region.b)
        V = np.clip(U + (low + (high - low) * rng.random(len(U)))[:, None] * D, self.region.lower, self.region.upper)
        self._take(U, V, np.ones(len(U), dtype=bool))

    def _along(self, D: Positions, movable: Mask) -> Positions:
        """Directions within the equalities, of the movable columns."""
        if not len(self.region.E):
            return D
        return D - _pulled(D, self.region.E, 0.0, movable)

    @cached_property
    def _lattice(self) -> Lattice | None:
        return Lattice.of(self.region) if self.region.levels else None

    def _step(self, U: Positions, movable: Mask, lattice: Lattice, rng: np.random.Generator) -> None:
        """A step of hit-and-run along a lattice, in place: all that lie on a line come up equally often."""
        D = lattice.directions(len(U), rng)
        D -= _pulled(D, lattice.rows, 0.0, movable)
        low, high = _chord(U, D, self.region.lower, self.region.upper, self.region.A, self.region.b)
        low, high = np.ceil(low - _TIGHT), np.floor(high + _TIGHT)
        n_steps = low + np.floor((high - low + 1.0) * rng.random(len(U)))
        V = np.clip(U + n_steps[:, None] * D, self.region.lower, self.region.upper)
        self._take(U, self.region.on_levels(V), np.ones(len(U), dtype=bool))

    def _change_level(self, U: Positions, movable: Mask, rng: np.random.Generator) -> None:
        """One or two discrete columns of each row at other levels, where that is allowed; in place.

        What equalities lose by that the continuous columns make up for, and two columns may for each other.
        """
        V = U.copy()
        columns, rows = list(self.region.levels), np.arange(len(U))
        moved = np.array(columns)[rng.integers(len(columns), size=len(U))]
        for j in columns:
            is_moved = moved == j
            V[is_moved, j] = self.region.levels[j][rng.integers(len(self.region.levels[j]), size=int(is_moved.sum()))]
        if len(self.region.E) and len(columns) > 1:
            # Another one makes up for it in one of the equalities, where it has a level for that.
            row, other = rng.integers(len(self.region.E)), np.array(columns)[rng.integers(len(columns), size=len(U))]
            weight = self.region.E[row, other]
            missed = V @ self.region.E[row] - self.region.e[row]
            makes_up = (other != moved) & (weight != 0) & (rng.random(len(U)) < _MAKES_UP)
            V[rows[makes_up], other[makes_up]] -= (missed / np.where(weight == 0, 1.0, weight))[makes_up]
            V = self.region.on_levels(V)
        if len(self.region.E):
            V -= _pulled(V, self.region.E, self.region.e, movable)
        self._take(U, V, np.ones(len(U), dtype=bool))

    def _reorder(self, U: Positions, movable: Mask, at: slice, rng: np.random.Generator) -> None:
        """An item of each row at another place, those between close up, or two items exchanged; in place.

        Every second move goes one place far: so all orders that linear constraints leave are reached from each other,
        where these say who comes before whom. Bubley & Dyer, Discrete Math. 201 (1999).
        """
        n, k = len(U), at.stop - at.start
        place = np.rint(U[:, at] * k - 0.5)
        goes, comes = rng.integers(k, size=(2, n, 1))
        is_near = rng.random((n, 1)) < 0.5
        comes = np.where(is_near, goes + rng.choice([-1, 1], size=(n, 1)), comes)
        between = np.sign(goes - comes) * ((np.minimum(goes, comes) <= place) & (place <= np.maximum(goes, comes)))
        is_swap = rng.random((n, 1)) < 0.5
        others = np.where(is_swap, np.where(place == comes, goes, place), place + between)
        V = U.copy()
        V[:, at] = (np.where(place == goes, comes, others) + 0.5) / k
        if len(self.region.E):
            V -= _pulled(V, self.region.E, self.region.e, movable)
        self._take(U, V, ((comes >= 0) & (comes < k))[:, 0])

    def _exchange(self, U: Positions, movable: Mask, mixture: Mixture, rng: np.random.Generator) -> None:
        """One part of a mixture gives its amount to one that is absent, or both stay; in place."""
        n, at = len(U), mixture.at
        row = self.region.mixtures.index(mixture)
        weights = self.region.E[row, at]
        is_present = movable[:, at]
        gives = np.argmax(rng.random(is_present.shape) * (is_present & (mixture.least <= mixture.none + SLACK)), 1)
        takes = np.argmax(rng.random(is_present.shape) * ~is_present, 1)
        rows = np.arange(n)
        V = U.copy()
        amount = (V[rows, at.start + gives] - mixture.none[gives]) * weights[gives]
        V[rows, at.start + gives] = mixture.none[gives]
        V[rows, at.start + takes] = mixture.none[takes] + amount / weights[takes]
        may = is_present[rows, gives] & ~is_present[rows, takes]
        is_taken = self._take(U, V, may)
        movable[rows[is_taken], at.start + gives[is_taken]] = False
        movable[rows[is_taken], at.start + takes[is_taken]] = True

    def _take(self, U: Positions, V: Positions, may: Mask) -> Mask:
        """Puts rows of V that are members in the place of those of U; which they are."""
        is_taken = may & self.region.is_in_box(V)
        is_taken[is_taken] = self.region.contains(V[is_taken], slack=_TIGHT)
        U[is_taken] = V[is_taken]
        return is_taken


def _pulled(V: Positions, E: Positions, e: Positions | float, movable: Mask) -> Positions:
    """The least change of the movable columns that takes E v - e off, of each row v: `n x d`."""
    missed = V @ E.T - e
    moved = E * movable[:, None, :]
    is_held = np.abs(moved).sum(2) == 0  # rows without a movable column
    gram = moved @ E.T + np.eye(len(E)) * (1e-14 + is_held)[:, :, None]
    pulled: Positions = (moved.mT @ np.linalg.solve(gram, missed[..., None]))[..., 0]
    return pulled


def _chord(
    U: Positions, D: Positions, lower: Positions, upper: Positions, A: Positions, b: Positions
) -> tuple[Positions, Positions]:
    """How far one can go from each row along its direction, back and forth, `n` each."""
    rates = np.hstack([D, -D, D @ A.T])
    room = np.maximum(np.hstack([upper - U, U - lower, b - U @ A.T]), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = room / rates
    ahead = np.where(rates > 1e-13, steps, np.inf).min(1)
    back = np.where(rates < -1e-13, steps, -np.inf).max(1)
    return np.where(np.isfinite(back), back, 0.0), np.where(np.isfinite(ahead), ahead, 0.0)


def _supports(n: int, is_needed: Mask, size: int, rng: np.random.Generator) -> Mask:
    """Sets of parts at random, `n x k`, those needed among them."""
    order = np.argsort(rng.random((n, len(is_needed))) - 2.0 * is_needed, axis=1)
    is_in = np.zeros((n, len(is_needed)), dtype=bool)
    np.put_along_axis(is_in, order[:, :size], True, axis=1)
    return is_in
