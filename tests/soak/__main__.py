"""Minutes of chaos against the cache; ends with 1 when a promise was broken.

python -m tests.soak [--seconds 600] [--seed 1]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.soak.chaos import Soak


def main() -> int:
    """Run it, and say what happened."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="perf-soak-") as folder:
        report = Soak(Path(folder), seed=given.seed).run(given.seconds)
    sys.stdout.write(report.text())
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
