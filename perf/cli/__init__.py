"""The command line: one file a verb."""

from perf.cli.command import main

__all__ = ["main"]
