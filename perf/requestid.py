"""The id of the request that is being answered: in every log line of it, in its problem, and in the header ``X-Request-ID``."""

from __future__ import annotations

import re
import uuid
from contextvars import ContextVar

HEADER = b"x-request-id"
current: ContextVar[str] = ContextVar("perf_request_id", default="")
"""Empty outside of requests. Worker threads of a request see it, too: they run in a copy of its context."""

_VALID = re.compile(r"[A-Za-z0-9._:/+=-]{1,64}")


def accepted(given: str) -> str:
    """*given* when it is short and harmless in a log, else a new one."""
    return given if _VALID.fullmatch(given) else uuid.uuid4().hex
