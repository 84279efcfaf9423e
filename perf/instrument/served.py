"""What is recorded of an HTTP request that a program answers, whatever the framework: the adapters say when and which."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from perf.instrument.methods import known_method
from perf.model import Kind, Metric
from perf.record.late import Call, Late
from perf.record.spans import Span, pause, resume

if TYPE_CHECKING:
    from perf.record import Recorder

DURATION = Metric(
    "http_server_request_duration_seconds", Kind.HISTOGRAM, "s", "Duration of HTTP requests, body included."
)
ACTIVE = Metric("http_server_active_requests", Kind.GAUGE, "{request}", "HTTP requests that are being answered.")

UNMATCHED = "__unmatched__"
RECORDED = "perf.recorded"
"""Marks a request that middleware further out records already."""
CLIENT_CLOSED = 499
"""The status of a request whose client went away before the end of the answer, as nginx counts it."""
CACHED = 10_000
MAX_PARAMETERS = 12

_PARAMETER = re.compile(r"[A-Za-z][\w.\[\]-]{0,39}")


class Requests:
    """The requests that one application answers, on any number of threads or tasks."""

    def __init__(self, recorder: Recorder | None = None) -> None:
        """*recorder* defaults to the process's own."""
        if recorder is None:
            from perf.record import current

            recorder = current()
        self.recorder = recorder
        self._late = Late(recorder, "request")
        self._open: list[None] = []
        self._active = recorder.gauge(ACTIVE)
        self._calls: dict[tuple[str, str, int, str], Call] = {}

    def begin(self) -> Span | None:
        """A request begins; its span, when it is traced."""
        self._open.append(None)
        self._count()
        return self._late.enter()

    def end(self, span: Span | None, took_ns: int, find: Callable[[], Call], query: str | bytes = b"") -> None:
        """Its answer is complete; *find* tells what it was, by way of `call`."""
        self._open.pop()
        self._count()
        self._late.ended(span, took_ns, find, lambda call: (call.name + redacted(query),))

    def call(self, method: str, route: str, status: int, error: str = "") -> Call:
        """What is recorded of a request to *route*, a template, that failed with an *error*, the name of a type, if any."""
        key = (known_method(method), route, status, error)
        found = self._calls.get(key)
        if found is None:
            found = self._made(*key)
            if len(self._calls) >= CACHED:
                self._calls.clear()
            self._calls[key] = found
        return found

    def _made(self, method: str, route: str, status: int, error: str) -> Call:
        error = error or (str(status) if status >= 500 else "")
        labels = {"error_type": error} if error else {}
        labels |= {"http_request_method": method, "http_response_status_code": str(status), "http_route": route}
        return Call(self.recorder.distribution(DURATION, labels), f"{method} {route}", error)

    def _count(self) -> None:
        # Each step is one in C. Another thread may set an older number last: whoever does looks again.
        number = -1
        while number != len(self._open):
            number = len(self._open)
            self._active.set(number)


class Body(Iterator[bytes]):
    """The body of an answer that is made while it is sent.

    *done* hears once how it ended: None, what it failed with, or GeneratorExit when it was closed before its end.
    """

    def __init__(self, parts: Iterable[bytes], span: Span | None, done: Callable[[BaseException | None], None]) -> None:
        self._parts = iter(parts)
        self._close = getattr(parts, "close", None)
        self._span = span
        self._done: Callable[[BaseException | None], None] | None = done

    def __next__(self) -> bytes:
        span = self._span
        try:
            if span is None:
                return next(self._parts)
            resume(span)
            try:
                return next(self._parts)
            finally:
                pause(span)
        except StopIteration:
            self.finish(None)
            raise
        except BaseException as error:
            self.finish(error)
            raise

    def close(self) -> None:
        """The server is through with it."""
        try:
            if self._close is not None:
                self._close()
        finally:
            self.finish(GeneratorExit())

    def finish(self, failure: BaseException | None) -> None:
        """Tell how it ended; the first time counts."""
        done, self._done = self._done, None
        if done is not None:
            done(failure)


def outcome(status: int, failure: BaseException | None) -> tuple[int, str]:
    """The status of an answer that began with *status*, or not (0), and ended with *failure*; and the error to count."""
    if isinstance(failure, GeneratorExit):
        return CLIENT_CLOSED, ""
    return (status or 500, "") if failure is None else (500, type(failure).__name__)


def redacted(query: str | bytes) -> str:
    """The names of the parameters of a *query* string, without values: ``?page=&sort=``."""
    text = query.decode("latin-1") if isinstance(query, bytes) else query
    names = [name for part in text.split("&")[:MAX_PARAMETERS] for name, sign, _ in [part.partition("=")] if sign]
    shown = [f"{name}=" for name in dict.fromkeys(names) if _PARAMETER.fullmatch(name)]
    return "?" + "&".join(shown) if shown else ""
