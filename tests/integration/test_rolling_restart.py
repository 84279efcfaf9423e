"""One owner, two dashboards and nginx as processes of their own, with people who sign in: what holds while each is restarted."""

from __future__ import annotations

import http.client
import json
import secrets
import signal
import ssl
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from perf.clock import SystemClock
from perf.model import RangeQuery, RowsQuery, Selector, Window
from perf.ports import MetricStore
from perf.runtime import open_store
from perf.settings import StoreSettings
from perf.transport.spool import Spool
from tests import signedin
from tests.fronts import Front, front
from tests.integration.test_transport import sent_on
from tests.services import ROOT, answers, environment, eventually, free_port, program, ready
from tests.signedin import Answer

COUNTING = Path(__file__).parent / "counting_program.py"
ELSEWHERE = [f"127.0.{net}.1" for net in range(20)]
"""Addresses of clients in networks that nginx tells apart; Linux has them all on loopback."""
STREAM = "/perf/_stcore/stream"
PAUSE = 0.1


class Member:
    """One process of the service, which can be started anew."""

    def __init__(self, folder: Path, name: str, verb: str, **variables: str) -> None:
        self.port, self.health = free_port(), free_port()
        self._folder, self._name, self._starts = folder, name, 0
        self._command = [sys.executable, "-m", "perf", verb, "--host", "0.0.0.0", "--port", str(self.port)]
        self._env = environment(
            PERF_HEALTH_PORT=str(self.health),
            PERF_PRODUCTION__PAUSE="1s",
            PERF_SOURCES__HOST__ENABLED="false",
            PERF_CONFIG=str(folder / "perf.toml"),
            **variables,
        )
        self._running = ExitStack()
        self.ended = True

    def start(self) -> None:
        """Begin; `wait` for it."""
        self.ended = False
        self._starts += 1
        self._process = self._running.enter_context(program(self._command, env=self._env, log=self._log()))

    def wait(self) -> None:
        """Until it is ready."""
        ready(self._process, f"http://127.0.0.1:{self.health}", self._log())

    def roll(self) -> None:
        """As a rolling restart does it: end in good order, then begin again."""
        self._process.send_signal(signal.SIGTERM)
        eventually(lambda: not answers(f"http://127.0.0.1:{self.health}/health/ready"), seconds=60)
        assert self._process.wait(60) in (0, -signal.SIGTERM), self.said()
        self._running.close()
        self.start()
        self.wait()

    def end(self) -> None:
        """Stop for good."""
        self._running.close()
        self.ended = True

    def _log(self) -> Path:
        return self._folder / f"{self._name}{self._starts}.log"

    def said(self) -> str:
        """All of its logs."""
        return "\n".join(log.read_text(encoding="utf-8") for log in sorted(self._folder.glob(f"{self._name}*.log")))


class Deployed(NamedTuple):
    """All of it, and a key of programs that opens everything but administration."""

    front: Front
    owner: Member
    dashboards: tuple[Member, Member]
    store: Path
    key: str

    def api(self, path: str, content: object = None, *, method: str = "", **headers: str) -> Answer:
        """The answer of the API through nginx."""
        body = None if content is None else json.dumps(content).encode()
        kind = {} if body is None else {"Content_Type": "application/json"}
        method = method or ("GET" if body is None else "POST")
        return self.front.ask(f"/perf/api/v1/{path}", method, body, **{**kind, **headers})

    def with_key(self, **headers: str) -> dict[str, str]:
        """*headers* and the key."""
        return {"Authorization": f"Bearer {self.key}", **headers}


@pytest.fixture
def service(running: Deployed) -> Deployed:
    """All of it, ready, whatever the test before did."""
    for member in (running.owner, *running.dashboards):
        if member.ended:
            member.start()
        member.wait()
    for member in running.dashboards:
        # One that is ready may not have noticed yet that the owner is back.
        url = f"http://127.0.0.1:{member.port}"
        eventually(lambda url=url: series(url, running) == 200, seconds=60)  # type: ignore[misc]
    return running


def series(url: str, running: Deployed) -> int:
    """The status of an answer that needs the owner, without nginx."""
    return signedin.ask(url, "/perf/api/v1/series", Authorization=f"Bearer {running.key}").status


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    tmp_path = tmp_path_factory.mktemp("service")
    plain, secure = free_port(), free_port()
    token, secret = secrets.token_hex(16), secrets.token_hex(16)
    (tmp_path / "perf.toml").write_text(signedin.settings(proxies='["127.0.0.1"]'), encoding="utf-8")
    store = tmp_path / "perf.duckdb"
    shared = {"PERF_STORE__TOKEN": token, "PERF_ACCESS__SECRET": secret}
    owner = Member(tmp_path, "owner", "serve", PERF_STORE__PATH=str(store), PERF_STORE__FREE_SPACE_FLOOR="0", **shared)
    one, two = (
        Member(
            tmp_path,
            name,
            "dashboard",
            PERF_STORE__BACKEND="remote",
            PERF_STORE__URL=f"http://127.0.0.1:{owner.port}",
            PERF_ACCESS__URL=f"https://localhost:{secure}/perf",
            STREAMLIT_SERVER_BASE_URL_PATH="perf",
            STREAMLIT_BROWSER_SERVER_ADDRESS="localhost",
            **shared,
        )
        for name in ("one", "two")
    )
    with ExitStack() as stack:
        for member in (owner, one, two):
            stack.callback(member.end)
            member.start()
        for member in (owner, one, two):
            member.wait()
        behind = front(tmp_path, (plain, secure), [one.port, two.port], [one.health, two.health])
        found = stack.enter_context(behind)
        eventually(found.ready, seconds=30)
        made = signedin.send(
            f"http://127.0.0.1:{owner.port}",
            "/api/v1/keys",
            {"name": "program", "scopes": ["read", "ingest", "operate"]},
            Authorization=f"Bearer {token}",
        )
        assert made.status == 201, made
        yield Deployed(found, owner, (one, two), store, json.loads(made.body)["key"])


def signed_in(found: Front, name: str, source: str) -> str:
    """The cookie of *name*, who signs in through nginx from *source*."""
    page = found.ask("/perf/signin", source=source)
    token = page.body.decode().partition('name="token" value="')[2].partition('"')[0]
    fields = {"name": name, "password": signedin.password(name), "token": token, "next": "/"}
    answer = found.ask(
        "/perf/signin",
        "POST",
        urlencode(fields).encode(),
        source=source,
        Cookie=signedin.kept(page),
        Origin=found.url,
        Content_Type="application/x-www-form-urlencoded",
    )
    assert answer.status == 303, answer
    return signedin.kept(answer)


@contextmanager
def websocket(found: Front, cookie: str, source: str, path: str = STREAM) -> Iterator[ClientConnection]:
    """The dashboard's websocket through nginx.

    By TLS 1.2: with 1.3 the server still sends tickets while the client's two threads begin to read and to write, and of these OpenSSL
    takes only one at a time (with 3.11, one in a hundred connections never got an answer under load).
    """
    tls = ssl.create_default_context(cafile=str(found.certificate))
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    with connect(
        found.url.replace("https", "wss") + path,
        origin=Origin(found.url),
        subprotocols=[Subprotocol("streamlit")],
        additional_headers={"Cookie": cookie},
        ssl=tls,
        source_address=(source, 0),
        open_timeout=60,
        ping_interval=None,  # nobody here reads what comes, nor the answers to pings
        max_size=None,
    ) as socket:
        yield socket


def addresses(service: Deployed) -> tuple[str, str]:
    """Of two clients whom nginx sends to different dashboards, to the first and to the second."""
    found = {}
    for source in ELSEWHERE:
        path = f"/perf/signin?{source}"
        service.front.ask(path, source=source)
        *_, upstream = eventually(lambda path=path: service.front.behind(path))  # type: ignore[misc]
        found[upstream] = source
    one, two = (found[f"127.0.0.1:{member.port}"] for member in service.dashboards)
    return one, two


@pytest.mark.timeout(240)
def test_two_dashboards_of_one_owner_are_one_service(service: Deployed) -> None:
    one, two = addresses(service)
    cookie = signed_in(service.front, "otto", one)
    for number, source in enumerate((one, two)):
        # The session that one began opens the other; each client stays where it is.
        place = f"127.0.0.1:{service.dashboards[number].port}"
        for path in ("/perf/api/v1/me", "/perf/trends", "/perf/health/live"):
            assert service.front.ask(path, source=source, Cookie=cookie).status == 200
        stream = f"{STREAM}?{source}"  # nginx may still have to log another's end
        with websocket(service.front, cookie, source, stream) as socket:
            assert socket.protocol.state.name == "OPEN"
        assert eventually(lambda stream=stream: service.front.behind(stream), seconds=30) == [place]  # type: ignore[misc]
        assert service.front.behind("/perf/trends")[-1] == place

    changed = service.api(
        "thresholds/cpu_usage_percent",
        {"warning": 61.0, "critical": 62.0},
        method="PUT",
        source=one,
        Cookie=cookie,
        Origin=service.front.url,
    )
    assert changed.status == 200, changed
    eventually(lambda: threshold(service, two, cookie) == 61.0, seconds=30)
    forged = cookie.replace("perf_session=", "perf_session=x")
    assert service.api("thresholds", source=two, Cookie=forged).status == 401


def test_an_owner_that_others_reach_asks_who_they_are(service: Deployed) -> None:
    url = f"http://127.0.0.1:{service.owner.port}"
    assert signedin.ask(url, "/api/v1/series").status == 401
    assert signedin.ask(url, "/api/v1/store/series").status == 401
    assert signedin.ask(url, "/api/v1/series", **service.with_key()).status == 200


def test_a_token_alone_lets_nobody_else_reach_an_owner(tmp_path: Path) -> None:
    env = environment(PERF_STORE__PATH=str(tmp_path / "perf.duckdb"), PERF_STORE__TOKEN=secrets.token_hex(16))
    command = [sys.executable, "-m", "perf", "serve", "--host", "0.0.0.0", "--port", str(free_port())]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 2
    assert "refusing to listen on 0.0.0.0: others reach it, and nobody signs in" in done.stderr


@pytest.mark.timeout(240)
def test_nobody_is_turned_away_for_good_while_the_owner_is_away(service: Deployed) -> None:
    one, _ = addresses(service)
    cookie = signed_in(service.front, "otto", one)
    stored = {"Content_Type": "application/json", **service.with_key()}
    body = b'{"resourceMetrics": []}'
    assert service.api("thresholds", source=one, Cookie=cookie).status == 200
    assert service.front.ask("/perf/v1/metrics", "POST", body, source=one, **stored).status == 200
    service.owner.end()
    with websocket(service.front, cookie, one) as socket:
        # A key is looked up at the owner: come again, not 401. A session is known to the dashboard, and so are keys and
        # series for a second.
        for ask in (
            lambda: service.api("series", source=one, **service.with_key()),
            lambda: service.front.ask("/perf/v1/metrics", "POST", body, source=one, **stored),
            lambda: service.api("series", source=one, Cookie=cookie),
        ):
            answer = eventually(lambda ask=ask: refused(ask()), seconds=30)  # type: ignore[misc]
            assert (answer.status, answer.headers.get("retry-after")) == (503, "1")
        assert service.front.ask("/perf/trends", source=one, Cookie=cookie).status == 200
        assert service.front.ask("/perf/trends", source=one).status == 303
        assert service.front.ask("/perf/health/ready", source=one).status == 200
        service.owner.start()
        service.owner.wait()
        eventually(lambda: service.api("series", source=one, **service.with_key()).status == 200, seconds=30)
        eventually(
            lambda: service.front.ask("/perf/v1/metrics", "POST", body, source=one, **stored).status == 200, seconds=30
        )
        assert socket.protocol.state.name == "OPEN"


def refused(answer: Answer) -> Answer | None:
    return answer if answer.status != 200 else None


def threshold(service: Deployed, source: str, cookie: str) -> float:
    answer = service.api("thresholds", source=source, Cookie=cookie)
    return float(json.loads(answer.body)["in_force"]["cpu_usage_percent"]["warning"])


class Traffic:
    """What clients do meanwhile, and what they were told."""

    def __init__(self, service: Deployed) -> None:
        self._service = service
        self._over = threading.Event()
        self.reads: Counter[str] = Counter()
        self.writes: Counter[str] = Counter()
        self.acknowledged: dict[str, list[str]] = defaultdict(list)
        self.failures: list[str] = []
        self._threads: list[threading.Thread] = []

    def add(self, turn: Callable[[int], None]) -> None:
        """Have *turn* done again and again, numbered."""

        def loop() -> None:
            number = 0
            while not self._over.wait(PAUSE):
                try:
                    turn(number)
                except Exception as error:  # noqa: BLE001 - whatever a client would have met.
                    self.failures.append(repr(error))
                number += 1

        self._threads.append(threading.Thread(target=loop))
        self._threads[-1].start()

    def end(self) -> None:
        """Let each finish what it has begun."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def done(self) -> int:
        """How many writes were acknowledged of the kind that has fewest."""
        return min((len(one) for one in list(self.acknowledged.values())), default=0)

    def read(self, path: str, **client: str) -> None:
        """One read, which must succeed or say when to come again."""
        answer = self._service.front.ask(path, **client)
        told = answer.status == 503 and int(answer.headers.get("retry-after", 0)) > 0
        self.reads["again" if told else str(answer.status)] += 1
        if not (told or 200 <= answer.status < 300):
            self.failures.append(f"{path} {answer}")

    def write(self, path: str, number: int, content: object, source: str) -> None:
        """One write, repeated under its key until it is acknowledged."""
        pause = threading.Event()
        for _ in range(600):
            headers = self._service.with_key(Idempotency_Key=f"{path} {number}".replace(" ", "-"))
            try:
                answer = self._service.api(path, content, source=source, **headers)
            except (OSError, http.client.HTTPException) as error:
                self.writes[type(error).__name__] += 1
            else:
                self.writes[str(answer.status)] += 1
                if answer.status == 201:
                    self.acknowledged[path].append(f"{path} {number}")
                    return
                if answer.status not in (409, 502, 503, 504):
                    self.failures.append(f"{path} {answer}")
                    return
            pause.wait(PAUSE)
        self.failures.append(f"{path} {number} was never acknowledged")


@contextmanager
def counting(service: Deployed, folder: Path, url: str, name: str) -> Iterator[subprocess.Popen[str]]:
    """A program that sends to *url* what it counts."""
    env = environment(
        PERF_SEND__URL=url,
        PERF_SEND__HEADERS=f"authorization=Bearer%20{service.key}",
        PERF_SEND__SPOOL=str(folder / f"{name}.spool"),
        OTEL_SERVICE_NAME=name,
        SSL_CERT_FILE=str(service.front.certificate),
    )
    with subprocess.Popen(
        [sys.executable, str(COUNTING)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=env,
    ) as child:
        try:
            yield child
        finally:
            child.kill()


@pytest.mark.timeout(400)
def test_a_rolling_restart_loses_no_sample_and_no_acknowledged_request(service: Deployed, tmp_path: Path) -> None:
    began = SystemClock().now()
    one, two = addresses(service)
    cookie = signed_in(service.front, "otto", two)
    traffic = Traffic(service)
    query = "/perf/api/v1/query?query=processing_items_total&from=now-5m&step=10s"
    ways = {"through": f"{service.front.url}/perf", "direct": f"http://127.0.0.1:{service.owner.port}"}
    with ExitStack() as stack:
        children = {name: stack.enter_context(counting(service, tmp_path, url, name)) for name, url in ways.items()}
        stack.callback(traffic.end)
        for source in (one, two):
            traffic.add(lambda _, source=source: traffic.read(query, source=source, **service.with_key()))  # type: ignore[misc]
            traffic.add(lambda _, source=source: traffic.read("/perf/trends", source=source, Cookie=cookie))  # type: ignore[misc]
        traffic.add(lambda _: traffic.read("/perf/api/v1/alerts/silences", source=one, Cookie=cookie))
        traffic.add(lambda _: traffic.read("/perf/health/ready", source=one))
        traffic.add(lambda n: traffic.write("annotations", n, annotation(began, n), one))
        traffic.add(lambda n: traffic.write("alerts/silences", n, silence(n), two))
        for member in (*service.dashboards, service.owner):
            done = traffic.done()
            member.roll()
            eventually(lambda done=done: traffic.done() > done + 10, seconds=90)  # type: ignore[misc]
        traffic.end()
        # A program that ends while it waits for another try leaves its batches in the spool, to whoever comes next.
        spools = [Spool(tmp_path / f"{name}.spool", SystemClock()) for name in children]
        for spool in spools:
            stack.callback(spool.close)
            eventually(lambda spool=spool: not spool.waiting(), seconds=90, every=0.2)  # type: ignore[misc]
        counted = {name: int(child.communicate("", timeout=100)[0]) for name, child in children.items()}
        for name in children:
            sent_on(tmp_path / f"{name}.spool", ways["direct"], service.with_key())
        assert traffic.failures == []
        assert traffic.reads["200"] > 100
    service.owner.end()
    with closing(open_store(StoreSettings(path=str(service.store), free_space_floor=0), SystemClock())) as store:
        span = Window(began - 60.0, SystemClock().now() + 60.0)
        notes = Counter(one.title for one in store.annotations(span) if one.kind == "note")
        silences = Counter(one.comment for one in store.alerts.silences())
        events = {name: (items(store, name, span), calls(store, name, span)) for name in counted}
    assert min(counted.values()) > 100
    assert events == {name: (number, number) for name, number in counted.items()}
    for path, found in (("annotations", notes), ("alerts/silences", silences)):
        assert found == dict.fromkeys(traffic.acknowledged[path], 1)


def annotation(began: float, number: int) -> dict[str, Any]:  # Any: JSON
    return {"title": f"annotations {number}", "kind": "note", "ts": began + number * 0.001}


def silence(number: int) -> dict[str, Any]:  # Any: JSON
    return {"matchers": [{"label": "rule", "text": "no such rule"}], "comment": f"alerts/silences {number}"}


def items(store: MetricStore, service: str, span: Window) -> float:
    """What the program *service* has counted, by its counter: a new owner begins it at zero."""
    query = RowsQuery(
        window=span,
        selectors=(Selector("processing_items_total", (("service", service),)),),
        descending=False,
        limit=10_000,
    )
    totals = store.rows(query).values.tolist()
    return float(sum(now - before if now >= before else now for before, now in pairwise(totals)))


def calls(store: MetricStore, service: str, span: Window) -> int:
    """The same by its calls of the function."""
    labels = (("function", "event"), ("service", service))
    query = RangeQuery(selector=Selector("function_duration_seconds", labels), window=span, step=span.seconds)
    return sum(int(found.count.sum()) for found in store.distributions(query))
