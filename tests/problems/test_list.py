"""The list of problems: names, descriptions and what importing it costs."""

import re
import subprocess
import sys

import pytest

import bbo.problems
from bbo.problems import PROBLEMS, Branin, make

FAMILIES = {
    "synthetic",
    "constrained",
    "engineering",
    "chemistry",
    "mixtures",
    "reinforcement learning",
    "machine learning",
    "hardware",
    "solvers",
    "scaling",
}


def test_make_gives_the_problem_of_that_name():
    assert make("branin") == Branin()


@pytest.mark.parametrize(
    ("typed", "meant"), [("welded_beam", "welded-beam"), ("Hartman6", "hartmann6"), ("brannin", "branin")]
)
def test_an_unknown_name_is_answered_with_near_ones(typed, meant):
    with pytest.raises(ValueError, match=f"no problem named '{typed}'.* '{meant}'"):
        make(typed)


def test_a_name_near_nothing_is_answered_with_all():
    with pytest.raises(ValueError, match="The names are: ackley, branin"):
        make("xyzzy")


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_problem_has_a_typable_name_a_family_and_a_line_of_description(name):
    entry = PROBLEMS[name]
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert entry.family in FAMILIES
    assert entry.description.endswith(".")
    assert len(entry.description) < 120


def test_classes_are_importable_from_the_package():
    assert set(bbo.problems.__all__) <= set(dir(bbo.problems))
    assert all(getattr(bbo.problems, name) is not None for name in bbo.problems.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Brannin'"):
        _ = bbo.problems.Brannin


@pytest.mark.parametrize(
    "code",
    [
        "import bbo.problems",
        "from bbo.problems import Costly, Program, Proxy, Relabelled",
        "from bbo.problems import PROBLEMS; [entry() for entry in PROBLEMS.values()]",
    ],
)
def test_listing_and_making_load_neither_sklearn_nor_torch_nor_scipy_nor_pandas(code):
    loaded = f"{code}; import sys; print([m for m in ('sklearn', 'torch', 'scipy', 'pandas') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", loaded], text=True).strip() == "[]"
