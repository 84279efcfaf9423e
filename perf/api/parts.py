"""What endpoints share beside the runtime: one of each for each interface that is served."""

from __future__ import annotations

import msgspec
from starlette.requests import Request

from perf.api.endpoint import Endpoint
from perf.runtime import Runtime
from perf.transport.decode import Limits
from perf.transport.ledger import Ledger
from perf.transport.receiver import Receiver
from perf.transport.relay import Relay

PARTS = "perf.parts"
"""Key of the ASGI scope under which routing leaves them."""


class Listeners:
    """How many clients follow live events. Used by one event loop."""

    def __init__(self) -> None:
        self.count = 0

    def changed(self, by: int) -> None:
        """One more, or one less."""
        self.count += by


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """The parts: all *endpoints* of the interface; *receiver* takes OTLP; *listeners* follow events."""

    endpoints: tuple[Endpoint, ...]
    receiver: Receiver | Relay
    listeners: Listeners


def made(runtime: Runtime, endpoints: tuple[Endpoint, ...]) -> Parts:
    """New parts for *runtime* and *endpoints*."""
    return Parts(endpoints=endpoints, receiver=_receiver(runtime), listeners=Listeners())


def _receiver(runtime: Runtime) -> Receiver | Relay:
    """What takes OTLP: the owner's receiver, or the way to it."""
    if runtime.distant is not None:
        return Relay(runtime.distant.forward)
    return Receiver(
        runtime.writer.submit,
        runtime.clock,
        limits=Limits(max_age=runtime.settings.store.retention.raw),
        ledger=Ledger(runtime.store.producers().items()),
        deployed=runtime.releases.seen,
    )


def parts(request: Request) -> Parts:
    """Those of the interface that *request* came to."""
    found: Parts = request.scope[PARTS]
    return found
