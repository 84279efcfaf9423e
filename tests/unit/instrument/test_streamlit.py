"""Scripts run by Streamlit's own script runner, through its AppTest; a real server and browser are in tests/e2e."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.runtime.runtime import Runtime
from streamlit.runtime.scriptrunner import ScriptRunner
from streamlit.runtime.state import SessionState
from streamlit.testing.v1 import AppTest

import perf.instrument
from perf.clock import SystemClock
from perf.instrument import streamlit
from perf.model import HistogramSample, Sample
from perf.record import Recorder
from tests.services import ROOT, environment

RERUN = "streamlit_rerun_duration_seconds"
LOAD = "page_load_seconds"
HEAD = "from perf.instrument import streamlit\nstreamlit.instrument()\nimport streamlit as st\n"


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """What scripts record into that call `instrument` as users do, without an argument."""
    recorder = Recorder(SystemClock())
    monkeypatch.setattr("perf.record.recorder._current", recorder)
    before = [ScriptRunner.__init__, SessionState.on_script_will_rerun, Runtime.connect_session]
    yield recorder
    streamlit.uninstrument()
    assert [ScriptRunner.__init__, SessionState.on_script_will_rerun, Runtime.connect_session] == before


def script(folder: Path, body: str, name: str = "shop.py") -> AppTest:
    file = folder / name
    file.write_text(HEAD + body, encoding="utf-8")
    return AppTest.from_file(str(file), default_timeout=30)


def runs(recorder: Recorder) -> dict[tuple[str, str], int]:
    """(metric, page) -> runs since the last call."""
    found: dict[tuple[str, str], int] = {}
    for each in recorder.drain(1.0):
        if isinstance(each, HistogramSample):
            found[each.metric.name, dict(each.labels)["page"]] = each.histogram.count
    return found


def counts(recorder: Recorder, metric: str, label: str) -> dict[str, float]:
    return {
        dict(each.labels)[label]: each.value
        for each in recorder.drain(1.0)
        if isinstance(each, Sample) and each.metric.name == metric and each.value
    }


def test_every_run_is_one_run(recorder: Recorder, tmp_path: Path) -> None:
    app = script(tmp_path, "st.button('go')")
    for _ in range(3):
        app.run()
    assert runs(recorder)[RERUN, "shop"] == 3


def test_a_run_takes_as_long_as_its_script(recorder: Recorder, tmp_path: Path) -> None:
    app = script(tmp_path, "import threading\nthreading.Event().wait(0.2)")
    began = time.perf_counter()
    app.run()
    around = time.perf_counter() - began
    (run,) = [each for each in recorder.drain(1.0) if each.metric.name == RERUN and isinstance(each, HistogramSample)]
    assert 0.2 <= run.histogram.total <= around


def test_a_script_that_never_asked_is_not_recorded(recorder: Recorder, tmp_path: Path) -> None:
    quiet = tmp_path / "quiet.py"
    quiet.write_text("import streamlit as st\nst.button('go')", encoding="utf-8")
    script(tmp_path, "st.write(1)").run()
    app = AppTest.from_file(str(quiet), default_timeout=30).run()
    app.button[0].click().run()
    found = runs(recorder)
    assert found[RERUN, "shop"] == 1
    assert {page for _, page in found} == {"shop"}


def test_two_scripts_in_one_process_keep_apart(recorder: Recorder, tmp_path: Path) -> None:
    one, two = script(tmp_path, "st.write(1)", "one.py"), script(tmp_path, "st.write(2)", "two.py")
    for app in (one, two, one):
        app.run()
    found = runs(recorder)
    assert (found[RERUN, "one"], found[RERUN, "two"]) == (2, 1)


def test_outside_a_script_all_scripts_are_asked_for(recorder: Recorder, tmp_path: Path) -> None:
    streamlit.instrument(recorder=recorder)
    file = tmp_path / "plain.py"
    file.write_text("import streamlit as st\nst.write(1)", encoding="utf-8")
    AppTest.from_file(str(file), default_timeout=30).run()
    assert runs(recorder)[RERUN, "plain"] == 1


def test_errors_are_counted_by_type_and_still_shown(recorder: Recorder, tmp_path: Path) -> None:
    app = script(tmp_path, "if st.button('go'):\n    raise KeyError('x')").run()
    app.button[0].click().run()
    assert len(app.exception) == 1
    app.button[0].click().run()
    assert counts(recorder, "function_errors_total", "error_type") == {"KeyError": 2.0}


def test_a_broken_script_is_an_error(recorder: Recorder, tmp_path: Path) -> None:
    app = script(tmp_path, "st.write(1)").run()
    (tmp_path / "shop.py").write_text("this is no Python", encoding="utf-8")
    app.run()
    assert counts(recorder, "function_errors_total", "error_type") == {"SyntaxError": 1.0}


def test_stopping_is_no_error(recorder: Recorder, tmp_path: Path) -> None:
    script(tmp_path, "st.stop()").run()
    found = recorder.drain(1.0)
    assert not [each for each in found if each.metric.name == "function_errors_total"]
    assert [each.histogram.count for each in found if isinstance(each, HistogramSample) and each.metric.name == RERUN]


def test_a_rerun_that_the_script_asks_for_is_a_run_and_part_of_the_load(recorder: Recorder, tmp_path: Path) -> None:
    body = "if 'ready' not in st.session_state:\n    st.session_state.ready = True\n    st.rerun()\nst.write(1)"
    script(tmp_path, body).run()
    found = runs(recorder)
    assert (found[RERUN, "shop"], found[LOAD, "shop"]) == (2, 1)


def test_widgets_are_counted_by_kind_where_their_value_changed(recorder: Recorder, tmp_path: Path) -> None:
    body = (
        "st.button('go', key='secret')\nst.slider('n', 0, 9)\nst.text_input('name')\nst.toggle('on')\n"
        "st.selectbox('which', ['a', 'b'])\nst.date_input('day', value=None)"
    )
    app = script(tmp_path, body).run()
    app.slider[0].set_value(4).run()
    app.slider[0].set_value(5).run()
    app.text_input[0].input("Ada").run()
    app.toggle[0].set_value(True).run()
    app.selectbox[0].select("b").run()
    app.button[0].click().run()
    app.run()
    assert counts(recorder, "streamlit_widget_interactions_total", "widget") == {
        "slider": 2.0,
        "text_input": 1.0,
        "checkbox": 1.0,
        "selectbox": 1.0,
        "button": 1.0,
    }


def test_pages_are_named_by_their_path(recorder: Recorder, tmp_path: Path) -> None:
    (tmp_path / "orders.py").write_text("import streamlit as st\nst.write('orders')", encoding="utf-8")
    body = (
        "def home():\n    st.button('go')\n"
        "where = st.navigation([st.Page(home, title='Home'), st.Page('orders.py', title='Our orders')])\nwhere.run()"
    )
    app = script(tmp_path, body).run()
    app.run()
    app.switch_page("orders.py").run()
    found = runs(recorder)
    assert (found[RERUN, "shop"], found[RERUN, "orders"]) == (2, 1)
    assert found[LOAD, "orders"] == 1


def test_what_the_script_calls_nests_below_its_page(recorder: Recorder, tmp_path: Path) -> None:
    body = (
        "from perf.monitoring import track_performance\n"
        "@track_performance('prices')\ndef prices():\n    return 1\nst.write(prices())"
    )
    script(tmp_path, body).run()
    calls = {
        (dict(each.labels)["caller"], dict(each.labels)["callee"], dict(each.labels)["kind"])
        for each in recorder.drain(1.0)
        if each.metric.name == "trace_calls_total"
    }
    assert calls == {("", "shop", "page"), ("shop", "prices", "function")}


def test_a_second_call_and_a_module_loaded_anew_change_nothing(
    recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = script(tmp_path, "streamlit.instrument()\nstreamlit.instrument()\nst.write(1)").run()
    # What Streamlit does to a module whose file has changed.
    monkeypatch.delitem(sys.modules, "perf.instrument.streamlit")
    monkeypatch.delattr(perf.instrument, "streamlit")
    app.run()
    app.run()
    sys.modules["perf.instrument.streamlit"].uninstrument()
    assert runs(recorder)[RERUN, "shop"] == 3


def test_undone_is_undone(recorder: Recorder, tmp_path: Path) -> None:
    file = tmp_path / "shop.py"
    app = script(tmp_path, "st.write(1)").run()
    streamlit.uninstrument()
    file.write_text("import streamlit as st\nst.write(1)", encoding="utf-8")
    app.run()
    assert runs(recorder)[RERUN, "shop"] == 1


def test_an_unknown_streamlit_is_one_line_in_the_log(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(streamlit, "_refused", [])
    monkeypatch.delattr(Runtime, "connect_session")
    before = ScriptRunner.__init__
    streamlit.instrument(recorder=recorder)
    streamlit.instrument(recorder=recorder)
    assert [record.name for record in caplog.records].count("perf.instrument.streamlit") == 1
    assert ScriptRunner.__init__ is before
    monkeypatch.undo()


def test_importing_it_does_not_import_streamlit() -> None:
    code = "import perf.instrument.streamlit, sys\nprint('streamlit' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment(), check=True, capture_output=True, text=True
    )
    assert done.stdout == "False\n"


def test_kinds_never_carry_what_a_program_chose() -> None:
    assert streamlit.kind(st.button.__call__) == "component"
    assert streamlit.kind(lambda value: value) == "component"
