"""What both sides agree on: the version of what they speak, its header, media types and bounds."""

from __future__ import annotations

VERSION = 1
"""Grows when a process with the number before could no longer understand this one."""
HEADER = "x-perf-store"
"""Carries the version, in requests and in answers."""

JSON = "application/json"
ARROW = "application/vnd.apache.arrow.stream"
MSGPACK = "application/msgpack"

LARGEST_QUESTION = 1_000_000
"""Bytes of a question, or of a change."""
LARGEST_BATCH = 16 * 2**20
"""Bytes of measurements, unpacked."""
MOST_QUESTIONS = 50
"""Questions about series in one request."""
MOST_MEASUREMENTS = 100_000
"""Measurements in one request."""

PRODUCER = "remote/"
"""How the names begin under which processes with a remote store number what they append."""
