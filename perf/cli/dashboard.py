"""Records, and shows the dashboard: the whole of perf on one port. Exit code: the server's, 2 when it could not start."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from perf import settings as tree
from perf.api.hosts import answered, with_pages
from perf.cli import address
from perf.errors import PerfError

SUMMARY = "record, and show the dashboard"
EXAMPLES = """\
examples:
  python -m perf dashboard
  python -m perf dashboard --port 8600

SIGTERM or Ctrl+C writes what is queued, checkpoints the store and ends.
"""

APP = Path(__file__).resolve().parents[2] / "app.py"
CONFIG = APP.parent / ".streamlit" / "config.toml"
"""Without it Streamlit tells its makers of each visit, and shows tracebacks to readers."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this verb."""
    address.arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Check what would stop the server, then become it."""
    settings = address.addressed(tree.load(options.config), options.host, options.port)
    with_pages(settings.access)
    answered(settings.server.host, insecure=settings.insecure, access=settings.access)
    for needed in (APP, CONFIG):
        if not needed.exists():
            raise PerfError(
                f"no dashboard here: {needed} is missing; install perf from its checkout, `pip install -e .`"
            )
    with address.listener(settings.server) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(APP)]
    where = ["--server.address", settings.server.host, "--server.port", str(port)]
    sys.stdout.flush()
    os.execve(sys.executable, [*command, *where], tree.child_environment(options.config))  # noqa: S606  # No shell.
