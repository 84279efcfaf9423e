"""Every kind of probe against the real thing: servers, files and certificates that are well, and that are not."""

from __future__ import annotations

import os
import sqlite3
import ssl
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingUDPServer

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import duckdb
import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from redis import Redis

from perf.clock import SystemClock
from perf.errors import PluginError, SettingsError
from perf.health.configured import configured
from perf.model import ProbeResult, Status
from perf.settings import HealthSettings
from tests import services
from tests.services import eventually, free_port, redis_server_with

DAY = timedelta(days=1)
PATIENCE = 30.0
"""Seconds a probe may take here: the machine may be busy, and none of these waits for its time to be over."""


def probe(kind: str, **options: object) -> ProbeResult:
    """What one run of a probe says that settings name."""
    settings = HealthSettings(probes={"it": {"kind": kind, "timeout": PATIENCE, **options}})
    found, _ = configured(settings, (), SystemClock())
    return found["it"].check()


# --- HTTP -----------------------------------------------------------------------------------------------------------


class Answers(BaseHTTPRequestHandler):
    """Answers with the status that the path names; ``/slow`` a byte at a time, ``/secret`` to who sends a header."""

    def do_GET(self) -> None:
        if self.path == "/slow":
            self.send_response(200)
            self.end_headers()
            for _ in range(200):
                self.wfile.write(b".")
                self.server.pause.wait(0.05)  # type: ignore[attr-defined]  # set below
            return
        word = self.path.strip("/")
        status = int(word) if word.isdigit() else 200
        if word == "secret":
            status = 200 if self.headers.get("X-Key") == "let-me-in" else 401
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b"all is well")

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.pause = threading.Event()  # type: ignore[attr-defined]  # for /slow
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.pause.set()  # type: ignore[attr-defined]  # as above
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    with serving() as port:
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("path", "options", "status", "message"),
    [
        pytest.param("/200", {}, Status.HEALTHY, "answered 200 in ", id="ok"),
        pytest.param("/302", {}, Status.HEALTHY, "answered 302 in ", id="redirect-is-an-answer"),
        pytest.param("/404", {}, Status.UNHEALTHY, "answered 404 (expected below 400)", id="missing"),
        pytest.param("/503", {"status": [503]}, Status.HEALTHY, "answered 503 in ", id="as-expected"),
        pytest.param("/200", {"status": [201, 204]}, Status.UNHEALTHY, "answered 200 (expected 201, 204)", id="other"),
        pytest.param("/200", {"text": "well"}, Status.HEALTHY, "answered 200", id="text"),
        pytest.param("/200", {"text": "unwell"}, Status.UNHEALTHY, "the answer lacks 'unwell'", id="no-text"),
        pytest.param("/secret", {"headers": {"X-Key": "let-me-in"}}, Status.HEALTHY, "answered 200", id="header"),
        pytest.param("/200", {"slow": 1e-9}, Status.DEGRADED, "slow: ", id="slow"),
    ],
)
def test_http(web: str, path: str, options: Mapping[str, object], status: Status, message: str) -> None:
    found = probe("http", url=web + path, **options)
    assert (found.status, found.message[: len(message)]) == (status, message)
    assert found.evidence["seconds"] > 0


def test_http_without_a_server_says_where() -> None:
    port = free_port()
    found = probe("http", url=f"http://127.0.0.1:{port}/")
    assert found.status is Status.UNHEALTHY
    assert found.message.startswith(f"127.0.0.1:{port}: ")


def test_http_gives_up_an_answer_that_trickles(web: str) -> None:
    # Long enough that the next byte is never late.
    found = probe("http", url=f"{web}/slow", timeout=3.0)
    assert (found.status, "did not end within 3 s" in found.message) == (Status.UNHEALTHY, True), found.message


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://x", "http:// or https://"),
        ("http://", "has a host"),
        ("http://a:b@x/", "no account"),
        ("http://x:0", "has a host"),
    ],
)
def test_http_refuses_what_is_no_address(url: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=f"health.probes.it: url: .*{reason}"):
        probe("http", url=url)


# --- certificates ---------------------------------------------------------------------------------------------------


def certificate(folder: Path, *, begins: timedelta, ends: timedelta) -> Path:
    """A self-signed certificate for localhost, with its key, in one file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.fromtimestamp(SystemClock().now(), UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "both.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    return file


@contextmanager
def secured(file: Path) -> Iterator[int]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    with serving(context) as port:
        yield port


@pytest.mark.parametrize(
    ("ends", "status", "word"),
    [
        pytest.param(90 * DAY, Status.HEALTHY, "ends ", id="long"),
        pytest.param(14 * DAY, Status.DEGRADED, "in 14.0 days", id="soon"),
        pytest.param(3 * DAY, Status.UNHEALTHY, "in 3.0 days", id="at-once"),
    ],
)
def test_a_certificate_is_judged_by_its_end(tmp_path: Path, ends: timedelta, status: Status, word: str) -> None:
    file = certificate(tmp_path, begins=-DAY, ends=ends + timedelta(minutes=10))
    with secured(file) as port:
        found = probe("certificate", host="127.0.0.1", port=port, server_name="localhost", ca_file=str(file))
    assert (found.status, word in found.message) == (status, True), found.message
    assert found.evidence["days_left"] == pytest.approx(ends / DAY, abs=0.02)


def test_a_certificate_that_nobody_trusts_is_unhealthy_unless_only_its_date_counts(tmp_path: Path) -> None:
    with secured(certificate(tmp_path, begins=-DAY, ends=90 * DAY)) as port:
        where = {"host": "127.0.0.1", "port": port, "server_name": "localhost"}
        found = probe("certificate", **where)
        assert (found.status, "not trusted: self-signed" in found.message) == (Status.UNHEALTHY, True), found.message
        assert probe("certificate", **where, verify=False).status is Status.HEALTHY


def test_a_certificate_for_another_name_is_unhealthy(tmp_path: Path) -> None:
    file = certificate(tmp_path, begins=-DAY, ends=90 * DAY)
    with secured(file) as port:
        found = probe("certificate", host="127.0.0.1", port=port, server_name="shop.example", ca_file=str(file))
    assert (found.status, "not trusted" in found.message) == (Status.UNHEALTHY, True), found.message


@pytest.mark.parametrize(("begins", "ends", "word"), [(-9, -2, "ended "), (2, 90, "begins ")], ids=["over", "early"])
def test_a_certificate_out_of_its_time_says_so(tmp_path: Path, begins: int, ends: int, word: str) -> None:
    with secured(certificate(tmp_path, begins=begins * DAY, ends=ends * DAY)) as port:
        found = probe("certificate", host="127.0.0.1", port=port, verify=False)
    assert (found.status, word in found.message) == (Status.UNHEALTHY, True), found.message


def test_what_speaks_no_tls_has_no_certificate(web: str) -> None:
    found = probe("certificate", host="127.0.0.1", port=int(web.rpartition(":")[2]))
    assert (found.status, "no certificate" in found.message) == (Status.UNHEALTHY, True)


# --- DNS ------------------------------------------------------------------------------------------------------------


class NameServer(BaseRequestHandler):
    """Knows shop.example; silent.example gets no answer."""

    def handle(self) -> None:
        content, place = self.request
        query = dns.message.from_wire(content)
        asked = query.question[0]
        if asked.name.to_text() == "silent.example.":
            return
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        if asked.name.to_text() != "shop.example.":
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif asked.rdtype == 1:
            answer.answer.append(dns.rrset.from_text(asked.name, 300, "IN", "A", "192.0.2.7", "192.0.2.8"))
        place.sendto(answer.to_wire(), self.client_address)


@pytest.fixture(scope="module")
def names() -> Iterator[dict[str, object]]:
    with ThreadingUDPServer(("127.0.0.1", 0), NameServer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield {"server": "127.0.0.1", "port": server.server_address[1]}
        server.shutdown()


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        pytest.param({"name": "shop.example"}, Status.HEALTHY, "shop.example: 192.0.2.7, 192.0.2.8", id="known"),
        pytest.param(
            {"name": "shop.example", "expect": ["192.0.2.9"]},
            Status.UNHEALTHY,
            "shop.example: 192.0.2.7, 192.0.2.8 lacks 192.0.2.9",
            id="moved",
        ),
        pytest.param({"name": "gone.example"}, Status.UNHEALTHY, "gone.example is not known", id="unknown"),
        pytest.param(
            {"name": "shop.example", "record": "MX"}, Status.UNHEALTHY, "shop.example has no MX record", id="no-record"
        ),
        pytest.param(
            {"name": "silent.example", "timeout": 0.3}, Status.UNHEALTHY, "no answer within 0.3 s", id="silent"
        ),
    ],
)
def test_dns(names: dict[str, object], options: dict[str, object], status: Status, message: str) -> None:
    found = probe("dns", **names, **options)
    assert (found.status, found.message) == (status, message)


def test_dns_refuses_unknown_records_and_servers() -> None:
    with pytest.raises(SettingsError, match=r"health\.probes\.it: record: 'ABC'"):
        probe("dns", name="x", record="ABC")
    with pytest.raises(SettingsError, match=r"health\.probes\.it: server: not an address"):
        probe("dns", name="x", server="not an address")


# --- Redis ----------------------------------------------------------------------------------------------------------


def test_redis_answers_with_its_numbers() -> None:
    with services.redis() as port:
        found = probe("redis", url=f"redis://127.0.0.1:{port}")
    assert (found.status, found.message.startswith("PING took ")) == (Status.HEALTHY, True), found.message
    assert found.evidence["used_memory_bytes"] > 0
    assert found.evidence["connections"] >= 1


def test_redis_short_of_memory_and_evicting_is_degraded() -> None:
    with redis_server_with("--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru") as server:
        options = {"kind": "redis", "url": f"redis://127.0.0.1:{server.port}", "timeout": PATIENCE}
        settings = HealthSettings(probes={"it": options})
        checked = configured(settings, (), SystemClock())[0]["it"]
        checked.check()
        with Redis(port=server.port) as client:
            for n in range(400):
                client.set(f"k{n}", b"x" * 10_000)
        found = checked.check()
    assert found.status is Status.DEGRADED
    assert "it evicts keys" in found.message
    assert found.evidence["evicted_keys"] > 0


def test_redis_tells_a_replica_that_lost_its_master() -> None:
    with redis_server_with("--replicaof", "127.0.0.1", str(free_port())) as replica:
        found = probe("redis", url=f"redis://127.0.0.1:{replica.port}")
    assert (found.status, "the link to its master is down" in found.message) == (Status.UNHEALTHY, True), found.message


def test_redis_tells_its_replicas() -> None:
    with services.redis() as master, redis_server_with("--replicaof", "127.0.0.1", str(master)):
        url = f"redis://127.0.0.1:{master}"
        found = eventually(lambda: (got := probe("redis", url=url)).evidence.get("replicas") and got, seconds=30)
    assert found.evidence["replicas"] == 1


def test_redis_that_is_away_is_unhealthy() -> None:
    found = probe("redis", url=f"redis://127.0.0.1:{free_port()}")
    assert (found.status, "refused" in found.message) == (Status.UNHEALTHY, True)


# --- databases ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with services.postgres() as dsn:
        yield dsn


@contextmanager
def alone(dsn: str) -> Iterator[None]:
    """One connection, once those of other tests have ended: the server notices it a little later than their clients."""
    taken = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
    with psycopg.connect(dsn, autocommit=True) as connection:
        eventually(lambda: connection.execute(taken).fetchone() == (1,), seconds=30)
        yield


def test_postgres_answers_with_its_connections(postgres: str) -> None:
    with alone(postgres), psycopg.connect(postgres):
        found = probe("postgres", dsn=postgres)
    assert found.status is Status.HEALTHY, found.message
    assert found.evidence["connections"] == 3
    assert found.evidence["max_connections"] == 100
    assert found.message.endswith("3 of 100 connections are taken")


def test_postgres_short_of_connections_is_degraded(postgres: str) -> None:
    with alone(postgres):
        found = probe("postgres", dsn=postgres, connections_percent=1.5)
    assert (found.status, found.message) == (Status.DEGRADED, "2 of 100 connections are taken")


def test_postgres_that_is_away_is_unhealthy_and_keeps_its_password(tmp_path: Path) -> None:
    found = probe("postgres", dsn=f"host={tmp_path} user=perf password=hunter2")
    assert (found.status, "hunter2" in found.message) == (Status.UNHEALTHY, False)
    assert str(tmp_path) in found.message


def test_postgres_refuses_what_is_no_connection_string() -> None:
    with pytest.raises(SettingsError, match=r"health\.probes\.it: dsn: not a connection string"):
        probe("postgres", dsn="what is this")


def sqlite_file(folder: Path, rows: int = 3) -> Path:
    file = folder / "shop data?.sqlite"  # a name that an address must quote
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER, total REAL)")
        connection.executemany("INSERT INTO orders VALUES (?, 1.5)", [(n,) for n in range(rows)])
        connection.commit()
    return file


def test_sqlite_that_can_be_read_is_healthy_also_when_it_is_checked(tmp_path: Path) -> None:
    found = probe("sqlite", path=str(sqlite_file(tmp_path)), query="SELECT * FROM orders", integrity=True)
    assert (found.status, found.message.startswith("answered in ")) == (Status.HEALTHY, True), found.message


def test_sqlite_says_what_is_wrong(tmp_path: Path) -> None:
    file = sqlite_file(tmp_path)
    assert probe("sqlite", path=str(file), query="SELECT * FROM absent").message == f"{file}: no such table: absent"
    gone = probe("sqlite", path=str(tmp_path / "gone.db"))
    assert (gone.status, gone.message) == (Status.UNHEALTHY, f"{tmp_path / 'gone.db'} is not there")
    file.write_bytes(b"not a database at all, but long enough to look like one" * 100)
    assert probe("sqlite", path=str(file)).message == f"{file}: file is not a database"


def test_sqlite_stops_a_statement_that_takes_too_long(tmp_path: Path) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    found = probe("sqlite", path=str(sqlite_file(tmp_path)), query=endless, timeout=0.3)
    assert (found.status, "took longer than 0.3 s" in found.message) == (Status.UNHEALTHY, True), found.message


def test_sqlite_finds_damage(tmp_path: Path) -> None:
    file = sqlite_file(tmp_path, rows=5_000)
    content = bytearray(file.read_bytes())
    content[4096 * 3 : 4096 * 3 + 200] = b"\xff" * 200
    file.write_bytes(content)
    found = probe("sqlite", path=str(file), integrity=True)
    assert found.status is Status.UNHEALTHY, found.message


def duckdb_file(folder: Path) -> Path:
    file = folder / "shop.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("CREATE TABLE orders AS SELECT range AS id, 1.5::DOUBLE AS total FROM range(7)")
    return file


def test_duckdb_is_read_and_never_written(tmp_path: Path) -> None:
    file = duckdb_file(tmp_path)
    assert probe("duckdb", path=str(file), query="SELECT * FROM orders").status is Status.HEALTHY
    found = probe("duckdb", path=str(file), query="DROP TABLE orders")
    assert (found.status, "read-only" in found.message) == (Status.UNHEALTHY, True), found.message


def test_duckdb_stops_a_statement_that_takes_too_long(tmp_path: Path) -> None:
    endless = "SELECT count(*) FROM range(1000000000) a, range(1000000000) b WHERE a.range % 7 = b.range % 11"
    found = probe("duckdb", path=str(duckdb_file(tmp_path)), query=endless, timeout=0.5)
    assert (found.status, "took longer than 0.5 s" in found.message) == (Status.UNHEALTHY, True), found.message


def test_the_own_store_is_never_opened_by_a_probe(tmp_path: Path) -> None:
    file = duckdb_file(tmp_path)
    link = tmp_path / "link.duckdb"
    link.symlink_to(file)
    for options in ({"kind": "duckdb", "path": str(link)}, {"kind": "data", "path": str(link), "table": "orders"}):
        settings = HealthSettings(probes={"it": options})
        found = configured(settings, (), SystemClock(), file)[0]["it"].check()
        assert (found.status, "is perf's own store" in found.message) == (Status.UNKNOWN, True)


# --- data -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def export(tmp_path: Path) -> Path:
    file = tmp_path / "orders.csv"
    file.write_text("id,total,day\n1,9.99,2026-01-01\n2,5,2026-01-02\n", encoding="utf-8")
    return file


def test_data_that_are_as_expected_are_healthy(export: Path) -> None:
    columns = ["id:BIGINT", "total:DOUBLE", "day:DATE"]
    found = probe("data", path=str(export), min_rows=2, max_rows=2, max_age="1h", columns=columns)
    assert found.status is Status.HEALTHY, found.message
    assert found.message.endswith(", 2 rows")
    assert (found.evidence["rows"], found.evidence["columns"], found.evidence["files"]) == (2, 3, 1)


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        pytest.param({"min_rows": 3}, Status.UNHEALTHY, "2 rows, at least 3 should be there", id="few"),
        pytest.param({"max_rows": 1}, Status.DEGRADED, "2 rows, at most 1 are expected", id="many"),
        pytest.param(
            {"columns": ["name"]}, Status.UNHEALTHY, "column 'name' is missing; there are: id, ", id="missing"
        ),
        pytest.param({"columns": ["id:VARCHAR"]}, Status.UNHEALTHY, "column 'id' is BIGINT, not VARCHAR", id="type"),
        pytest.param({"min_bytes": "1MiB"}, Status.UNHEALTHY, "46 bytes, 1048576 should be there", id="small"),
        pytest.param({"min_files": 2}, Status.UNHEALTHY, "1 files match ", id="files"),
    ],
)
def test_data_that_are_not_say_why(export: Path, options: Mapping[str, object], status: Status, message: str) -> None:
    found = probe("data", path=str(export), **options)
    assert (found.status, found.message[: len(message)]) == (status, message)


def test_data_that_are_old_or_gone_are_unhealthy(export: Path) -> None:
    os.utime(export, (1_700_000_000, 1_700_000_000))
    found = probe("data", path=str(export), max_age="1d")
    assert (found.status, "(limit 24 h)" in found.message) == (Status.UNHEALTHY, True), found.message
    export.unlink()
    assert probe("data", path=str(export)).message == f"{export} is not there"


def test_data_that_can_not_be_read_are_unhealthy(tmp_path: Path) -> None:
    broken = tmp_path / "x.parquet"
    broken.write_bytes(struct.pack("<I", 7) * 20)
    found = probe("data", path=str(broken))
    assert (found.status, found.message.startswith(f"{broken}: ")) == (Status.UNHEALTHY, True)


def test_data_are_read_from_patterns_parquet_and_databases(tmp_path: Path) -> None:
    for day in (1, 2):
        target = tmp_path / f"{day}.parquet"
        duckdb.execute(f"COPY (SELECT range AS id FROM range({day})) TO '{target}' (FORMAT parquet)")
    assert probe("data", path=str(tmp_path / "*.parquet")).evidence["rows"] == 3
    sqlite_found = probe("data", path=str(sqlite_file(tmp_path)), table="orders", columns=["total:REAL"])
    duckdb_found = probe("data", path=str(duckdb_file(tmp_path)), table="orders", columns=["id:BIGINT"])
    assert [(one.status, one.evidence["rows"]) for one in (sqlite_found, duckdb_found)] == [
        (Status.HEALTHY, 3),
        (Status.HEALTHY, 7),
    ]


def test_a_database_needs_a_table_and_a_format_is_known() -> None:
    with pytest.raises(SettingsError, match=r"health\.probes\.it: table: say which one"):
        probe("data", path="x.sqlite")
    with pytest.raises(SettingsError, match=r"health\.probes\.it: format: 'xml'; known: csv, duckdb, file, parquet"):
        probe("data", path="x", format="xml")


# --- naming ---------------------------------------------------------------------------------------------------------


def test_an_unknown_kind_or_option_is_named_with_what_is_known() -> None:
    with pytest.raises(
        PluginError, match=r"health\.probes\.it: no probe 'htpp'; known: certificate, data, dns, duckdb, http"
    ):
        probe("htpp")
    with pytest.raises(SettingsError, match=r"unknown setting 'health\.probes\.it\.ulr'; did you mean 'url'\?"):
        probe("http", ulr="http://x")
    with pytest.raises(SettingsError, match=r"health\.probes\.it: Object missing required field `url`"):
        probe("http")
    with pytest.raises(SettingsError, match=r"health\.probes\.it\.slow: not a number of seconds: 'soon'"):
        probe("http", url="http://x", slow="soon")
