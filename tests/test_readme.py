"""README.md is true: its example prints what stands below it."""

import re
import subprocess
import sys
from pathlib import Path

from bbo.studies.study_file import read_study_file

PAGE = Path(__file__).parents[1] / "README.md"


def test_the_example_prints_what_stands_below_it_and_goes_on_when_run_again(tmp_path):
    code, printed = re.search(r"```python\n(.*?)```\n\n```\n(.*?)```", PAGE.read_text(), re.DOTALL).groups()
    (tmp_path / "example.py").write_text(code + "print(len(study.trials))\n")
    for n_trials in (20, 40):
        said = subprocess.check_output([sys.executable, "example.py"], cwd=tmp_path, text=True)
        assert said == f"{printed}{n_trials}\n"


def test_the_examples_of_spaces_print_what_stands_below_them_and_so_does_their_study_file(tmp_path):
    page = (PAGE.parent / "docs" / "spaces.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```\n\n```\n(.*?)```", page, re.DOTALL)
    code, printed = ("".join(parts) for parts in zip(*blocks, strict=True))
    assert subprocess.check_output([sys.executable, "-c", code], cwd=tmp_path, text=True) == printed
    others = """
[[parameter]]
name = "carbon"
kind = "float"
low = 0.0
high = 1.0

[[objective]]
kind = "maximize"
metric = "strength"
"""
    (toml,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "study.toml").write_text(toml + others)
    (tmp_path / "stock.csv").write_text("carbon,price\n0.1,3.0\n0.4,2.5\n")
    assert [c.kind for c in read_study_file(tmp_path / "study.toml").space.constraints] == [
        "linear",
        "nonlinear",
        "forbidden",
        "pool",
    ]
