from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from perf.alerts.silences import SilenceError, check, coming, covering, finished, holds, windows
from perf.model import AlertRule, Incident, IncidentState, Match, Severity, Silence
from perf.model.alert import incident_key

BERLIN = ZoneInfo("Europe/Berlin")
RULE = AlertRule(id="r1", name="cpu", severity=Severity.HIGH)


def local(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


def silence(start: str, end: str | None, recurrence: str = "", *matchers: Match) -> Silence:
    return Silence(
        id="s1", matchers=matchers or (Match("rule", "cpu"),), start=local(start), end=None if end is None else local(end),
        author="me", comment="", recurrence=recurrence, zone="Europe/Berlin",
    )  # fmt: skip


def test_a_silence_is_half_open() -> None:
    one = silence("2026-11-22T10:00", "2026-11-22T11:00")
    assert [holds(one, local("2026-11-22T10:00") + shift) for shift in (-1, 0, 3599, 3600)] == [
        False,
        True,
        True,
        False,
    ]


def test_all_matchers_must_fit() -> None:
    one = silence(
        "2026-11-22T10:00", None, "", Match("host", "web.*", pattern=True), Match("severity", "low", negated=True)
    )
    now = local("2026-11-23T10:00")
    assert covering([one], RULE, (("host", "web-1"),), now) == one
    assert covering([one], RULE, (("host", "db-1"),), now) is None


@pytest.mark.parametrize(
    ("recurrence", "times", "expected"),
    [
        ("daily", ("2026-11-25T02:30", "2026-11-25T04:00", "2026-11-01T02:30"), [True, False, False]),
        ("weekly", ("2026-11-30T02:30", "2026-12-01T02:30"), [True, False]),
        ("weekly tue,fri", ("2026-11-24T02:30", "2026-11-27T02:30", "2026-11-25T02:30"), [True, True, False]),
        ("monthly 24", ("2026-12-24T03:59", "2026-12-23T03:00"), [True, False]),
    ],
)
def test_windows_come_again(recurrence: str, times: tuple[str, ...], expected: list[bool]) -> None:
    one = silence("2026-11-23T02:00", "2026-11-23T04:00", recurrence)  # a Monday
    check(one)
    assert [holds(one, local(time)) for time in times] == expected


def test_a_window_over_midnight_lasts_into_the_next_day() -> None:
    one = silence("2026-11-23T23:00", "2026-11-24T01:00", "daily")
    assert [holds(one, local(t)) for t in ("2026-11-26T00:30", "2026-11-26T01:00", "2026-11-26T23:30")] == [
        True,
        False,
        True,
    ]


def test_a_window_keeps_its_hour_on_the_wall_when_the_clock_changes() -> None:
    one = silence("2026-03-01T04:00", "2026-03-01T05:00", "daily")
    summer, winter = local("2026-03-29T04:30"), local("2026-10-25T04:30")
    assert holds(one, summer)
    assert holds(one, winter)
    assert not holds(one, summer + 3600)
    assert not holds(one, winter - 3600)
    spans = [end - start for day in ("2026-03-29T12:00", "2026-10-25T12:00") for start, end in windows(one, local(day))]
    assert set(spans) == {3600.0}


def test_a_window_over_the_change_is_an_hour_shorter_or_longer() -> None:
    one = silence("2026-03-01T01:00", "2026-03-01T04:00", "daily")
    for day, hours in (("2026-03-29", 2.0), ("2026-10-25", 4.0)):
        begin = local(f"{day}T01:00")
        (found,) = [span for span in windows(one, begin) if span[0] == begin]
        assert (found[1] - found[0]) / 3600 == hours


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"matchers": ()}, "needs a matcher"),
        ({"end": 1.0}, "ends after"),
        ({"matchers": (Match("a", "(", pattern=True),)}, "^a: "),
        ({"zone": "Mars/Olympus"}, "no time zone"),
        ({"recurrence": "hourly"}, "a recurrence is"),
        ({"recurrence": "weekly foo"}, "days are"),
        ({"recurrence": "monthly 32"}, "no day 32"),
        ({"recurrence": "daily", "end": None}, "needs an end"),
    ],
)
def test_what_nobody_can_keep_is_refused(changes: dict[str, object], why: str) -> None:
    import msgspec

    with pytest.raises(SilenceError, match=why):
        check(msgspec.structs.replace(silence("2026-11-22T10:00", "2026-11-22T11:00"), **changes))


def test_until_resolved_is_finished_when_nothing_is_open() -> None:
    one = silence("2026-11-22T10:00", None)
    incident = Incident(
        id="i", rule_id="r1", key=incident_key("r1", ()), labels=(), state=IncidentState.FIRING, severity=Severity.HIGH, since=0.0
    )  # fmt: skip
    assert not finished(one, [RULE], [incident])
    assert finished(one, [RULE], [])


def test_the_next_windows_are_told_by_time_and_the_one_that_holds_first() -> None:
    night = silence("2026-11-02T22:00", "2026-11-03T06:00", "weekly mon,thu")
    spans = [
        (local("2026-11-23T22:00"), local("2026-11-24T06:00")),
        (local("2026-11-26T22:00"), local("2026-11-27T06:00")),
    ]
    assert coming(night, local("2026-11-24T05:59"), 2) == spans
    assert coming(night, local("2026-11-24T06:00"), 1) == spans[1:]
    assert coming(night, local("2026-10-01T00:00"), 1) == [(night.start, night.end)]
    monthly = silence("2026-11-02T22:00", "2026-11-03T06:00", "monthly 31")
    assert coming(monthly, local("2026-11-24T00:00"), 1) == [(local("2026-12-31T22:00"), local("2027-01-01T06:00"))]
