"""A program that counts and sends to the address in its settings, until its standard input ends; then it prints how much it counted."""

from __future__ import annotations

import sys
import threading

from perf.monitoring import log_processing_step, start_performance_monitoring, track_performance


@track_performance("event")
def event() -> None:
    """One event."""


def main() -> None:
    """Each event is counted twice: as an item, and as a call."""
    start_performance_monitoring()
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    number = 0
    while not ended.wait(0.01):
        event()
        log_processing_step("step", duration_ms=1.0, items_processed=1)
        number += 1
    sys.stdout.write(f"{number}\n")


if __name__ == "__main__":
    main()
