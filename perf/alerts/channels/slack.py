"""Notifications as Slack blocks, through an incoming webhook."""

from __future__ import annotations

import msgspec

from perf.alerts.channels.http import post
from perf.alerts.channels.port import Message
from perf.alerts.templates import LISTED
from perf.alertsettings import AlertSettings
from perf.errors import SettingsError
from perf.ports import Clock

HEADER, SECTION = 150, 550
"""Slack's limits: 150 characters a header, 3,000 a section, about 13,000 a message, 50 blocks."""
_ICONS = {
    "low": ":large_blue_circle:",
    "medium": ":large_yellow_circle:",
    "high": ":large_orange_circle:",
    "critical": ":red_circle:",
}


class SlackChannel:
    """One message for all of a group."""

    def __init__(self, settings: AlertSettings, _clock: Clock) -> None:
        """Raises: SettingsError without an address."""
        if not settings.slack.url:
            raise SettingsError("the channel slack is not set up: alerts.slack.url")
        self._settings = settings

    def send(self, message: Message) -> None:
        """Deliver *message*. Raises: ChannelError."""
        body = msgspec.json.encode(payload(message, self._settings.link))
        post(self._settings.slack.url, body, {"idempotency-key": message.id}, self._settings.targets)


def payload(message: Message, link: str) -> dict[str, object]:
    """*message* as Slack wants it; *text* is what a notification on a phone shows."""
    blocks: list[dict[str, object]] = [
        {"type": "header", "text": {"type": "plain_text", "text": cut(message.title, HEADER)}}
    ]
    for one in message.notifications[:LISTED]:
        icon = ":white_check_mark:" if one.kind == "resolved" else _ICONS[one.severity.value]
        text = cut(f"{icon} *{escaped(one.title)}*\n{escaped(one.text)}", SECTION)
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": text}})
    notes = []
    if len(message.notifications) > LISTED:
        notes.append(f"and {len(message.notifications) - LISTED} more")
    if link:
        notes.append(f"<{escaped(link)}|Open the dashboard>")
    if notes:
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": " · ".join(notes)}]})
    return {"text": cut(escaped(message.title), SECTION), "blocks": blocks}


def escaped(text: str) -> str:
    """*text* with nothing in it that Slack would take for a link or a mention."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cut(text: str, length: int) -> str:
    """*text* of at most *length* characters."""
    return text if len(text) <= length else text[: length - 1] + "…"
