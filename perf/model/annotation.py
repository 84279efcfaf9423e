"""Something worth a mark on every chart: a deploy, or a note."""

from __future__ import annotations

import msgspec

DEPLOY = "deploy"
NOTE = "note"
KINDS = (DEPLOY, NOTE)


class Annotation(msgspec.Struct, frozen=True, kw_only=True):
    """What happened at *ts* (Unix seconds): of `KINDS`; *title* is the release of a deploy; *service* is empty for all."""

    ts: float
    kind: str
    title: str
    service: str = ""
    text: str = ""
