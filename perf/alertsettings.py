"""The settings group ``alerts``: where notifications go, how many, and where they may not go."""

from __future__ import annotations

from typing import Annotated

import msgspec

from perf.settingtree import Bytes, Group, Seconds, says


class EmailSettings(Group, frozen=True):
    """Email through an SMTP server."""

    host: Annotated[str, says("SMTP server; empty: no email")] = ""
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535), says("its port")] = 587
    security: Annotated[str, says("starttls, tls (from the first byte), or none")] = "starttls"
    username: Annotated[str, says("account; empty: no sign-in")] = ""
    password: Annotated[str, says("its password")] = ""
    sender: Annotated[str, says("From; else the account, or perf@ this machine")] = ""
    to: Annotated[tuple[str, ...], says("who gets it")] = ()
    ca_file: Annotated[str, says("certificates to trust instead of the system's")] = ""


class SlackSettings(Group, frozen=True):
    """A Slack incoming webhook, or what understands the same."""

    url: Annotated[str, says("address of the incoming webhook")] = ""


class WebhookSettings(Group, frozen=True):
    """Any HTTP receiver."""

    urls: Annotated[tuple[str, ...], says("receivers; each gets every notification")] = ()
    secrets: Annotated[
        tuple[str, ...], says("signing secrets, whsec_... as in Standard Webhooks; two while one is replaced")
    ] = ()
    body: Annotated[str, says("standard, or alertmanager for the body of Alertmanager's webhook, version 4")] = (
        "standard"
    )


class AlertmanagerSettings(Group, frozen=True):
    """A running Alertmanager, which then groups, silences and routes by itself."""

    url: Annotated[str, says("its address, such as https://alertmanager.example.org")] = ""


class PagerDutySettings(Group, frozen=True):
    """PagerDuty Events API v2."""

    routing_key: Annotated[str, says("integration key of the service")] = ""
    url: Annotated[str, says("where events go; the EU has its own")] = "https://events.pagerduty.com/v2/enqueue"


class FileSettings(Group, frozen=True):
    """One JSON object a line."""

    path: Annotated[str, says("the file; its folder is made; empty: no file")] = ""
    limit: Annotated[Bytes, says("size at which it is rotated")] = 10 * 2**20
    keep: Annotated[int, msgspec.Meta(ge=1, le=100), says("rotated files that are kept")] = 5


class AppriseSettings(Group, frozen=True):
    """The services Apprise knows (pip install apprise), by its addresses."""

    urls: Annotated[tuple[str, ...], says("addresses such as ntfys://topic")] = ()
    schemes: Annotated[tuple[str, ...], says("services that may be used; none of them takes an address of yours")] = (
        "discord",
        "gchat",
        "msteams",
        "ntfys",
        "opsgenie",
        "pover",
        "tgram",
        "twilio",
    )


class HeartbeatSettings(Group, frozen=True):
    """A dead-man's switch: who misses this heartbeat knows that nothing is watched any more."""

    url: Annotated[str, says("asked after a turn in which rules were evaluated and stored; empty: never")] = ""
    interval: Annotated[Seconds, says("how often")] = 60.0


class TargetSettings(Group, frozen=True):
    """Which addresses notifications may reach over HTTP."""

    plain_http: Annotated[bool, says("true: http as well as https")] = False
    private: Annotated[tuple[str, ...], says("private networks that may be reached, such as 10.1.0.0/16")] = ()
    timeout: Annotated[Seconds, says("longest time for one delivery")] = 10.0
    ca_file: Annotated[str, says("certificates to trust instead of the system's")] = ""


class AlertSettings(Group, frozen=True):
    """Whom to tell, how soon and how often."""

    enabled: Annotated[bool, says("whether rules are evaluated and notifications sent")] = True
    channels: Annotated[tuple[str, ...], says("for rules that name none")] = ("log",)
    system_channels: Annotated[tuple[str, ...], says("for troubles of perf's own, such as a rule that is broken")] = (
        "log",
    )
    group_by: Annotated[tuple[str, ...], says("labels whose values share a notification, beside the rule")] = ()
    group_wait: Annotated[Seconds, says("wait for others of a group before its first notification")] = 30.0
    group_interval: Annotated[Seconds, says("least time between notifications of a group")] = 300.0
    repeat_critical: Annotated[Seconds, says("reminder while a high or critical alert goes on")] = 4 * 3600.0
    repeat_warning: Annotated[Seconds, says("reminder while another goes on")] = 86_400.0
    repeats: Annotated[int, msgspec.Meta(ge=0), says("reminders of one incident at most")] = 10
    rate: Annotated[
        int, msgspec.Meta(ge=1), says("notifications in 10 minutes and channel; the rest comes as a digest")
    ] = 30
    link: Annotated[str, says("address of this dashboard, for links in notifications")] = ""
    email: EmailSettings = EmailSettings()
    slack: SlackSettings = SlackSettings()
    webhook: WebhookSettings = WebhookSettings()
    alertmanager: AlertmanagerSettings = AlertmanagerSettings()
    pagerduty: PagerDutySettings = PagerDutySettings()
    file: FileSettings = FileSettings()
    apprise: AppriseSettings = AppriseSettings()
    heartbeat: HeartbeatSettings = HeartbeatSettings()
    targets: TargetSettings = TargetSettings()


def problems(settings: AlertSettings) -> str:
    """What contradicts in *settings*; empty when nothing does."""
    if settings.email.security not in ("starttls", "tls", "none"):
        return f"alerts.email.security: {settings.email.security!r}; known: none, starttls, tls"
    if settings.email.security == "none" and settings.email.password:
        return "alerts.email: a password is not sent over a connection without TLS"
    if settings.webhook.body not in ("standard", "alertmanager"):
        return f"alerts.webhook.body: {settings.webhook.body!r}; known: alertmanager, standard"
    if len(settings.webhook.secrets) > 2:
        return "alerts.webhook.secrets: two at most"
    return ""


def secrets(settings: AlertSettings) -> tuple[str, ...]:
    """Every value in *settings* that nobody may read."""
    addresses = (settings.slack.url, settings.heartbeat.url, *settings.webhook.urls, *settings.apprise.urls)
    found = (settings.email.password, settings.pagerduty.routing_key, *settings.webhook.secrets, *addresses)
    return tuple(value for value in found if value)
