"""What an import loads: little, until it is used."""

import subprocess
import sys

import pytest

import bbo

HEAVY = ("torch", "botorch", "gpytorch", "pandas", "scipy", "sklearn", "matplotlib", "sqlalchemy", "rich")


def loaded_by(code):
    said = f"{code}\nimport sys\nprint(*[m for m in {HEAVY!r} if m in sys.modules])"
    return subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True).stdout.split()


def test_importing_bbo_and_what_a_study_needs_loads_nothing_heavy():
    assert loaded_by("import bbo") == []
    assert loaded_by("from bbo import Study, Space, Float, Minimize") == []


def test_a_process_that_only_tells_loads_no_torch(tmp_path):
    study = bbo.Study([bbo.Float("x", 0.0, 1.0)], bbo.Minimize("y"), storage=tmp_path / "s.db")
    study.ask()
    study.close()
    code = f"""
from bbo import Study
study = Study.load({str(tmp_path / "s.db")!r})
study.tell(0, 1.0)
assert study.best.values == {{"y": 1.0}}
study.close()
"""
    assert loaded_by(code) == ["sqlalchemy"]


def test_the_facade_has_few_names_and_resolves_them_all():
    assert len(bbo.__all__) <= 15
    assert all(getattr(bbo, name).__name__ == name for name in bbo.__all__)
    assert sorted(dir(bbo)) == sorted(bbo.__all__)
    with pytest.raises(AttributeError, match="it offers Study"):
        _ = bbo.study
