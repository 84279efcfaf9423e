"""Is the installation whole: Python, packages, settings?"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import perf
from perf import settings as tree
from perf.cli.checks.verdict import Check, fail, ok
from perf.errors import SettingsError
from perf.settings import Settings

OLDEST = (3, 11)
NEEDED = ("duckdb", "msgspec", "numpy", "orjson", "psutil", "pyarrow", "starlette", "uvicorn")
SCREEN = ("streamlit", "plotly", "pandas")


def python(running: tuple[int, int, int] = sys.version_info[:3]) -> Check:
    """The interpreter."""
    shown = ".".join(map(str, running))
    if running[:2] < OLDEST:
        return fail("python", shown, f"install Python {OLDEST[0]}.{OLDEST[1]} or newer")
    return ok("python", f"{shown} ({sys.executable}), perf {perf.__version__}")


def packages(needed: Iterable[str] = NEEDED, screen: Iterable[str] = SCREEN) -> Iterator[Check]:
    """What is installed, and what the dashboard needs on top."""
    for name, wanted in (("packages", needed), ("dashboard", screen)):
        found = {package: _version(package) for package in wanted}
        missing = [package for package, at in found.items() if at is None]
        if missing:
            yield fail(name, f"missing: {', '.join(missing)}", f"pip install {' '.join(missing)}")
        else:
            yield ok(name, ", ".join(f"{package} {at}" for package, at in found.items()))


def settings(config: Path | None) -> tuple[Check, Settings | None]:
    """Where settings come from and which differ from their defaults; also the settings, if they can be read."""
    try:
        file, variables = tree.origins(config)
        loaded = tree.load(config)
    except SettingsError as error:
        return fail("settings", str(error), "correct the file or the variable"), None
    origin = ", ".join([str(file) if file else "no file", *variables])
    changed = ", ".join(f"{one.key}={value}" for one, value in tree.in_force(loaded) if value != one.shown)
    return ok("settings", f"from {origin}; {changed or 'all as by default'}"), loaded


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
