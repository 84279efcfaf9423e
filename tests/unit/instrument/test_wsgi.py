from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import pytest
from werkzeug.test import Client, EnvironBuilder, run_wsgi_app

from perf.clock import SystemClock
from perf.instrument.wsgi import ROUTE, App, PerformanceMiddleware
from perf.record import Recorder
from perf.record.timers import recorded
from tests.unit.instrument.requested import longest, numbers, seen

PAUSE = threading.Event()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder(SystemClock())


def plain(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"x"]


def writes(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    write = start_response("201 Created", [("Content-Type", "text/plain")])
    write(b"by hand")
    return []


def lazy(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    start_response("202 Accepted", [("Content-Type", "text/plain")])
    for _ in range(3):
        PAUSE.wait(0.02)
        yield b"x"


def breaks_late(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"half"
    raise KeyError


def changes_its_mind(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    try:
        raise OSError
    except OSError as error:
        start_response("503 Busy", [("Content-Type", "text/plain")], (OSError, error, None))
    return [b"busy"]


def answered(app: App, **options: Any) -> tuple[bytes, str]:
    parts, status, _ = run_wsgi_app(app, EnvironBuilder(**options).get_environ())
    body = b"".join(parts)
    if hasattr(parts, "close"):
        parts.close()
    return body, status


@pytest.mark.parametrize(
    ("app", "status", "body"),
    [
        (plain, "200", b"x"),
        (writes, "201", b"by hand"),
        (lazy, "202", b"xxx"),
    ],
)
def test_every_way_to_answer_is_recorded(recorder: Recorder, app: App, status: str, body: bytes) -> None:
    found, said = answered(validator(PerformanceMiddleware(validator(app), recorder)), method="GET")
    assert (found, said[:3]) == (body, status)
    assert seen(recorder) == {("GET", status, "__unmatched__"): 1}
    assert numbers(recorder, "http_server_active_requests") == {(): 0.0}


def test_a_status_that_is_replaced_is_the_one_that_counts(recorder: Recorder) -> None:
    said: list[str] = []
    app = PerformanceMiddleware(changes_its_mind, recorder)
    assert app(EnvironBuilder().get_environ(), lambda status, *_: said.append(status) or print) == [b"busy"]
    assert said == ["200 OK", "503 Busy"]
    assert seen(recorder) == {("503", "GET", "503", "__unmatched__"): 1}


def test_a_stream_lasts_until_its_end_and_only_its_own_time_is_traced(recorder: Recorder) -> None:
    part = recorded(lambda: b"x", recorder, name="part")
    other = recorded(lambda: None, recorder, name="other")

    def stream(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        environ[ROUTE] = "/stream"
        for _ in range(3):
            PAUSE.wait(0.02)
            yield part()

    for _ in Client(PerformanceMiddleware(stream, recorder)).get("/", buffered=False).iter_encoded():
        other()
    assert longest(recorder) >= 0.06
    assert numbers(recorder, "trace_calls_total") == {
        ("part", "GET /stream", "function"): 3.0,
        ("other", "", "function"): 1.0,
        ("GET /stream", "", "request"): 1.0,
    }


def test_a_body_that_is_closed_before_its_end_counts_as_the_clients_leaving(recorder: Recorder) -> None:
    parts, _, _ = run_wsgi_app(PerformanceMiddleware(lazy, recorder), EnvironBuilder().get_environ())
    next(iter(parts))
    parts.close()  # type: ignore[attr-defined]  # it has it
    assert seen(recorder) == {("GET", "499", "__unmatched__"): 1}


def test_an_exception_passes_through_and_counts_with_its_type(recorder: Recorder) -> None:
    def broken(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        answered(PerformanceMiddleware(broken, recorder))
    with pytest.raises(KeyError):
        answered(PerformanceMiddleware(breaks_late, recorder))
    assert seen(recorder) == {
        ("RuntimeError", "GET", "500", "__unmatched__"): 1,
        ("KeyError", "GET", "500", "__unmatched__"): 1,
    }


@pytest.mark.parametrize("make", [list, tuple])
def test_a_list_is_handed_on_as_it_is(recorder: Recorder, make: Callable[[list[bytes]], Iterable[bytes]]) -> None:
    given = make([b"x"])

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return given

    assert PerformanceMiddleware(app, recorder)(EnvironBuilder().get_environ(), lambda *_: print) is given


def test_a_file_stays_what_the_server_can_send_by_itself(recorder: Recorder) -> None:
    environ = {**EnvironBuilder().get_environ(), "wsgi.file_wrapper": FileWrapper}
    with open(__file__, "rb") as file:  # noqa: PTH123 - what FileWrapper takes
        given = FileWrapper(file)

        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            start_response("200 OK", [])
            return given

        assert PerformanceMiddleware(app, recorder)(environ, lambda *_: print) is given
    assert seen(recorder) == {("GET", "200", "__unmatched__"): 1}


def test_slow_requests_are_kept_with_the_names_of_their_parameters(recorder: Recorder) -> None:
    app = PerformanceMiddleware(plain, recorder)
    answered(app, query_string="token=secret&page=7&secret&page=8&<b>=1")
    (kept,) = recorder.exemplars()
    assert kept.arguments == ("GET __unmatched__?token=&page=",)
    assert kept.parents == ()
    assert "secret" not in repr(kept)


def test_what_perf_does_wrong_reaches_nobody(recorder: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    app = PerformanceMiddleware(plain, recorder)
    environ = EnvironBuilder().get_environ()
    environ[ROUTE] = ["no", "text"]
    assert list(app(environ, lambda *_: print)) == [b"x"]
    assert recorder.dropped() == {"errors": 1}
    assert recorder.spans.live == set()
    assert "recording a call failed" in caplog.text


def test_middleware_inside_middleware_counts_once(recorder: Recorder) -> None:
    answered(PerformanceMiddleware(PerformanceMiddleware(plain, recorder), recorder))
    assert seen(recorder) == {("GET", "200", "__unmatched__"): 1}


def test_threads_leave_the_number_of_requests_right(recorder: Recorder) -> None:
    app = PerformanceMiddleware(plain, recorder)

    def work() -> None:
        for _ in range(200):
            answered(app)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen(recorder) == {("GET", "200", "__unmatched__"): 1_600}
    assert numbers(recorder, "http_server_active_requests") == {(): 0.0}
