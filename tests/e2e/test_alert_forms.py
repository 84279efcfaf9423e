"""The forms of the Alerts page without a browser: what they make, and what they say below a field that can't be taken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import kept
from perf import default
from perf.clock import ManualClock
from perf.model import Escalation, Match, RuleKind
from perf.runtime import Runtime
from perf.settings import HostSettings, ProcessSettings, Settings, SourceSettings, StoreSettings

NOW = 1_700_000_000.0
"""Tuesday, 2023-11-14 22:13:20 UTC."""
T = TypeVar("T", bound=Any)  # a widget of AppTest
MAIN = Path(__file__).resolve().parents[2] / "dashboard" / "main.py"


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    """A running product that measures nothing but itself, at a time that stands still."""
    settings = Settings(
        store=StoreSettings(path=str(tmp_path / "perf.duckdb"), free_space_floor=0),
        sources=SourceSettings(host=HostSettings(enabled=False), process=ProcessSettings(enabled=False)),
    )
    found = Runtime(settings, ManualClock(NOW))
    default.install(found)
    kept.forget()
    found.start()
    yield found
    default.install(None)
    found.stop()
    kept.forget()


def opened(part: str) -> AppTest:
    """A part of the Alerts page, as a reader who has not signed in gets it."""
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    app.user = {"is_logged_in": False}
    app.run()
    app.switch_page("../pages/alerts.py")
    app.query_params["part"] = part
    app.run()
    assert list(app.exception) == []
    return app


def wrongs(app: AppTest) -> list[str]:
    """What is said below fields that can't be taken."""
    return [one.value.partition(" ")[2].rstrip("]").replace("\\", "") for one in app.caption if "red[" in one.value]


def named(widgets: Sequence[T], label: str) -> T:
    """The first of *widgets* that is called *label*."""
    return next(one for one in widgets if one.label == label)


def test_a_maintenance_window_is_made_in_a_zone_of_its_own(runtime: Runtime) -> None:
    app = opened("Silences")
    app.selectbox(key="quiet_repeats").select("every week").run()
    app.selectbox(key="quiet_zone").select("Europe/Berlin")
    app.text_input(key="quiet_label").input("mount!=/tmp, host=~db.*")
    app.datetime_input(key="quiet_from").set_value(datetime.fromisoformat("2023-11-16T01:00"))
    app.datetime_input(key="quiet_to").set_value(datetime.fromisoformat("2023-11-16T03:00"))
    app.multiselect(key="quiet_days").set_value(["thu", "mon"])
    app.text_input(key="quiet_author").input("Ada").run()
    assert wrongs(app) == []
    (said,) = [one.value for one in app.caption if one.value.startswith("It holds")]
    assert said == (
        "It holds Thu 16 Nov 01:00 to Thu 16 Nov 03:00, then Mon 20 Nov 01:00 to Mon 20 Nov 03:00, and so on (Europe/Berlin)."
    )
    app.button(key="add_silence").click().run()
    (made,) = runtime.alerts.silences()
    assert (made.recurrence, made.zone, made.author) == ("weekly mon,thu", "Europe/Berlin", "Ada")
    assert made.matchers == (Match("mount", "/tmp", negated=True), Match("host", "db.*", pattern=True))
    assert (made.start, made.end) == (1_700_092_800.0, 1_700_100_000.0)  # Midnight and two o'clock UTC.


def test_what_is_wrong_with_a_silence_stands_below_its_field(runtime: Runtime) -> None:
    app = opened("Silences")
    assert wrongs(app) == []
    app.button(key="add_silence").click().run()
    assert wrongs(app) == [
        "a rule or a label is missing: without one it would silence everything",
        "your name is missing",
    ]
    app.selectbox(key="quiet_span").select("from … to …")
    app.text_input(key="quiet_label").input("host db1").run()
    app.datetime_input(key="quiet_from").set_value(datetime.fromisoformat("2023-11-16T01:00"))
    app.datetime_input(key="quiet_to").set_value(datetime.fromisoformat("2023-11-16T01:00")).run()
    assert wrongs(app) == [
        "'host db1' is no label: write host=db1, host!=db1, host=~db.* or host!~db.*",
        "it ends after it starts",
    ]
    app.datetime_input(key="quiet_from").set_value(datetime.fromisoformat("2023-11-13T01:00"))
    app.text_input(key="quiet_label").input("host=~db(").run()
    app.datetime_input(key="quiet_to").set_value(datetime.fromisoformat("2023-11-13T02:00")).run()
    assert wrongs(app)[0].startswith("'host=~db(': ")
    assert wrongs(app)[1:] == ["it has ended already"]
    app.button(key="add_silence").click().run()
    assert runtime.alerts.silences() == []


def test_a_rule_is_made_with_reminders_and_an_escalation(runtime: Runtime) -> None:
    app = opened("Rules")
    assert wrongs(app) == []
    named(app.text_input, "Name").input("deep")
    named(app.text_input, "Condition").input("name == 'queue_depth' and value > 5")
    named(app.text_input, "Remind every").input("2h")
    named(app.text_input, "Only series with").input("job=mail")
    named(app.selectbox, "When it can't be evaluated, tell").select("log")
    named(app.multiselect, "tell too").set_value(["log"]).run()
    assert [one.label for one in app.multiselect].count("tell too") == 2  # One more step may follow.
    named(app.text_input, "After").input("15m").run()
    assert wrongs(app) == []
    app.button(key="save_rule").click().run()
    assert [toast.value for toast in app.toast] == ["Saved deep"]
    made = runtime.alerts.rules.named("deep")
    assert (made.repeat, made.labels) == (7200.0, (("job", "mail"),))
    assert made.escalation == (Escalation(after=900.0, channels=("log",)),)
    assert made.on_error == "log"


def test_a_rule_that_names_its_metric_too_can_be_about_another(runtime: Runtime) -> None:
    app = opened("Rules")
    app.selectbox(key="rule").select("CPU above 80 %").run()
    named(app.text_input, "Condition").input("name == 'load_percent' and value > 80").run()
    assert (wrongs(app), [one.value for one in app.error]) == ([], [])
    app.button(key="save_rule").click().run()
    assert runtime.alerts.rules.one("default-cpu").metric == "load_percent"
    named(app.selectbox, "Kind").select("health_check").run()
    app.button(key="save_rule").click().run()
    made = runtime.alerts.rules.one("default-cpu")
    assert (made.kind, made.condition, made.metric) == (RuleKind.HEALTH_CHECK, "", "")


def test_what_is_wrong_with_a_rule_stands_below_its_field_and_nothing_is_saved(runtime: Runtime) -> None:
    app = opened("Rules")
    before = runtime.alerts.rules.all()
    named(app.text_input, "Condition").input("name == 'queue_depth' and value >> 5")
    named(app.text_input, "For").input("soon")
    named(app.text_input, "Window").input("0s")
    named(app.text_input, "Message").input("{valu}")
    named(app.text_input, "Only series with").input("job").run()
    app.button(key="save_rule").click().run()
    found = wrongs(app)
    assert found[0] == "a name is missing"
    assert found[1].startswith("column 27: ")
    assert found[2] == "at least 1s"
    assert found[3].startswith("not a number of seconds: 'soon'")
    assert found[4].startswith("no field 'valu'")
    assert found[5] == "'job' is no label: write host=db1"
    assert len(found) == 6
    assert any("once every field can be taken" in text.value for text in app.markdown)
    named(app.selectbox, "Kind").select("burn_rate").run()
    named(app.text_input, "Bad events").input("sum(errors)")
    named(app.number_input, "Objective (%)").set_value(100.0).run()
    assert {"a selector has no functions", "a selector is missing", "it lies between 0 and 100 %, like 99.9"} <= set(
        wrongs(app)
    )
    assert runtime.alerts.rules.all() == before
