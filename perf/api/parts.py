"""What endpoints share beside the runtime: one of each for each interface that is served."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from starlette.requests import Request

from perf.api.endpoint import Endpoint
from perf.health import Health
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


class Verdicts:
    """The newest verdict of the health checks as it is sent. Used by one event loop."""

    def __init__(self) -> None:
        self._of: Health | None = None
        self._bodies: dict[tuple[bool, bool], bytes] = {}

    def written(self, found: Health, form: tuple[bool, bool], write: Callable[[], bytes]) -> bytes:
        """What *write* makes of *found* in this *form*, made once."""
        if self._of is not found:
            self._of, self._bodies = found, {}
        body = self._bodies.get(form)
        if body is None:
            body = self._bodies[form] = write()
        return body


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """The parts: all *endpoints* of the interface; *receiver* takes OTLP; *listeners* follow events; *verdicts* of health."""

    endpoints: tuple[Endpoint, ...]
    receiver: Receiver | Relay
    listeners: Listeners
    verdicts: Verdicts


def made(runtime: Runtime, endpoints: tuple[Endpoint, ...]) -> Parts:
    """New parts for *runtime* and *endpoints*."""
    return Parts(endpoints=endpoints, receiver=_receiver(runtime), listeners=Listeners(), verdicts=Verdicts())


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
