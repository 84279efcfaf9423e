"""Writes requirements.lock: the exact version of every direct and indirect dependency, for every platform."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.install import LOCK, ROOT, pip_settings

_PASSED_ON = ("index-url", "extra-index-url", "find-links")
_OLDEST_PYTHON = "3.11"
FORBIDDEN = re.compile(r"^\s*-|://|file:|\s@\s", re.MULTILINE)


def uv_command(folder: Path) -> list[str]:
    """uv from PATH, or installed into *folder* for this one run."""
    found = shutil.which("uv")
    if found:
        return [found]
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", "uv"], check=True)
    return [str(folder / "bin" / "uv")]


def compiled(folder: Path) -> str:
    """The text of a new lock file, resolved with the indexes that pip is configured for."""
    places = [
        word
        for name, values in pip_settings().items()
        if name in _PASSED_ON
        for v in values
        for word in (f"--{name}", v)
    ]
    strategy = ["--index-strategy", "unsafe-best-match"] if "--extra-index-url" in places else []
    done = subprocess.run(
        [*uv_command(folder), "pip", "compile", "--quiet", "--universal", "--python-version", _OLDEST_PYTHON]
        + [
            "--upgrade",
            "--no-header",
            "--no-annotate",
            "--no-emit-index-url",
            "--no-emit-find-links",
            *strategy,
            *places,
        ]
        + ["requirements.txt", "requirements-dev.txt"],
        check=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    return done.stdout


def main() -> int:
    """Write the file; 1 when it would tell where its packages came from."""
    with tempfile.TemporaryDirectory() as folder:
        text = compiled(Path(folder))
    if place := FORBIDDEN.search(text):
        print(f"requirements.lock would name a place: {place[0]!r}", file=sys.stderr)
        return 1
    head = "# Exact versions for every platform and Python 3.11+, used as constraints (-c). Made by `make lock`.\n"
    LOCK.write_text(head + text, encoding="utf-8")
    print(f"{LOCK.name}: {text.count('==')} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
