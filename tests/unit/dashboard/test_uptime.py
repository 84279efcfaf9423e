"""Cards, strips, the score and the dependency picture: what they say, and that nothing of it is taken for HTML."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from dashboard import dependencies, uptime
from dashboard.theme import LOOKS
from perf.health.plan import Plan
from perf.health.score import ratings, scored
from perf.model import ProbeResult, Status, UptimeCell
from perf.settings import RatingSettings, ScoreSettings
from perf.views.health import ProbeState, Uptime

NOW = 1_700_000_000.0
HEALTHY, UNKNOWN, DEGRADED, UNHEALTHY = Status


def state(name: str, status: Status | None = HEALTHY, *, message: str = "fine", **changes: object) -> ProbeState:
    plan = Plan(**changes)  # type: ignore[arg-type]  # by name
    result = (
        ProbeResult(name=name, status=status, message=message, ts=NOW - 5, since=NOW - 3720, seconds=0.25)
        if status
        else None
    )
    return ProbeState(name=name, plan=plan, result=result)


def up(*cells: dict[Status, float], ratio: float | None = 1.0) -> Uptime:
    found = tuple(UptimeCell(probe="a", start=NOW + 60 * n, seconds=cell) for n, cell in enumerate(cells) if cell)
    return Uptime(probe="a", ratio=ratio, start=NOW, end=NOW + 60 * len(cells), step=60.0, cells=found)


class Texts(HTMLParser):
    """The words outside tags, and every tag."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.titles: list[str] = []
        self.feed(re.sub(r"<style>.*?</style>", "", source, flags=re.DOTALL))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.titles += [value or "" for name, value in attrs if name in ("title", "aria-label")]

    def handle_data(self, data: str) -> None:
        self.words += data.split()

    @property
    def text(self) -> str:
        return " ".join(self.words)


def test_a_card_says_state_message_duration_and_since_when() -> None:
    found = Texts(uptime.cards([state("shop", UNHEALTHY, message="refused", kind="http")], {}, "UTC", NOW))
    assert found.text == "■ shop unhealthy for 1 h 2 min refused 22:13:15, 250 ms –"


def test_a_card_of_an_old_result_is_stale_and_one_without_has_not_run() -> None:
    old = Texts(uptime.cards([state("a", interval=1.0, timeout=1.0)], {}, "UTC", NOW))
    new = Texts(uptime.cards([state("a", None, critical=False)], {}, "UTC", NOW))
    assert "stale, 22:13:15" in old.text
    assert new.text == "◌ a unknown not run yet –, – optional –"


def test_words_of_others_stay_words() -> None:
    evil = '<script>alert("x")</script>'
    states = [state("b", message=evil), state("a", message=evil, after=("b",))]
    found = Texts(uptime.cards(states, {}, "UTC", NOW) + dependencies.picture(states))
    assert "script" not in found.tags
    assert '<script>alert("x")</script>' in found.text


def test_cells_say_when_and_for_how_long() -> None:
    strip = uptime.strips(["a"], {"24 h": {"a": up({HEALTHY: 60.0}, {}, {HEALTHY: 48.0, UNHEALTHY: 12.0})}}, "UTC", NOW)
    assert Texts(strip).titles == [
        "a, 24 h: up 100 %",
        "22:13–22:14: healthy 1 min",
        "22:14–22:15: nobody looked",
        "22:15–22:16: unhealthy 12 s, healthy 48 s",
    ]


@pytest.mark.parametrize(
    ("ratio", "text"), [(1.0, "100 %"), (0.999999, "99.99 %"), (0.5, "50.00 %"), (0.0, "0.00 %"), (None, "–")]
)
def test_what_was_down_once_is_never_a_hundred_percent(ratio: float | None, text: str) -> None:
    assert uptime.percent(up(ratio=ratio)) == text
    assert uptime.percent(None) == "–"


def test_a_short_outage_can_be_seen_in_a_long_cell() -> None:
    found = uptime.gradient([(UNHEALTHY, 1.0), (HEALTHY, 86_399.0)])
    share = re.search(rf"{LOOKS[UNHEALTHY].color} 0% (\d+)%", found)
    assert share is not None
    assert 14 <= int(share[1]) <= 20
    assert uptime.gradient([(UNHEALTHY, 5.0)]) == LOOKS[UNHEALTHY].color


def test_the_score_is_shown_with_what_each_part_cost_and_what_numbers_are_called() -> None:
    facts = {"errors": 5.5, "cpu": 60.0}
    found = scored(facts, ScoreSettings())
    words = ratings({**facts, "score": found.value}, RatingSettings())
    shown = Texts(uptime.score(type(found)(value=found.value, grade=found.grade, parts=found.parts, ratings=words)))
    assert shown.text.startswith("● 62 of 100, good")
    assert "Errors 5.5 % of requests −37.9 of 76" in shown.text
    assert "Cache nobody measured it: it does not count –" in shown.text
    assert "▲ CPU 60 % needs improvement" in shown.text
    assert "5.5 % of requests; free up to 1 %, all 76 points lost at 10 %" in shown.titles


def test_without_a_score_nothing_is_shown() -> None:
    assert uptime.score(scored({}, ScoreSettings())) == ""


def test_boxes_stand_in_columns_behind_all_that_they_wait_for() -> None:
    states = [
        state("checkout", after=("shop", "payments")),
        state("shop", after=("dns",)),
        state("dns"),
        state("payments"),
        state("alone"),
    ]
    boxes = {box.state.name: (box.x, box.y) for box in dependencies.layout(states)}
    assert set(boxes) == {"checkout", "shop", "dns", "payments"}
    assert boxes["dns"][0] == boxes["payments"][0] < boxes["shop"][0] < boxes["checkout"][0]
    assert len(set(boxes.values())) == 4


def test_the_picture_says_in_words_who_waits_for_whom() -> None:
    states = [state("dns", UNHEALTHY), state("shop", UNKNOWN, after=("dns",), message="not checked: dns is unhealthy")]
    found = Texts(dependencies.picture(states))
    assert found.titles == [
        "shop (unknown) waits for dns",
        "dns: fine",
        "shop: not checked: dns is unhealthy",
    ]
    assert found.text == "dns ■ unhealthy shop ◌ unknown"
    assert "stroke-dasharray" in dependencies.picture(states)
    assert dependencies.picture([state("a"), state("b")]) == ""
