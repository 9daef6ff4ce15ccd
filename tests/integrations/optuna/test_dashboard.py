"""Optuna Dashboard shows a study that was exported: seen by a browser."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from bbo import Float, Int, Minimize, OutcomeConstraint, Study
from bbo.cli import app
from bbo.strategies import SobolSearch

STARTS_S = 120.0
N_TRIALS = 12


@pytest.fixture(scope="module")
def browser():
    """The command of a headless Chromium."""
    found = os.environ.get("BBO_CHROMIUM_BIN") or shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if found is None:
        why = "no Chromium on this machine: install chromium-headless-shell, or name the program in BBO_CHROMIUM_BIN"
        if os.environ.get("BBO_CHROMIUM") == "required":
            pytest.fail(why)
        pytest.skip(why)
    return [found, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1400,1800"]


@pytest.fixture
def dashboard(tmp_path, monkeypatch):
    """The address of a dashboard on an exported study."""
    monkeypatch.chdir(tmp_path)
    wanted = [Minimize("cost"), OutcomeConstraint("stress", upper=1.0)]
    space = [Float("width", 0.1, 2.0), Int("bolts", 1, 9)]
    with Study(space, wanted, strategy=SobolSearch(), storage="bbo.db", name="bridge", seed=1) as study:
        study.run(lambda t: {"cost": t["width"] * t["bolts"], "stress": 1.5 / t["width"]}, N_TRIALS)
    said = CliRunner().invoke(app, ["export", "--optuna", "sqlite:///optuna.db"], catch_exceptions=False)
    assert said.exit_code == 0
    assert said.stdout.startswith("bridge: 12 trials in sqlite:///optuna.db")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    program = Path(sys.executable).with_name("optuna-dashboard")
    command = [str(program), "sqlite:///optuna.db", "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    url, until = f"http://127.0.0.1:{port}/dashboard", time.monotonic() + STARTS_S
    try:
        while True:
            try:
                urllib.request.urlopen(url, timeout=5).close()
                break
            except OSError:
                assert server.poll() is None, server.communicate()[0]
                assert time.monotonic() < until, "the dashboard does not answer"
                time.sleep(0.2)
        yield url
    finally:
        server.terminate()
        server.communicate()


def test_a_browser_sees_the_figures_of_an_exported_study(browser, dashboard, tmp_path):
    page, picture = f"{dashboard}/studies/1", tmp_path / "page.png"
    looks = [*browser, f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=20000"]
    dom = subprocess.run([*looks, "--dump-dom", page], capture_output=True, text=True, check=True, timeout=180).stdout
    assert "bridge" in dom
    figures = re.findall(r'class="[^"]*js-plotly-plot', dom)
    assert len(figures) >= 3
    assert len(re.findall(r'<path class="point"', dom)) >= N_TRIALS
    for name in ("width", "bolts", "History", "Hyperparameter Importance", "Infeasible"):
        assert name in dom
    subprocess.run([*looks, f"--screenshot={picture}", page], capture_output=True, check=True, timeout=180)
    with Image.open(picture) as image:
        colours = np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0)
    assert len(colours) > 50
