"""Maps the three top-level folders into the package: `strategies/` is imported as `bbo.strategies`, and so on."""

from setuptools import find_packages, setup

FOLDERS = ("problems", "strategies", "studies")
engine = find_packages(include=["bbo", "bbo.*"], exclude=[f"bbo.{f}*" for f in FOLDERS])
mapped = [f"bbo.{f}{sub}" for f in FOLDERS for sub in ["", *(f".{p}" for p in find_packages(f))]]

setup(packages=engine + mapped, package_dir={f"bbo.{f}": f for f in FOLDERS})
