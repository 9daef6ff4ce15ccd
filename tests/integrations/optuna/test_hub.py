"""The folder for OptunaHub is whole, and its example runs with the sampler that it loads."""

import importlib.util
import re
import sys
import types
from pathlib import Path

import optuna

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "hub" / "package" / "samplers" / "bbo"


def loaded(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_front_matter_has_what_the_hub_asks_for():
    _, front, text = (FOLDER / "README.md").read_text().split("---\n", 2)
    fields = dict(line.split(": ", 1) for line in front.strip().splitlines())
    assert list(fields) == ["author", "title", "description", "tags", "optuna_versions", "license"]
    assert fields["license"] == "MIT License"
    assert re.fullmatch(r"\[(\d+\.\d+\.\d+(, )?)+\]", fields["optuna_versions"])
    assert re.findall(r"^## (.*)", text, re.MULTILINE) == ["Abstract", "APIs", "Installation", "Example"]
    assert (FOLDER / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def test_the_example_finds_the_constrained_optimum(monkeypatch):
    package = loaded(FOLDER / "__init__.py", "hub_bbo")
    hub = types.ModuleType("optunahub")  # which fetches packages from a repository
    hub.load_module = {"samplers/bbo": package}.__getitem__
    monkeypatch.setitem(sys.modules, "optunahub", hub)
    example = loaded(FOLDER / "example.py", "hub_example")
    sampler = hub.load_module("samplers/bbo").BBOSampler(seed=0, constraints_func=example.constraints)
    study = optuna.create_study(sampler=sampler)
    study.optimize(example.objective, n_trials=30)
    assert study.best_params["model"] == "linear"
    assert 1.0 <= study.best_value < 1.05  # alpha = 1 and cache = 2
