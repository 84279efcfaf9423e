"""Tells what processes without a store of their own measure of themselves apart from each other, and from the owner's."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import urlsplit

import msgspec

from perf.model import Labels, Measurement

LABEL = "instance"


def named(wanted: str, url: str) -> str:
    """What this process, which answers at *url* (nothing: nowhere), is called unless it has a *wanted* name."""
    port = urlsplit(url).port
    return wanted or (f"{socket.gethostname()}:{port}" if port else socket.gethostname())


def labelled(samples: Sequence[Measurement], instance: str) -> list[Measurement]:
    """*samples* with the label that names *instance*, where they have none."""
    return [msgspec.structs.replace(one, labels=_with(one.labels, instance)) for one in samples]


@lru_cache(maxsize=5_000)
def _with(labels: Labels, instance: str) -> Labels:
    if any(name == LABEL for name, _ in labels):
        return labels
    return tuple(sorted((*labels, (LABEL, instance))))
