"""What can be chosen in the audit log."""

from __future__ import annotations

import re
from pathlib import Path

from dashboard.keyring import ACTIONS

ROOT = Path(__file__).resolve().parents[3]
_NOTED = re.compile(r'audit\.note\(\s*f?"([a-z-]+)|access\.doing\(Scope\.\w+, "([a-z-]+)')


def test_every_action_that_is_noted_can_be_chosen() -> None:
    sources = [
        path.read_text(encoding="utf-8") for part in ("perf", "dashboard") for path in (ROOT / part).rglob("*.py")
    ]
    noted = {one or other for source in sources for one, other in _NOTED.findall(source)}
    assert {"sign-in", "checks", "channel", "profile", "log-level", "cache", "api"} <= noted
    assert [action for action in sorted(noted) if not action.startswith(ACTIONS[1:])] == []
