"""The other process of the soak: asks for, sets and invalidates the same keys, until its time is over. Ends with 1 on any error."""

from __future__ import annotations

import random
import sys
import threading
import time
from pathlib import Path

from tests.soak.chaos import KEYS, made


def main(disk: str, url: str, backplane: str, seconds: str) -> None:
    """Use the caches for *seconds*."""
    cache = made(Path(disk), url, Path(backplane))
    chance, rest = random.Random(9), threading.Event()
    end = time.perf_counter() + float(seconds)
    while time.perf_counter() < end:
        key = f"key:{chance.randrange(KEYS)}"
        # It can't know the truth, so it stores nothing under these keys: it reads, and makes everybody forget.
        value = cache.get(key)
        if value is not None and value["key"] != key:
            raise AssertionError(f"{key}: got the value of {value['key']}")
        own = cache.get_or_set(f"own:{chance.randrange(KEYS)}", lambda: {"key": "own", "padding": bytes(1_000)})
        if own["key"] != "own":
            raise AssertionError(f"own: got {own['key']}")
        if chance.random() < 0.3:
            cache.delete(key)
        rest.wait(0.002)
    cache.close()


if __name__ == "__main__":
    main(*sys.argv[1:5])
