"""Installs requirement files into this environment, held to the versions in requirements.lock."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"

# uv reads none of pip's configuration: with one of these set it would ask another index than the person configured.
_WHERE_FROM = {
    "index-url",
    "extra-index-url",
    "find-links",
    "no-index",
    "constraint",
    "proxy",
    "cert",
    "trusted-host",
    "client-cert",
}


def pip_settings() -> dict[str, list[str]]:
    """What pip's files and environment say about where packages come from: option -> values."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=False, capture_output=True, text=True
    )
    found: dict[str, list[str]] = {}
    for line in listed.stdout.splitlines():
        key, _, value = line.partition("=")
        option = key.rpartition(".")[2]
        if option in _WHERE_FROM:
            known = found.setdefault(option, [])
            known.extend(word for word in value.strip("'\"").split() if word not in known)
    return found


def command(files: list[str]) -> list[str]:
    """The command that installs *files*: uv when the person has it and pip isn't told where to look, else pip."""
    wanted = [word for file in files for word in ("-r", str(ROOT / file))] + ["-c", str(LOCK)]
    uv = shutil.which("uv")
    if uv and not pip_settings():
        return [uv, "pip", "install", "--quiet", "--python", sys.executable, *wanted]
    return [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", *wanted]


def main(files: list[str]) -> int:
    """Install *files*; the exit code of the installer."""
    print(f"Installing {' and '.join(files)} ...", flush=True)
    return subprocess.run(command(files), check=False, stdin=subprocess.DEVNULL).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
