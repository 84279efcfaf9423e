"""Rules about the code itself that no linter states: what an import costs, what a page may know."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {
    "duckdb",
    "pandas",
    "polars",
    "streamlit",
    "plotly",
    "pyarrow",
    "numpy",
    "starlette",
    "uvicorn",
    "redis",
    "psutil",
}
PAGES = sorted((ROOT / "pages").glob("*.py"))
PAGE_IMPORTS = {"__future__", "dashboard", "streamlit"}


def loaded_by(statement: str) -> set[str]:
    """Top-level packages in memory after *statement* in a new interpreter."""
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


def imported(file: Path) -> set[str]:
    """Top-level packages that *file* imports anywhere in it."""
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named = {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in plain | named}


def test_importing_perf_is_cheap() -> None:
    assert loaded_by("import perf") & HEAVY == set()


def test_importing_settings_opens_no_engine_and_no_dashboard() -> None:
    assert loaded_by("import perf.settings, perf.plugins") & (HEAVY - {"numpy"}) == set()


def test_importing_perf_starts_no_thread() -> None:
    code = "import perf, perf.settings, perf.plugins, threading\nprint(threading.active_count())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout == "1\n"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_imports_only_the_dashboard_and_streamlit(page: Path) -> None:
    assert imported(page) - PAGE_IMPORTS == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_catches_nothing(page: Path) -> None:
    assert not [node for node in ast.walk(ast.parse(page.read_text(encoding="utf-8"))) if isinstance(node, ast.Try)]


def test_pages_are_not_beside_the_script_that_shows_them() -> None:
    # Streamlit runs a deep-linked page without the entry script, and so without its sign-in, when they are.
    assert not (ROOT / "dashboard" / "pages").exists()


def test_the_dashboard_asks_no_outside_address() -> None:
    config = (ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8")
    assert "://" not in config
