"""Slows down guessing: after some failures from an address, or for a name, the next attempts are refused for a while."""

from __future__ import annotations

import ipaddress
import threading
from collections import OrderedDict

from perf.ports import Clock

PER_PLACE = 8
"""Failures of one address before it waits. A network behind one address shares them, and so does one of IPv6: 64 bits are one host's."""
PER_NAME = 30
"""Failures for one name, from wherever: so many that a stranger can't easily lock somebody out."""
WINDOW = 300.0
"""Seconds after which a failure is forgotten."""
LONGEST = 200
"""Characters of a name or an address that are told apart."""
KEPT = 10_000
"""Addresses and names that are remembered; the longest silent ones go first."""


class Throttle:
    """Failures by address and by name. May be used from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: OrderedDict[tuple[str, str], list[float]] = OrderedDict()

    def begin(self, address: str, name: str) -> float:
        """Seconds to wait; 0.0 when an attempt may be made, which counts as failed until `succeeded` says otherwise.

        Counted before it is verified: a hundred attempts at once must not all pass.
        """
        now = self._clock.monotonic()
        with self._lock:
            limits = ((_place(address), PER_PLACE), (_name(name), PER_NAME))
            waits = [self._wait(key, limit, now) for key, limit in limits]
            if any(waits):
                return max(waits)
            for key, _ in limits:
                self._failures.setdefault(key, []).append(now)
                self._failures.move_to_end(key)
            while len(self._failures) > KEPT:
                self._failures.popitem(last=False)
            return 0.0

    def succeeded(self, address: str, name: str) -> None:
        """Forget the failures of *address*, and one of *name*: others may still be guessing it."""
        with self._lock:
            self._failures.pop(_place(address), None)
            failures = self._failures.get(_name(name))
            if failures:
                failures.pop()

    def _wait(self, key: tuple[str, str], limit: int, now: float) -> float:
        recent = [at for at in self._failures.get(key, ()) if now - at < WINDOW]
        if recent:
            self._failures[key] = recent
        else:
            self._failures.pop(key, None)
        return recent[-limit] + WINDOW - now if len(recent) >= limit else 0.0


def _name(name: str) -> tuple[str, str]:
    return "name", name[:LONGEST]


def _place(text: str) -> tuple[str, str]:
    """What shares the failures of *text*: whoever has a network of IPv6 has 2**64 addresses to guess from."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return "address", text[:LONGEST]
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        address = mapped or ipaddress.IPv6Address(int(address) >> 64 << 64)
    return "address", str(address)
