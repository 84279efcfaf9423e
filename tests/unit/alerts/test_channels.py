from __future__ import annotations

import contextlib
import email
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from email import policy
from pathlib import Path

import msgspec
import pytest

from perf import plugins
from perf.alerts import signing
from perf.alerts.channels import http
from perf.alerts.channels.alertmanager import AlertmanagerChannel, posted, webhook_body
from perf.alerts.channels.email import EmailChannel
from perf.alerts.channels.file import FileChannel
from perf.alerts.channels.log import LogChannel
from perf.alerts.channels.pagerduty import PagerDutyChannel
from perf.alerts.channels.port import ChannelError, Message
from perf.alerts.channels.slack import SlackChannel, payload
from perf.alerts.channels.webhook import WebhookChannel
from perf.alerts.outbox import opened, trial
from perf.alerts.targets import Target
from perf.alertsettings import (
    AlertmanagerSettings,
    AlertSettings,
    AppriseSettings,
    EmailSettings,
    FileSettings,
    PagerDutySettings,
    SlackSettings,
    TargetSettings,
    WebhookSettings,
)
from perf.clock import ManualClock, SystemClock
from perf.model import Notification, Severity
from tests.receivers import alertmanager, certificate, receiver, smtp
from tests.services import eventually, free_port

HERE = TargetSettings(plain_http=True, private=("127.0.0.0/8",), timeout=60.0)
HASTY = msgspec.structs.replace(HERE, timeout=0.5)
SECRET = "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQ="
NOW = 1_790_000_000.0


def note(n: int = 1, kind: str = "firing", **changes: object) -> Notification:
    one = Notification(
        id=f"i{n}.0.x", incident_id=f"i{n}", group="g", kind=kind, created=NOW, title=f"[FIRING] cpu <{n}>",
        text="CPU 91 %\nSince noon & later.", severity=Severity.HIGH, labels=(("host.name", f"web-{n}"), ("rule", "cpu")),
        value=91.0, rule_id="r", runbook="https://example.org/cpu", channel="x",
    )  # fmt: skip
    return msgspec.structs.replace(one, **changes)


def message(*rows: Notification) -> Message:
    return Message(rows or (note(),))


def test_email_goes_through_starttls_and_sign_in(tmp_path: Path) -> None:
    with smtp(tmp_path, "me", "s3cret!") as (box, port, trusted):
        right = EmailSettings(
            host="127.0.0.1", port=port, username="me", password="s3cret!", sender="perf@example.org",
            to=("a@example.org", "b@example.org"), ca_file=str(trusted),
        )  # fmt: skip
        EmailChannel(AlertSettings(email=right, targets=HERE), ManualClock()).send(
            message(note(title="two\r\nBcc: x@y"))
        )
        (mail,) = box.mails
        assert mail.rcpt_tos == ["a@example.org", "b@example.org"]
        read = email.message_from_bytes(bytes(mail.content or b""), policy=policy.default)
        assert (read["subject"], read["bcc"], read["message-id"]) == ("two Bcc: x@y", None, "<i1.0.x@perf>")
        text, page = (part.get_content() for part in read.iter_parts())
        assert "CPU 91 %\r\nSince noon & later." in text
        assert "Since noon &amp; later." in page
        for wrong, said in (
            (msgspec.structs.replace(right, password="wrong"), "sign-in refused: 535"),
            (msgspec.structs.replace(right, ca_file=""), "certificate"),
            (msgspec.structs.replace(right, port=free_port()), "refused"),
        ):
            with pytest.raises(ChannelError, match=said) as failed:
                EmailChannel(AlertSettings(email=wrong, targets=HERE), ManualClock()).send(message())
            assert not failed.value.permanent
            assert "s3cret" not in str(failed.value)
        for answer, permanent in (("550 unknown", True), ("451 later", False)):
            box.refuse = answer
            with pytest.raises(ChannelError) as failed:
                EmailChannel(AlertSettings(email=right, targets=HERE), ManualClock()).send(message())
            assert failed.value.permanent is permanent
        assert len(box.mails) == 1


def test_a_recipient_that_is_refused_is_told_of_and_tried_again_alone(tmp_path: Path) -> None:
    with smtp(tmp_path, "me", "s3cret!") as (box, port, trusted):
        settings = EmailSettings(
            host="127.0.0.1", port=port, username="me", password="s3cret!", to=("a@example.org", "b@example.org"),
            ca_file=str(trusted),
        )  # fmt: skip
        channel = EmailChannel(AlertSettings(email=settings, targets=HERE), ManualClock())
        box.answers = {"b@example.org": "451 later"}
        with pytest.raises(ChannelError, match="refused for b@example.org: 451") as failed:
            channel.send(message())
        assert not failed.value.permanent
        box.answers = {}
        channel.send(message())
        assert [mail.rcpt_tos for mail in box.mails] == [["a@example.org"], ["b@example.org"]]
        box.answers = {"a@example.org": "550 unknown"}
        with pytest.raises(ChannelError, match="refused for a@example.org: 550") as failed:
            channel.send(message(note(2)))
        assert failed.value.permanent


def test_webhook_is_signed_with_every_secret() -> None:
    with receiver() as there:
        hook = WebhookSettings(urls=(f"{there.url}/a",), secrets=(SECRET, "whsec_b3RoZXItb3RoZXItb3RoZXItb3Ro"))
        WebhookChannel(AlertSettings(webhook=hook, targets=HERE), ManualClock(NOW)).send(message())
    (came,) = there.requests
    assert came.headers["webhook-id"] == "i1.0.x"
    assert all(signing.verified(came.headers, came.body, [secret], NOW) for secret in hook.secrets)
    assert came.json()["type"] == "alert.firing"
    assert came.json()["data"]["notifications"][0]["labels"] == {"host.name": "web-1", "rule": "cpu"}


def test_a_receiver_that_took_it_is_not_asked_again_for_another() -> None:
    with receiver() as good, receiver() as bad:
        bad.behave = lambda _: (503, {})
        hook = WebhookSettings(urls=(good.url, bad.url))
        channel = WebhookChannel(AlertSettings(webhook=hook, targets=HERE), ManualClock(NOW))
        with pytest.raises(ChannelError):
            channel.send(message())
        bad.behave = lambda _: (204, {})
        channel.send(message())
        channel.send(message(note(2)))
    assert good.ids() == ["i1.0.x", "i2.0.x"]
    assert bad.ids() == ["i1.0.x", "i1.0.x", "i2.0.x"]


@pytest.mark.parametrize(
    ("status", "headers", "permanent", "after"),
    [
        (500, {}, False, None),
        (429, {"retry-after": "7"}, False, 7.0),
        (503, {"retry-after": "Fri, 01 Jan 2027 00:00:10 GMT", "date": "Fri, 01 Jan 2027 00:00:00 GMT"}, False, None),
        (404, {"retry-after": "7"}, True, None),
        (302, {"location": "http://127.0.0.1:1/"}, True, None),
        (307, {"location": "http://169.254.169.254/"}, True, None),
    ],
)
def test_what_an_answer_means(status: int, headers: dict[str, str], permanent: bool, after: float | None) -> None:
    with receiver() as there:
        there.behave = lambda _: (status, headers)
        channel = WebhookChannel(AlertSettings(webhook=WebhookSettings(urls=(there.url,)), targets=HERE), ManualClock())
        with pytest.raises(ChannelError, match=f"status {status}") as failed:
            channel.send(message())
    assert len(there.requests) == 1
    assert failed.value.permanent is permanent
    assert after is None or failed.value.retry_after == after


def test_a_receiver_that_hangs_is_left() -> None:
    with receiver() as there:
        there.behave = lambda _: None
        channel = SlackChannel(AlertSettings(slack=SlackSettings(url=there.url), targets=HASTY), ManualClock())
        with pytest.raises(ChannelError, match=r"no answer within 0\.5 s") as failed:
            channel.send(message())
    assert not failed.value.permanent


def test_https_connects_to_the_checked_address_and_wants_the_names_certificate(tmp_path: Path) -> None:
    cert_file, key_file = certificate(tmp_path)
    with receiver(tls=(cert_file, key_file)) as there:
        url = there.url.replace("127.0.0.1", "localhost")
        for trusted, host, taken in ((str(cert_file), url, True), ("", url, False)):
            targets = TargetSettings(private=("127.0.0.0/8", "::1/128"), timeout=60.0, ca_file=trusted)
            channel = SlackChannel(AlertSettings(slack=SlackSettings(url=host), targets=targets), ManualClock())
            if taken:
                channel.send(message())
                continue
            with pytest.raises(ChannelError, match="self.signed certificate"):
                channel.send(message())
    assert [request.headers["host"].partition(":")[0] for request in there.requests] == ["localhost"]


@contextlib.contextmanager
def dripping(head: bytes) -> Iterator[SlackChannel]:
    """A channel whose receiver begins with *head* and goes on for 50 s, a byte at a time."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            with contextlib.suppress(OSError):
                peer, _ = server.accept()
                with peer:
                    peer.sendall(head)
                    for _ in range(1000):
                        peer.send(b"y")
                        threading.Event().wait(0.05)

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        yield SlackChannel(AlertSettings(slack=SlackSettings(url=url), targets=HASTY), ManualClock())
        thread.join(60.0)


def test_a_receiver_that_drips_is_left() -> None:
    with dripping(b"HTTP/1.1 2") as channel:
        started = time.perf_counter()
        with pytest.raises(ChannelError, match=r"no answer within 0\.5 s"):
            channel.send(message())
        assert time.perf_counter() - started < 20.0


def test_what_drips_after_the_head_of_an_answer_is_not_waited_for() -> None:
    with dripping(b"HTTP/1.0 503 Busy\r\n\r\n") as channel:
        started = time.perf_counter()
        with pytest.raises(ChannelError, match=r"status 503: y|no answer within 0\.5 s"):  # if the head itself was late
            channel.send(message())
        assert time.perf_counter() - started < 20.0


def test_what_connecting_took_is_gone_for_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    connect, spent = socket.create_connection, [0.0]

    def slow(address: tuple[str, int], seconds: float) -> socket.socket:
        spent[0] += 599.5
        return connect(address, seconds)

    monkeypatch.setattr(http, "perf_counter", lambda: time.perf_counter() + spent[0])
    monkeypatch.setattr(http.socket, "create_connection", slow)
    with receiver() as there:
        there.behave = lambda _: None
        with pytest.raises(ChannelError, match="no answer within 600 s"):
            http.post(there.url, b"{}", {}, msgspec.structs.replace(HERE, timeout=600.0))


def test_an_address_that_hangs_leaves_time_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    connect, shares = socket.create_connection, []

    def blackholed(address: tuple[str, int], seconds: float) -> socket.socket:
        shares.append(seconds)
        if address[0] == "::1":
            raise TimeoutError
        return connect(address, seconds)

    target = Target("http", "localhost", 0, "/", ("::1", "127.0.0.1"))
    with receiver() as there:
        port = int(there.url.rpartition(":")[2])
        monkeypatch.setattr(http, "checked", lambda *_: msgspec.structs.replace(target, port=port))
        monkeypatch.setattr(http.socket, "create_connection", blackholed)
        assert http.post(there.url, b"{}", {}, HERE).status == 200
    assert shares[0] <= HERE.timeout / 2


def test_loopback_is_refused_unless_it_is_named() -> None:
    with receiver() as there:
        settings = AlertSettings(slack=SlackSettings(url=there.url), targets=TargetSettings(plain_http=True))
        with pytest.raises(ChannelError, match=r"127\.0\.0\.1 is not a public address") as failed:
            SlackChannel(settings, ManualClock()).send(message())
    assert failed.value.permanent
    assert there.requests == []


def test_slack_blocks_hold_nothing_that_slack_takes_for_markup() -> None:
    with receiver() as there:
        settings = AlertSettings(slack=SlackSettings(url=there.url), targets=HERE, link="https://perf.example.org")
        SlackChannel(settings, ManualClock()).send(message())
    sent = there.requests[0].json()
    assert sent["text"] == "[FIRING] cpu &lt;1&gt;"
    assert sent["blocks"][1]["text"]["text"].startswith(":large_orange_circle: *[FIRING] cpu &lt;1&gt;*\nCPU 91 %")
    many = payload(message(*(note(n, text="&" * 5000) for n in range(100))), "")
    assert len(many["blocks"]) <= 50  # type: ignore[arg-type]  # a dict of JSON
    assert len(json.dumps(many)) < 13_200


def test_pagerduty_events_share_the_incidents_key() -> None:
    with receiver() as there:
        settings = AlertSettings(pagerduty=PagerDutySettings(routing_key="k" * 32, url=there.url), targets=HERE)
        channel = PagerDutyChannel(settings, ManualClock())
        channel.send(message())
        channel.send(message(note(kind="resolved")))
    begin, end = (request.json() for request in there.requests)
    assert (begin["event_action"], begin["payload"]["severity"], begin["payload"]["source"]) == (
        "trigger",
        "error",
        "web-1",
    )
    assert end == {"routing_key": "k" * 32, "event_action": "resolve", "dedup_key": begin["dedup_key"]}


def test_a_notice_of_silence_ends_at_alertmanager_within_a_day_and_by_its_end() -> None:
    silent, over = note(kind="digest", severity=Severity.MEDIUM), note(kind="resolved", severity=Severity.MEDIUM)
    begin, end = posted(silent, ""), posted(over, "")
    assert begin["labels"] == end["labels"]
    assert (begin["endsAt"], end["endsAt"]) == ("2026-09-22T14:13:20Z", "2026-09-21T14:13:20Z")
    assert posted(note(), "")["endsAt"] == "2026-09-28T14:13:20Z"


def test_a_real_alertmanager_takes_our_alerts_and_sends_what_we_send(tmp_path: Path) -> None:
    with receiver() as there, alertmanager(tmp_path, there.url) as url:
        settings = AlertSettings(alertmanager=AlertmanagerSettings(url=url), targets=HERE)
        channel = AlertmanagerChannel(settings, ManualClock())
        now = SystemClock().now()  # Alertmanager ends what is past by its own clock.
        channel.send(message(note(1, created=now), note(2, created=now)))
        theirs = eventually(lambda: there.requests and there.requests[-1].json(), seconds=60.0)
        assert {alert["labels"]["host_name"] for alert in theirs["alerts"]} <= {"web-1", "web-2"}
        ours = webhook_body(message(note(1, created=now)), "")
        assert set(ours) == set(theirs)
        assert set(ours["alerts"][0]) == set(theirs["alerts"][0])  # type: ignore[index]  # a dict of JSON
        channel.send(message(*(note(n, kind="resolved", created=now) for n in (1, 2))))
        assert eventually(lambda: [one for one in there.requests if one.json()["status"] == "resolved"], seconds=60.0)


def test_the_file_is_rotated_and_keeps_so_many(tmp_path: Path) -> None:
    path = tmp_path / "new" / "alerts.log"
    channel = FileChannel(AlertSettings(file=FileSettings(path=str(path), limit=1000, keep=2)), ManualClock())
    for n in range(12):
        channel.send(message(note(n)))
    assert sorted(file.name for file in path.parent.iterdir()) == ["alerts.log", "alerts.log.1", "alerts.log.2"]
    assert json.loads(path.read_text(encoding="utf-8").splitlines()[-1])["id"] == "i11.0.x"
    assert all(file.stat().st_size <= 1000 for file in path.parent.iterdir())


def test_a_file_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    channel = FileChannel(AlertSettings(file=FileSettings(path=str(tmp_path / "file" / "x"))), ManualClock())
    with pytest.raises(ChannelError) as failed:
        channel.send(message())
    assert not failed.value.permanent


def test_the_log_gets_one_line_each(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "perf.alerts"):
        LogChannel(AlertSettings(), ManualClock()).send(message(note(1), note(2, kind="resolved")))
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "\n" not in caplog.messages[0]


def test_every_channel_is_there_or_says_what_it_needs() -> None:
    found = opened(AlertSettings(), ManualClock())
    assert set(found) == set(plugins.CHANNELS)
    assert {name for name, channel in found.items() if not isinstance(channel, str)} == {"log"}
    assert found["email"] == "the channel email is not set up: alerts.email.host and alerts.email.to"


def test_apprise_takes_no_scheme_that_is_not_listed() -> None:
    found = opened(AlertSettings(apprise=AppriseSettings(urls=("json://169.254.169.254/key",))), ManualClock())
    assert "'json' is not allowed" in str(found["apprise"])
    assert "169.254" not in str(found["apprise"])


def test_a_message_of_many_has_an_id_that_does_not_depend_on_their_order() -> None:
    assert message(note(1), note(2)).id == message(note(2), note(1)).id != message(note(1), note(3)).id
    assert message(note(1), note(2, kind="resolved")).title == "1 firing, 1 resolved: [FIRING] cpu <1> and 1 more"
    assert Message((trial("log", NOW),)).title == "[TEST] perf"
