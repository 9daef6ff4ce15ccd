"""What a figure was measured on."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path


def described() -> str:
    """CPU, cores, Python, torch and date, in a line."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    cpu = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    date = datetime.now(UTC).date().isoformat()
    python = platform.python_version()
    return f"{cpu}, {os.cpu_count()} cores, Python {python}, torch {version('torch')}, bbo {version('bbo')}, {date}"
