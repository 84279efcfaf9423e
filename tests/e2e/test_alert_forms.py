"""The forms of the Alerts page without a browser: what they make, and what they say below a field that can't be taken."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import kept
from perf import default
from perf.clock import ManualClock
from perf.model import Match
from perf.runtime import Runtime
from perf.settings import HostSettings, ProcessSettings, Settings, SourceSettings, StoreSettings

NOW = 1_700_000_000.0
"""Tuesday, 2023-11-14 22:13:20 UTC."""
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


def test_a_maintenance_window_is_made_in_a_zone_of_its_own(runtime: Runtime) -> None:
    app = opened("Silences")
    app.selectbox(key="quiet_repeats").select("every week").run()
    app.selectbox(key="quiet_zone").select("Europe/Berlin")
    app.text_input(key="quiet_label").input("mount!=/tmp, host=~db.*")
    app.datetime_input(key="quiet_from").set_value(datetime(2023, 11, 16, 1, 0))
    app.datetime_input(key="quiet_to").set_value(datetime(2023, 11, 16, 3, 0))
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
    app.datetime_input(key="quiet_from").set_value(datetime(2023, 11, 16, 1, 0))
    app.datetime_input(key="quiet_to").set_value(datetime(2023, 11, 16, 1, 0)).run()
    assert wrongs(app) == [
        "'host db1' is no label: write host=db1, host!=db1, host=~db.* or host!~db.*",
        "it ends after it starts",
    ]
    app.datetime_input(key="quiet_from").set_value(datetime(2023, 11, 13, 1, 0))
    app.text_input(key="quiet_label").input("host=~db(").run()
    app.datetime_input(key="quiet_to").set_value(datetime(2023, 11, 13, 2, 0)).run()
    assert wrongs(app)[0].startswith("'host=~db(': ")
    assert wrongs(app)[1:] == ["it has ended already"]
    app.button(key="add_silence").click().run()
    assert runtime.alerts.silences() == []
