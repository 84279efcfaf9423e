"""How a process without a store of its own asks the owner of one."""

from __future__ import annotations

from typing import Annotated

import msgspec

from perf.settingtree import Group, Seconds, says


class RemoteSettings(Group, frozen=True):
    """With ``store.backend = "remote"``: how the owner at *store.url* is asked, and what this process measures beside it."""

    timeout: Annotated[Seconds, says("how long an answer may take until its next byte")] = 15.0
    connect_timeout: Annotated[Seconds, says("how long a connection to the owner may take")] = 3.0
    retries: Annotated[int, msgspec.Meta(ge=0, le=10), says("times that a lost question is asked again")] = 2
    ca_file: Annotated[str, says("certificates (PEM) that vouch for an https owner; else the system's")] = ""
    instance: Annotated[str, says("label `instance` of what this process measures; else its host and port")] = ""
    host: Annotated[bool, says("true: also measure this machine, under that label")] = False
