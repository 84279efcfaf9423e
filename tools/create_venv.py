"""Creates the virtual environment; run by any Python 3.11+, standard library only, without pip or uv of its own."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path


def missing_package() -> str:
    """What to install on a system that ships Python without its ``ensurepip`` (Debian and its children)."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return (
        f"This Python ({sys.executable}, {version}) can't create virtual environments: its ensurepip module is missing.\n"
        f"Debian and Ubuntu:  sudo apt-get install python3-venv     (or python{version}-venv for this very version)\n"
        "Or install uv, which needs neither."
    )


def create(target: Path) -> None:
    """A fresh environment with pip in *target*; whatever was there is removed first.

    Raises: SystemExit naming what to install when this Python can't do it.
    """
    shutil.rmtree(target, ignore_errors=True)
    if importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip"):
        command = [sys.executable, "-m", "venv", str(target)]
    elif uv := shutil.which("uv"):
        command = [uv, "venv", "--quiet", "--seed", "--python", sys.executable, str(target)]
    else:
        raise SystemExit(missing_package())
    if subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode:
        # Half an environment would look like a whole one to make.
        shutil.rmtree(target, ignore_errors=True)
        raise SystemExit(f"could not create {target}: {' '.join(command)}")


if __name__ == "__main__":
    create(Path(sys.argv[1]))
