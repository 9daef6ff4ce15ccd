"""README.md and the pages without a transcript are true: their examples print what stands below them."""

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


def test_the_ways_from_other_frameworks_run(tmp_path):
    section = PAGE.read_text().partition("## From Optuna")[2].partition("\n## ")[0]
    codes = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    assert len(codes) == 5
    assert all(len(code.strip().splitlines()) < 10 for code in codes)
    (tmp_path / "yields.csv").write_text("temperature,base,yield\n40,KOH,31\n60,Et3N,52\n80,KOH,64\n")
    ends = [
        "assert study.best_value < 1e-3",
        "assert len(client.get_next_trials(max_trials=2)) == 2",
        "study.run(lambda trial: (trial['x'] - 2) ** 2, n_trials=10)\nassert study.best.values['loss'] < 1",
        "from sklearn.datasets import load_iris\nassert search.fit(*load_iris(return_X_y=True)).best_score_ > 0.95",
        "assert len(pd.read_csv('next.csv')) == 8",
    ]
    for code, end in zip(codes, ends, strict=True):
        said = subprocess.run(
            [sys.executable, "-c", code + end], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert said.returncode == 0, said.stderr


def test_the_page_of_doors_prints_what_stands_below_its_examples(tmp_path):
    page = (PAGE.parent / "docs" / "doors.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```\n\n```\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == page.count("```python")
    code, printed = ("".join(parts) for parts in zip(*blocks, strict=True))
    said = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert said.stdout == printed, said.stderr


def test_the_page_of_problems_prints_what_stands_below_its_examples(tmp_path):
    page = (PAGE.parent / "problems" / "README.md").read_text()
    files = dict(re.findall(r"^```python (\S+)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE))
    blocks = re.findall(r"^```python\n(.*?)^```\n\n```\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert len(blocks) + len(files) == page.count("```python")
    for name, code in files.items():
        (tmp_path / name).write_text(code)
    code, printed = ("".join(parts) for parts in zip(*blocks, strict=True))
    said = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert said.stdout == printed, said.stderr
