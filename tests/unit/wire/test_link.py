"""The way to an owner: what is tried again, what is told at once, and what an error says."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from perf.clock import ManualClock, SystemClock
from perf.errors import OwnerAway, OwnerError, QueryError
from perf.ports import Clock
from perf.wire.link import Link, Refused, Terms
from tests.services import eventually, forked, free_port
from tests.stage import Act, Stage, stage

PATIENT = Terms(timeout=30.0, connect=30.0, retries=2)


@pytest.fixture
def played() -> Iterator[Stage]:
    with stage() as found:
        yield found


_links: list[Link] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while _links:
        _links.pop().close()


def link(url: str, token: str = "", terms: Terms = PATIENT, clock: Clock | None = None) -> Link:
    _links.append(Link(url, clock or SystemClock(), token=token, terms=terms))
    return _links[-1]


def test_one_connection_serves_many_questions(played: Stage) -> None:
    owner = link(played.url, "secret")
    assert [owner.ask("GET", "/a").body for _ in range(5)] == [b"{}"] * 5
    assert played.connections == 1
    assert {one.headers["authorization"] for one in played.asked} == {"Bearer secret"}
    assert {one.headers["x-perf-store"] for one in played.asked} == {"1"}


def test_a_path_in_the_address_comes_first(played: Stage) -> None:
    link(f"{played.url}/perf/").ask("GET", "/api/v1/x?a=1")
    assert played.asked[0].path == "/perf/api/v1/x?a=1"


@pytest.mark.parametrize("lost", [Act(drop=True), Act(status=503), Act(length=999)], ids=["dropped", "503", "cut"])
def test_a_lost_question_is_asked_again(played: Stage, lost: Act) -> None:
    played.acts = [lost, lost, Act(body=b"[1]")]
    assert link(played.url).ask("POST", "/a", b"x").body == b"[1]"
    assert len(played.asked) == 3


@pytest.mark.parametrize("lost", [Act(drop=True), Act(length=999)], ids=["dropped", "cut"])
def test_a_change_that_may_have_arrived_is_not(played: Stage, lost: Act) -> None:
    played.acts = [lost, Act()]
    with pytest.raises(OwnerAway):
        link(played.url).ask("POST", "/a", b"x", safe=False)
    assert len(played.asked) == 1


def test_an_answer_cut_in_the_middle_says_so(played: Stage) -> None:
    played.acts = [Act(body=b"x" * 10, length=1_000)]
    with pytest.raises(OwnerAway, match=f"{played.url} broke off: 990 bytes are missing"):
        link(played.url).ask("GET", "/a")


def test_a_connection_that_the_owner_closed_is_not_used_for_a_change(played: Stage) -> None:
    owner = link(played.url)
    played.acts = [Act(length=2), Act()]  # announces what comes, and hangs up
    owner.ask("GET", "/a")
    idle = owner._connections._idle
    eventually(lambda: not idle or _ended(idle[0].sock))
    assert owner.ask("POST", "/a", b"x", safe=False).status == 200
    assert played.connections == 2


def test_a_connection_in_use_while_others_are_closed_is_closed_after_it(played: Stage) -> None:
    go = threading.Event()
    played.acts = [Act(after=go), Act()]
    owner = link(played.url)
    asking = threading.Thread(target=owner.ask, args=("GET", "/a"))
    asking.start()
    eventually(lambda: played.asked)
    owner.close()
    go.set()
    asking.join()
    assert not owner._connections._idle
    owner.ask("GET", "/a")
    assert len(owner._connections._idle) == 1


def _ended(sock: socket.socket) -> bool:
    return sock.recv(1, socket.MSG_PEEK) == b""


def test_a_slow_owner_is_given_up_once_and_then_told_at_once(played: Stage, clock: ManualClock) -> None:
    played.acts = [Act(hang=True)]
    owner = link(played.url, terms=Terms(timeout=0.3, connect=30.0, retries=2), clock=clock)
    with pytest.raises(OwnerAway, match=r"no answer from 127.0.0.1:\d+: nothing came for 0.3 s"):
        owner.ask("GET", "/a")
    for _ in range(5):
        with pytest.raises(OwnerAway, match="nothing came for 0.3 s"):
            owner.ask("GET", "/a")
    eventually(lambda: played.asked)
    assert len(played.asked) == 1
    assert "nothing came" in owner.absence()


def test_nobody_there_is_told_with_the_address_and_found_when_it_comes() -> None:
    port = free_port()
    owner = link(f"http://127.0.0.1:{port}")
    with pytest.raises(OwnerAway, match=f"no answer from 127.0.0.1:{port}: .*refused"):
        owner.ask("GET", "/a")
    with stage(port=port):

        def back() -> bool:
            try:
                return owner.ask("GET", "/a").status == 200
            except OwnerAway:
                return False

        eventually(back)
        assert owner.absence() == ""


def test_a_proxy_that_misses_the_owner_counts_as_its_absence(played: Stage) -> None:
    played.acts = [Act(status=502, body=b"<html>")]
    owner = link(played.url, terms=Terms(retries=0))
    with pytest.raises(OwnerAway, match="502"):
        owner.ask("GET", "/a")
    assert owner.absence()


@pytest.mark.parametrize(
    ("act", "kind", "message"),
    [
        (Act(400, b'{"detail":"no such metric","query":"x","position":3}'), QueryError, "no such metric"),
        (Act(401, b'{"detail":"a token"}'), Refused, "a token"),
        (Act(404, b"<html>"), Refused, "/a answered 404 Not Found"),
        (Act(500, b'{"detail":7}'), Refused, "/a answered 500"),
    ],
    ids=["400", "401", "404", "500"],
)
def test_a_refusal_is_told_once_and_is_no_absence(played: Stage, act: Act, kind: type[Exception], message: str) -> None:
    played.acts = [act]
    owner = link(played.url)
    with pytest.raises(kind, match=message):
        owner.ask("GET", "/a?b=c")
    assert (len(played.asked), owner.absence()) == (1, "")


@pytest.mark.parametrize("url", ["", "127.0.0.1:80", "ftp://x", "http://", "http://x:99999", "file:///etc/passwd"])
def test_only_http_addresses_are_taken(url: str) -> None:
    with pytest.raises(OwnerError, match="not an HTTP address"):
        link(url)


def test_a_forked_child_asks_over_its_own_connection(played: Stage) -> None:
    owner = link(played.url)
    owner.ask("GET", "/parent")
    child = forked(lambda: owner.ask("GET", "/child").status == 200)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    owner.ask("GET", "/parent")
    assert played.connections == 2
    assert [one.path for one in played.asked] == ["/parent", "/child", "/parent"]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """A certificate authority of our own as a file, and a server's context for 127.0.0.1 that it vouches for."""
    folder = tmp_path_factory.mktemp("tls")
    now = dt.datetime.fromtimestamp(SystemClock().now(), dt.UTC)

    def signed(name: str, key: ec.EllipticCurvePrivateKey, issuer: str, by: ec.EllipticCurvePrivateKey) -> bytes:
        subject, author = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (name, issuer))
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(author)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=name == issuer, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
            )
        )
        return builder.sign(by, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    authority, server = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    (folder / "ca.pem").write_bytes(signed("ca", authority, "ca", authority))
    private = server.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(private + signed("owner", server, "ca", authority))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return folder / "ca.pem", context


def test_tls_trusts_the_authority_of_the_setting_and_no_other(certificates: tuple[Path, ssl.SSLContext]) -> None:
    authority, context = certificates
    with stage(tls=context) as played:
        trusting = link(played.url, terms=Terms(ca_file=str(authority)))
        assert [trusting.ask("GET", "/a").status for _ in range(2)] == [200, 200]
        with pytest.raises(OwnerAway, match="CERTIFICATE_VERIFY_FAILED"):
            link(played.url, "secret", Terms(retries=0)).ask("GET", "/a")
    assert {"authorization" in one.headers for one in played.asked} == {False}


def test_certificates_that_are_none_are_told(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    for file in ("ca.pem", "missing.pem"):
        with pytest.raises(OwnerError, match=f"the certificates in .*{file} can't be used"):
            link("https://127.0.0.1:1", terms=Terms(ca_file=str(tmp_path / file)))
