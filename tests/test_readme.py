"""README.md is true: its example prints what stands below it."""

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[1] / "README.md"


def test_the_example_prints_what_stands_below_it_and_goes_on_when_run_again(tmp_path):
    code, printed = re.search(r"```python\n(.*?)```\n\n```\n(.*?)```", PAGE.read_text(), re.DOTALL).groups()
    (tmp_path / "example.py").write_text(code + "print(len(study.trials))\n")
    for n_trials in (20, 40):
        said = subprocess.check_output([sys.executable, "example.py"], cwd=tmp_path, text=True)
        assert said == f"{printed}{n_trials}\n"
