from __future__ import annotations

import threading
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from flask import Blueprint, Flask, Response, abort, request
from werkzeug.serving import make_server

from perf.clock import SystemClock
from perf.instrument.flask import instrument, uninstrument
from perf.record import Recorder
from perf.record.timers import recorded
from tests.services import eventually
from tests.unit.instrument.requested import numbers, seen


@pytest.fixture
def recorder() -> Recorder:
    return Recorder(SystemClock())


@pytest.fixture
def app(recorder: Recorder) -> Flask:
    app, shop = Flask("site"), Blueprint("shop", "shop", url_prefix="/shop")
    price = recorded(lambda number: number, recorder, name="price")
    rule = app.add_url_rule
    rule("/", "index", lambda: "x")
    rule("/broken", "broken", broken)
    rule("/gone/<name>", "gone", lambda name: abort(410))
    rule("/stream", "stream", lambda: Response(str(price(1)) for _ in range(3)))
    shop.add_url_rule("/items/<int:number>", "item", lambda number: str(price(number)), methods=["GET", "POST"])
    app.before_request(lambda: "guarded" if "guard" in request.args else None)
    app.register_blueprint(shop)
    instrument(app, recorder=recorder)
    instrument(app, recorder=recorder)
    return app


def broken() -> str:
    raise LookupError("broken")


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/", ("GET", "200", "/")),
        ("GET", "/?guard=1", ("GET", "200", "/")),
        ("GET", "/shop/items/7", ("GET", "200", "/shop/items/<int:number>")),
        ("POST", "/shop/items/8", ("POST", "200", "/shop/items/<int:number>")),
        ("DELETE", "/shop/items/8", ("DELETE", "405", "__unmatched__")),
        ("HEAD", "/", ("HEAD", "200", "/")),
        ("GET", "/gone/a", ("GET", "410", "/gone/<name>")),
        ("GET", "/nowhere/7", ("GET", "404", "__unmatched__")),
        ("GET", "/broken", ("LookupError", "GET", "500", "/broken")),
        ("GET", "/stream", ("GET", "200", "/stream")),
    ],
)
def test_a_request_counts_under_its_rule(
    app: Flask, recorder: Recorder, method: str, path: str, expected: tuple[str, ...]
) -> None:
    assert app.test_client().open(path, method=method).data is not None
    assert seen(recorder) == {expected: 1}


def test_an_exception_that_a_test_wants_to_see_passes_through(app: Flask, recorder: Recorder) -> None:
    app.testing = True
    with pytest.raises(LookupError, match="broken"):
        app.test_client().get("/broken")
    assert seen(recorder) == {("LookupError", "GET", "500", "/broken"): 1}


def test_what_a_request_calls_is_drawn_below_it(app: Flask, recorder: Recorder) -> None:
    assert app.test_client().get("/shop/items/7").data == b"7"
    assert app.test_client().get("/stream").data == b"111"
    assert numbers(recorder, "trace_calls_total") == {
        ("price", "GET /shop/items/<int:number>", "function"): 1.0,
        ("GET /shop/items/<int:number>", "", "request"): 1.0,
        ("price", "GET /stream", "function"): 3.0,
        ("GET /stream", "", "request"): 1.0,
    }


def test_it_can_be_taken_off(app: Flask, recorder: Recorder) -> None:
    uninstrument(app)
    assert app.test_client().get("/").data == b"x"
    assert seen(recorder) == {}
    instrument(app, recorder=recorder)
    assert app.test_client().get("/").data == b"x"
    assert seen(recorder) == {("GET", "200", "/"): 1}


def test_over_a_real_server(app: Flask, recorder: Recorder) -> None:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        for path in ("/shop/items/7", "/shop/items/8", "/stream"):
            with urlopen(url + path) as response:
                assert response.read() in (b"7", b"8", b"111")
        with pytest.raises(HTTPError) as raised:
            urlopen(f"{url}/broken")
        raised.value.close()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    expected = {
        ("GET", "200", "/shop/items/<int:number>"): 2,
        ("GET", "200", "/stream"): 1,
        ("LookupError", "GET", "500", "/broken"): 1,
    }
    # The client has the last byte before the server closes the body.
    eventually(lambda: seen(recorder) == expected)
