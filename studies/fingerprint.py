"""What a machine and its libraries are, as an `opened` event records it: where bits may differ, this says why."""

import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_LIBRARIES = ("bbo", "numpy", "scipy", "torch", "botorch", "gpytorch")


@cache
def fingerprint() -> dict[str, Any]:
    """Versions, CPU, number of CPUs and device of this process."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
        "cpus": os.cpu_count(),
        "device": "cpu",
        "versions": {name: _version(name) for name in _LIBRARIES},
    }


def differences(logged: dict[str, Any], here: dict[str, Any]) -> str:
    """What is otherwise here than it was, in words; empty when nothing."""
    flat_logged, flat_here = (({**f, **f.get("versions", {})}) for f in (logged, here))
    keys = sorted((flat_logged.keys() | flat_here.keys()) - {"versions"})
    return ", ".join(
        f"{key} {flat_logged.get(key)!r} then, {flat_here.get(key)!r} now"
        for key in keys
        if flat_logged.get(key) != flat_here.get(key)
    )


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
