"""Checks of the tree that no linter knows: sizes of files, names of classes, headers of SQL, paths of one machine."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHORT_CODE = {".py", ".js", ".sql", ".sh"}
MODULE_LINES = 300
PAGE_LINES = 60
VAGUE = (
    "Manager",
    "Service",
    "Handler",
    "Helper",
    "Util",
    "Utils",
    "Engine",
    "Enhanced",
    "Advanced",
    "Comprehensive",
    "Smart",
)
# Promised to users of older systems; each only delegates.
PROMISED = {"CacheManager", "OptimizationEngine", "AlertManager", "ProductionManager"}
_WORDS = re.compile(r"[A-Z][a-z]*")
_HOME = re.compile(r"(?:/home|/Users)/\w+|/root/[\w.]+|[A-Z]:\\\\Users")


def files() -> list[Path]:
    """Every file of the project, also those not committed yet; without git, all but hidden folders."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode == 0:
        found = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        found = [path for path in ROOT.rglob("*") if not any(p in (".venv", "__pycache__", "data") for p in path.parts)]
    return sorted(path for path in found if path.is_file())


def too_long(path: Path, text: str) -> Iterator[str]:
    """Modules over 300 lines, pages over 60; tests may be longer."""
    folder = path.relative_to(ROOT).parts[0]
    limit = PAGE_LINES if folder == "pages" else MODULE_LINES
    lines = text.count("\n")
    if folder != "tests" and path.suffix in SHORT_CODE and lines > limit:
        yield f"{lines} lines, at most {limit}: split it by idea"


def vague_names(path: Path, text: str) -> Iterator[str]:
    """Classes named for what they do to things instead of what they are; functions called ``*_impl``."""
    if path.suffix != ".py":
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef) and node.name not in PROMISED and set(_WORDS.findall(node.name)) & set(VAGUE):
            yield f"line {node.lineno}: class {node.name}: name it for what it is"
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.endswith("_impl"):
            yield f"line {node.lineno}: {node.name}: name the difference"


def bare_sql(path: Path, text: str) -> Iterator[str]:
    """SQL files that don't begin with the question they answer."""
    if path.suffix == ".sql" and not text.startswith("--"):
        yield "begins without a comment that says its question, parameters and columns"


def own_paths() -> list[str]:
    """Absolute paths of this checkout, interpreter and person; short ones such as /app mean nothing."""
    candidates = (ROOT, Path(sys.prefix), Path.home())
    return [str(path) for path in candidates if len(path.parts) > 2]


def leaks(path: Path, text: str) -> Iterator[str]:
    """Paths that exist on one machine only."""
    for number, line in enumerate(text.splitlines(), start=1):
        found = _HOME.search(line)
        word = found[0] if found else next((own for own in own_paths() if own in line), None)
        if word and path.name != Path(__file__).name:
            yield f"line {number}: a path of one machine: {word}"


def problems(path: Path) -> Iterator[str]:
    """Everything wrong with *path*; binary files are fine."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return
    for rule in (too_long, vague_names, bare_sql, leaks):
        yield from rule(path, text)


def main() -> int:
    """Print every problem; 1 when there is any."""
    found = [f"{path.relative_to(ROOT)}: {problem}" for path in files() for problem in problems(path)]
    print("\n".join(found))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
