"""What a log record, a garbage collection, a job and a run of a Streamlit script cost more when they are recorded.

python -m tests.bench.bench_programs            (rounds interleaved in one process, minimum of each)
"""

from __future__ import annotations

import gc as collector
import logging as library
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns

from perf.clock import SystemClock
from perf.instrument import gc, logging, streamlit
from perf.instrument.jobs import job
from perf.record import Recorder

ROUNDS = 15
SCRIPT_ROUNDS = 60
BODY = "import streamlit as st\nfor number in range(20):\n    st.text(number)\n"


def best(call: Callable[[], object], times: int) -> float:
    """Nanoseconds a call, in one round."""
    began = perf_counter_ns()
    for _ in range(times):
        call()
    return (perf_counter_ns() - began) / times


def compared(plain: Callable[[], object], switch: Callable[[], None], undo: Callable[[], None], times: int) -> str:
    """*plain* without and with what *switch* switches on, in turns."""
    low = [float("inf"), float("inf")]
    for _ in range(ROUNDS):
        low[0] = min(low[0], best(plain, times))
        switch()
        low[1] = min(low[1], best(plain, times))
        undo()
    return f"{low[0]:10.0f} ns {low[1]:10.0f} ns {low[1] - low[0]:+10.0f} ns"


def log(recorder: Recorder, level: int) -> str:
    """A record that a handler drops."""
    logger = library.getLogger("shop.orders")
    logger.propagate = False
    logger.handlers[:] = [library.NullHandler()]
    logger.setLevel(library.DEBUG)
    return compared(
        lambda: logger.log(level, "x"), lambda: logging.instrument(recorder=recorder), logging.uninstrument, 2_000
    )


def collection(recorder: Recorder) -> str:
    """A collection of an empty young generation."""
    collector.disable()
    try:
        switch, undo = (lambda: gc.instrument(recorder=recorder)), gc.uninstrument
        return compared(lambda: collector.collect(0), switch, undo, 2_000)
    finally:
        collector.enable()


def run_of_job(recorder: Recorder) -> str:
    """A job that does nothing."""

    def nothing() -> None:
        pass

    recorded = job("bench", every="1h", recorder=recorder)(nothing)
    low = [float("inf"), float("inf")]
    for _ in range(ROUNDS):
        for which, call in enumerate((nothing, recorded)):
            low[which] = min(low[which], best(call, 1_000))
    return f"{low[0]:10.0f} ns {low[1]:10.0f} ns {low[1] - low[0]:+10.0f} ns"


def rerun(recorder: Recorder) -> str:
    """A script with twenty elements, run by Streamlit's own runner in its AppTest."""
    from streamlit.testing.v1 import AppTest

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "script.py"
        file.write_text(BODY, encoding="utf-8")
        app = AppTest.from_file(str(file), default_timeout=30).run()
        low = [float("inf"), float("inf")]
        for _ in range(SCRIPT_ROUNDS):
            low[0] = min(low[0], best(app.run, 1))
            streamlit.instrument(recorder=recorder)
            low[1] = min(low[1], best(app.run, 1))
            streamlit.uninstrument()
        return f"{low[0]:10.0f} ns {low[1]:10.0f} ns {low[1] - low[0]:+10.0f} ns"


def own(recorder: Recorder) -> str:
    """What recording itself does in a run with twenty messages, without the noise of the run around it."""
    from types import SimpleNamespace

    from streamlit.runtime.scriptrunner import ScriptRunnerEvent as Event

    watching = streamlit._Watching(recorder)
    watching.install()
    watching.remove()
    pages = OnePage()
    context = SimpleNamespace(
        main_script_path="script.py", pages_manager=pages, page_script_hash="", on_script_error=None
    )
    run = streamlit._Run(watching)

    def once() -> None:
        run.begin(context)  # type: ignore[arg-type]
        for _ in range(20):
            run.told(None, Event.ENQUEUE_FORWARD_MSG, forward_msg=None)
        run.told(None, Event.SCRIPT_STOPPED_WITH_SUCCESS, run_descriptor=None)

    return f"{'':13} {'':13} {min(best(once, 500) for _ in range(ROUNDS)):+10.0f} ns"


class OnePage:
    """Pages of an app of one page."""

    main_script_path = "script.py"

    def get_pages(self) -> dict[str, object]:
        """None."""
        return {}


def main() -> int:
    """Print the table."""
    recorder = Recorder(SystemClock())
    print(f"{'':28} {'without':>13} {'with':>13} {'more':>13}")
    print(f"{'log record, INFO':28} {log(recorder, library.INFO)}")
    print(f"{'log record, WARNING':28} {log(recorder, library.WARNING)}")
    print(f"{'garbage collection':28} {collection(recorder)}")
    print(f"{'job':28} {run_of_job(recorder)}")
    print(f"{'Streamlit run, 20 elements':28} {rerun(recorder)}")
    print(f"{'  of which ours':28} {own(recorder)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
