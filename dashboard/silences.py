"""Silences and maintenance windows on the Alerts page: those in force and to come, and the form for another."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import available_timezones

import streamlit as st

from dashboard import access, alerting, data, tables, ui
from dashboard.fields import Fields, demanded
from dashboard.state import State, from_local, to_local
from dashboard.units import NOTHING
from perf.alerts.silences import DAYS, coming
from perf.model import Match, Silence, Window
from perf.model.access import Scope

SPANS: dict[str, float | None] = {"1 h": 3600.0, "4 h": 14_400.0, "1 d": 86_400.0, "until it resolves": None}
PLANNED = "from … to …"
_NEVER, _DAILY, _WEEKLY, _MONTHLY = "never", "every day", "every week", "every month"
_ANY = "any"
_MATCHER = re.compile(r"\s*([^\s=!~]+)\s*(=~|!~|!=|=|~)\s*(.*?)\s*")


def silences(state: State) -> None:
    """Who is not told of what, and until when."""
    found = alerting.silences()
    if found:
        tables.plain([_quiet(one, state) for one in found], alt="Silences")
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            labels = {f"{_matched(one)} · {one.author} · {one.id}": one.id for one in found}
            chosen = st.selectbox("Silence", list(labels), key="silence", width=420)
            if st.button(
                "End it",
                key="end_silence",
                icon=":material/notifications_active:",
                disabled=not access.may(Scope.OPERATE),
                help=access.reason(Scope.OPERATE),
            ):
                silence_id = labels[str(chosen)]
                alerting.command("Ending", lambda: alerting.alerts().end_silence(silence_id), "Ended")
    else:
        ui.empty("No silence is in force or to come. Firing alerts have a button for one; below is the long way.")


def form(state: State) -> None:
    """A silence from now on, one to come, or a maintenance window that comes again."""
    pressed = bool(st.session_state.get("add_silence"))  # What the button below says in this run.
    fields = Fields()
    matchers = _what(fields, told=pressed)
    with st.container(horizontal=True, gap="small"):
        span = str(st.selectbox("For", [*SPANS, PLANNED], key="quiet_span", width=170))
        ways = [_NEVER, _DAILY, _WEEKLY, _MONTHLY]
        repeats = str(st.selectbox("Repeats", ways, key="quiet_repeats", width=150))
        zone = state.zone
        if repeats != _NEVER or span == PLANNED:
            zones = sorted(available_timezones() | {state.zone})
            zone = str(st.selectbox("Zone", zones, zones.index(state.zone), key="quiet_zone", width=210))
    now = data.now()
    window, end = Window(now, now + 3600.0), None
    if span == PLANNED or repeats != _NEVER:
        window = _planned(fields, zone, now, once=repeats == _NEVER)
        end = window.end
    elif (seconds := SPANS[span]) is not None:
        end = now + seconds
    recurrence = _recurrence(fields, repeats, to_local(window.start, zone))
    with st.container(horizontal=True, gap="small"):
        by = fields.read(
            lambda: st.text_input("Your name", key="quiet_author", value=alerting.author(), disabled=access.signs_in()),
            demanded("your name"),
            "",
            told=pressed,
        )
        comment = st.text_input("Why", key="quiet_comment")
    wanted = Silence(
        id="",
        matchers=tuple(matchers),
        start=window.start,
        end=end,
        author=access.person() if access.signs_in() else by,
        comment=comment,
        recurrence=recurrence,
        zone=zone,
    )
    if recurrence and not fields.wrong:
        st.caption(f"It holds {_coming(wanted, now)} ({zone}).")
    why = access.reason(Scope.OPERATE)
    if (
        st.button("Silence", key="add_silence", icon=":material/notifications_off:", disabled=bool(why), help=why)
        and not fields.wrong
    ):
        alerting.command("The silence", lambda: alerting.alerts().silence(wanted), "Silenced")


def _what(fields: Fields, *, told: bool) -> list[Match]:
    names = alerting.rule_names()
    with st.container(horizontal=True, gap="small"):
        rule = st.selectbox("Rule", [_ANY, *names.values()], key="quiet_rule", width=260)
        place = "host=db1, mount!=/tmp, env=~test.*"
        matchers = fields.read(
            lambda: st.text_input("Labels", key="quiet_label", placeholder=place, help="=, !=, =~ and !~ (patterns)"),
            labels,
            None,
        )
        if matchers is not None and rule == _ANY:
            fields.read(lambda: None, lambda _: _some(matchers), None, told=told)
    return [*([] if rule == _ANY else [Match("rule", str(rule))]), *(matchers or [])]


def _some(matchers: list[Match]) -> None:
    if not matchers:
        raise ValueError("a rule or a label is missing: without one it would silence everything")


def labels(text: str | None) -> list[Match]:
    """``host=db1, env=~test.*`` as matchers. Raises: ValueError saying which part is none."""
    found = []
    for part in filter(str.strip, (text or "").split(",")):
        match = _MATCHER.fullmatch(part)
        if match is None:
            raise ValueError(f"{part.strip()!r} is no label: write host=db1, host!=db1, host=~db.* or host!~db.*")
        name, sign, value = match.groups()
        one = Match(name, value, pattern="~" in sign, negated="!" in sign)
        try:
            one.fits("")
        except ValueError as error:
            raise ValueError(f"{part.strip()!r}: {error}") from error
        found.append(one)
    return found


def _planned(fields: Fields, zone: str, now: float, *, once: bool) -> Window:
    """From and to, as clocks on walls of *zone* have it."""
    first = to_local(now + 3600.0, zone).replace(minute=0, second=0)
    with st.container(horizontal=True, gap="small"):
        begin = st.datetime_input(f"From ({zone})", first, key="quiet_from", step=900, width=230)
        return fields.read(
            lambda: st.datetime_input(f"To ({zone})", first + timedelta(hours=1), key="quiet_to", step=900, width=230),
            lambda end: _window(begin, end, zone, now if once else 0.0),
            Window(now, now + 3600.0),
        )


def _window(begin: datetime | None, end: datetime | None, zone: str, now: float) -> Window:
    if begin is None or end is None:
        raise ValueError("say from when to when")
    first, last = from_local(begin, zone), from_local(end, zone)
    if last <= first:
        raise ValueError("it ends after it starts")
    if last <= now:
        raise ValueError("it has ended already")
    return Window(first, last)


def _recurrence(fields: Fields, repeats: str, first: datetime) -> str:
    """As a silence has it; weekly and monthly on the day of *first* unless others are named."""
    if repeats == _WEEKLY:
        none: list[str] = []
        days = fields.read(
            lambda: st.multiselect("On", DAYS, [DAYS[first.weekday()]], format_func=str.title, key="quiet_days"),
            _days,
            none,
            width=420,
        )
        return f"weekly {','.join(days)}"
    if repeats == _MONTHLY:
        day = st.number_input("On day", 1, 31, first.day, key="quiet_day", width=150, help="A shorter month has none")
        return f"monthly {day}"
    return "daily" if repeats == _DAILY else ""


def _days(chosen: list[str]) -> list[str]:
    if not chosen:
        raise ValueError("a day is missing")
    return sorted(chosen, key=DAYS.index)


def _coming(wanted: Silence, now: float) -> str:
    """The next windows, for people."""
    spans = coming(wanted, now, 2)
    if not spans:
        return "never"
    form = "%a %d %b %H:%M"
    words = [f"{to_local(a, wanted.zone):{form}} to {to_local(b, wanted.zone):{form}}" for a, b in spans]
    return f"{', then '.join(words)}, and so on"


def _quiet(one: Silence, state: State) -> dict[str, object]:
    spans = coming(one, data.now(), 1) if one.recurrence else []
    start, end = spans[0] if spans else (one.start, one.end)
    return {
        "What": _matched(one),
        "From": data.clock_time(start, state.zone),
        "Until": "it resolves" if end is None else data.clock_time(end, state.zone),
        "Repeats": f"{one.recurrence} {one.zone}" if one.recurrence else NOTHING,
        "By": one.author,
        "Why": one.comment or NOTHING,
    }


def _matched(one: Silence) -> str:
    signs = {(False, False): "=", (True, False): "!=", (False, True): "=~", (True, True): "!~"}
    return ", ".join(f"{each.label}{signs[each.negated, each.pattern]}{each.text}" for each in one.matchers)
