"""The wheel, the links and the mapping of the three top-level folders agree."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("problems", "strategies", "studies")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    where = tmp_path_factory.mktemp("wheel")
    source = where / "source"
    # A copy without links, as an archive for a system that has none would be.
    ignored = ("*.egg-info", "build")
    source.mkdir()
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        (source / name).write_bytes((ROOT / name).read_bytes())
    for folder in ("bbo", *FOLDERS):
        for file in sorted((ROOT / folder).rglob("*")):
            inside = file.relative_to(ROOT)
            if file.suffix in (".py", ".typed", ".md") and not any(file.match(pattern) for pattern in ignored):
                if any((ROOT / parent).is_symlink() for parent in inside.parents):
                    continue
                (source / inside).parent.mkdir(parents=True, exist_ok=True)
                (source / inside).write_bytes(file.read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet", "-w", str(where)]
    subprocess.run([*command, str(source)], check=True, capture_output=True, cwd=where)
    return next(where.glob("*.whl"))


def modules_of_the_checkout():
    for folder in ("bbo", *FOLDERS):
        for file in (ROOT / folder).rglob("*.py"):
            inside = file.relative_to(ROOT)
            if not any((ROOT / parent).is_symlink() for parent in inside.parents):
                yield str(inside) if folder == "bbo" else f"bbo/{inside}"


def test_the_wheel_holds_every_module_once_under_bbo(wheel):
    packed = [name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".py")]
    assert sorted(packed) == sorted(modules_of_the_checkout())
    assert "bbo/py.typed" in zipfile.ZipFile(wheel).namelist()


def test_links_and_mapping_agree():
    for folder in FOLDERS:
        link = ROOT / "bbo" / folder
        assert link.is_symlink()
        assert str(link.readlink()) == f"../{folder}"
        assert f'"{folder}"' in (ROOT / "setup.py").read_text()


def test_the_folders_are_no_packages_of_their_own_outside_the_checkout(tmp_path):
    code = "import bbo.strategies, bbo.problems, bbo.studies\nimport strategies"
    tried = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert tried.returncode != 0
    assert "No module named 'strategies'" in tried.stderr
