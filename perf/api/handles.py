"""How many files and connections a server may have open at a time: as many as the system grants it, not the few that shells begin with."""

from __future__ import annotations

import logging

MOST = 65_536
"""More than clients of one process make; some systems grant no more, whatever they say."""

_log = logging.getLogger(__name__)


def plenty() -> None:
    """Raise the limit of this process: at 1,024, a thousand clients that send nothing would keep everybody else out, health checks too."""
    try:
        import resource  # not on Windows, where there is no such limit either
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    granted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft == resource.RLIM_INFINITY or soft >= granted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (granted, hard))
    except (OSError, ValueError) as error:
        _log.warning("at most %d files and connections at a time: %s", soft, error)
