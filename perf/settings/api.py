"""How much the HTTP API answers."""

from __future__ import annotations

from typing import Annotated

import msgspec

from perf.settingtree import Group, says


class ApiSettings(Group, frozen=True):
    """What one client may ask for. Health checks never count."""

    rate: Annotated[
        float, msgspec.Meta(ge=0, le=1e6), says("requests a second that a client may go on with; 0: any number")
    ] = 100.0
    burst: Annotated[int, msgspec.Meta(ge=1, le=1_000_000), says("requests at once, before that rate counts")] = 2_000
    streams: Annotated[int, msgspec.Meta(ge=0, le=10_000), says("clients of live events at a time")] = 100
