"""Spaces at random, of all kinds of parameter and constraint, for property tests."""

import numpy as np
from hypothesis import strategies as st

from bbo.space import Categorical, Float, Forbidden, Int, Linear, Nonlinear, Ordinal, Permutation, Pool, Simplex, Space

finite = st.floats(-1e6, 1e6, allow_nan=False)
# A choice with parameters of its own, one of which has one of its own.
TREE = (
    Categorical("model", ["svm", "nn", "knn"]),
    Float("C", 1e-2, 1e2, log=True, when={"model": ["svm"]}),
    Categorical("opt", ["sgd", "adam"], when={"model": ["nn"]}),
    Float("momentum", 0.0, 1.0, when={"opt": ["sgd"]}),
    Int("k", 1, 9, when={"model": ["knn"]}),
)
KINDS = ("float", "log", "step", "int", "logint", "stepint", "ordinal", "categorical", "permutation")


@st.composite
def parameters(draw, name, kinds=KINDS, when=None):
    kind = draw(st.sampled_from(kinds))
    if kind == "float":
        low = draw(finite)
        return Float(name, low, low + draw(st.floats(1e-3, 1e6)), when=when)
    if kind == "log":
        low = draw(st.floats(1e-9, 1e3))
        return Float(name, low, low * draw(st.floats(1.1, 1e9)), log=True, when=when)
    if kind == "step":
        step, low = draw(st.sampled_from([0.1, 0.0625, 0.25, 5.0])), draw(st.integers(-20, 20))
        return Float(name, low * step, (low + draw(st.integers(1, 200))) * step, step=step, when=when)
    if kind == "int":
        low = draw(st.integers(-1000, 1000))
        return Int(name, low, low + draw(st.integers(1, 10**6)), when=when)
    if kind == "logint":
        low = draw(st.integers(1, 50))
        return Int(name, low, low + draw(st.integers(1, 10**5)), log=True, when=when)
    if kind == "stepint":
        step, low = draw(st.integers(2, 9)), draw(st.integers(-9, 9))
        return Int(name, low, low + step * draw(st.integers(1, 30)), step=step, when=when)
    if kind == "simplex":
        return draw(simplices(name, when=when))
    if kind == "permutation":
        return draw(permutations(name, when=when))
    values = draw(st.lists(st.one_of(st.integers(0, 9), st.text(max_size=3), st.none()), min_size=1, unique=True))
    return Ordinal(name, values, when=when) if kind == "ordinal" else Categorical(name, values, when=when)


@st.composite
def simplices(draw, name, when=None):
    n = draw(st.integers(2, 6))
    parts = [f"s{k}" for k in range(n)]
    total = draw(st.sampled_from([1.0, 100.0, 0.3]))
    least = {p: total * draw(st.sampled_from([0.0, 0.0, 0.1])) for p in parts}
    n_needed = sum(v > 0 for v in least.values())
    most = {p: max(least[p], total * draw(st.sampled_from([1.0, 1.0, 0.7]))) for p in parts}
    size = draw(st.none() | st.integers(max(2, n_needed), n))
    return Simplex(name, parts, total=total, lower=least, upper=most, max_parts=size, when=when)


@st.composite
def permutations(draw, name, when=None):
    size = draw(st.sampled_from([2, 3, 3, 4, 5, 9]))
    possible = st.sampled_from(["a", "A", "b, c", "0.5", "no 1", "nan", "=1", "-x", 0, 1, -2, 2.5, None, False])
    items = draw(st.lists(possible, min_size=size, max_size=size, unique=True))
    return Permutation(name, items, cyclic=size > 2 and draw(st.booleans()), when=when)


@st.composite
def spaces(draw, kinds=KINDS, n_most=5):
    return Space([draw(parameters(f"p{j}", kinds)) for j in range(draw(st.integers(1, n_most)))])


@st.composite
def trees(draw, kinds=(*KINDS, "simplex"), n_most=5):
    """Spaces whose parameters are there under conditions, nested ones too."""
    root = Categorical("p0", ["a", "b", "c"])
    made = [root]
    for j in range(1, draw(st.integers(2, n_most))):
        parent = draw(st.sampled_from([p for p in made if p.kind in ("categorical", "ordinal")]))
        values = draw(st.lists(st.sampled_from(parent.listed), min_size=1, unique_by=lambda v: (type(v), v)))
        when = draw(st.none() | st.just({parent.name: values}))
        made.append(draw(parameters(f"p{j}", kinds, when)))
    return Space(made)


@st.composite
def constrained(draw, kinds=KINDS):
    """Spaces with constraints of all kinds, each satisfied by one point that was drawn first."""
    plain = draw(trees((*kinds, "simplex")) | spaces((*kinds, "simplex")))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    point = plain.by_term(plain.sample(1, rng)[0])
    numbers = [name for name in point if plain.terms[name].kind in ("float", "int", "part", "place")]
    constraints = []
    for _ in range(draw(st.integers(0, 2)) if numbers else 0):
        chosen = draw(st.lists(st.sampled_from(numbers), min_size=1, max_size=3, unique=True))
        terms = {name: draw(st.sampled_from([-1.0, 1.0, 2.0])) for name in chosen}
        at = sum(c * point[name] for name, c in terms.items())
        room = 0.3 * sum(abs(c * point[name]) for name, c in terms.items()) + 1e-3
        constraints.append(Linear(terms, upper=at + room))
        if draw(st.booleans()):
            constraints.append(Nonlinear(f"`{chosen[0]}` >= {point[chosen[0]] - room!r}"))
    listed = [p for p in plain.parameters if p.kind in ("categorical", "ordinal") and p.n_levels > 1]
    if len(listed) > 1 and draw(st.booleans()):
        pair = draw(st.permutations(listed))[:2]
        others = {p.name: [v for v in p.listed if p.name not in point or v is not point[p.name]] for p in pair}
        constraints.append(Forbidden({name: values for name, values in others.items() if values}))
    return Space(plain.parameters, constraints)


@st.composite
def pooled(draw):
    """Spaces whose points are rows of a table, and the points."""
    plain = draw(trees() | spaces((*KINDS, "simplex")))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    points = plain.sample(draw(st.integers(1, 12)), rng)
    cells = [plain.flat(point) for point in points]
    table = {name: [row.get(name) for row in cells] for name in plain.cells}
    return Space(plain.parameters, [Pool(table)]), points


@st.composite
def bound_together(draw):
    """Spaces with constraints between points too, with so many points that satisfy them, and what these have fixed."""
    drawn, n = draw(constrained([kind for kind in KINDS if "log" not in kind])), draw(st.integers(1, 4))
    always = [name for p in drawn.parameters if not p.when and p.kind != "permutation" for name in p.columns]
    # Conditions that no program knows are not looked ahead to, so another point may leave nothing that satisfies them.
    known = [c for c in drawn.constraints if c.kind != "nonlinear" and set(c.names) <= set(always)]
    space = Space(drawn.parameters, known)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    given = space.sample(1, rng)[0]
    names = draw(st.lists(st.sampled_from([p.name for p in space.parameters if not p.when]), max_size=2, unique=True))
    fixed = {name: given[name] for name in names}
    points = [space.by_term(p) for p in space.fix(fixed).sample(n, rng)]
    numbers = [name for name in always if space.terms[name].kind in ("float", "int", "part")]
    between = []
    for _ in range(draw(st.integers(1, 2)) if numbers else 0):
        chosen = draw(st.lists(st.sampled_from(numbers), min_size=1, max_size=2, unique=True))
        terms = {name: draw(st.sampled_from([-1.0, 1.0, 3.0])) for name in chosen}
        at = sum(c * p[name] for p in points for name, c in terms.items())
        room = draw(st.sampled_from([0.0, 0.0, 0.3])) * sum(
            abs(c * p[name]) for p in points for name, c in terms.items()
        )
        bounds = draw(st.sampled_from([("lower",), ("upper",), ("lower", "upper")]))
        between.append(
            Linear(terms, between_points=True, **{b: at + (room if b == "upper" else -room) for b in bounds})
        )
    return Space(space.parameters, (*space.constraints, *between)), n, fixed
