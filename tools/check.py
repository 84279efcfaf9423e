"""Runs every static check at once and reports all that fail, not only the first."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


def checks(code: list[str]) -> dict[str, list[str]]:
    """Name -> command of every check; *code* is what is type-checked."""
    return {
        "ruff check": [str(BIN / "ruff"), "check", "--quiet", "."],
        "ruff format": [str(BIN / "ruff"), "format", "--check", "--quiet", "."],
        "mypy": [str(BIN / "mypy"), *code],
        "import-linter": [str(BIN / "lint-imports"), "--no-cache"],
        "deptry": [str(BIN / "deptry"), "--no-ansi", "."],
        "vulture": [str(BIN / "vulture")],
        "tree": [sys.executable, "-m", "tools.check_tree"],
        "settings table": [sys.executable, "-m", "tools.settings_table", "--check"],
        "access table": [sys.executable, "-m", "tools.access_table", "--check"],
        "list of endpoints": [sys.executable, "-m", "tools.api_guide", "--check"],
    }


def run(command: list[str]) -> tuple[int, str]:
    """Exit code and everything the command said."""
    done = subprocess.run(
        command,
        check=False,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


def main(code: list[str]) -> int:
    """Print one line per check, and what a failing one said; 1 when any failed."""
    table = checks(code)
    with ThreadPoolExecutor(max_workers=2) as pool:
        results = dict(zip(table, pool.map(run, table.values()), strict=True))
    for name, (exit_code, said) in results.items():
        print(f"{'FAIL' if exit_code else 'ok  '}  {name}")
        if exit_code:
            print("      " + said.strip().replace("\n", "\n      "))
    return int(any(exit_code for exit_code, _ in results.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
