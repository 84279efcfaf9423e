from __future__ import annotations

import logging as library
import logging.config
import threading
from collections.abc import Iterator

import pytest

from perf.clock import SystemClock
from perf.instrument import logging
from perf.model import Sample
from perf.record import Recorder

OURS = ("shop", "other", "quiet", "loud", "crowd")
"""Loggers of these tests. Threads that others have left may log, too."""


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder(SystemClock())
    before = library.getLogRecordFactory()
    logging.instrument(recorder=recorder)
    yield recorder
    logging.uninstrument()
    assert library.getLogRecordFactory() is before


def counts(recorder: Recorder) -> dict[tuple[str, str], float]:
    """(level, logger) -> records."""
    found = {}
    for each in recorder.drain(1.0):
        if isinstance(each, Sample) and each.metric.name == "log_messages_total":
            labels = dict(each.labels)
            if labels["logger"].startswith(OURS):
                found[labels["level"], labels["logger"]] = each.value
    return found


def test_warnings_and_worse_are_counted_by_level_and_top_level_logger(recorder: Recorder) -> None:
    library.getLogger("shop.orders").warning("slow: %s", 3)
    library.getLogger("shop.orders").error("broken")
    library.getLogger("shop.stock").error("broken")
    library.getLogger("shop.stock").critical("gone")
    library.getLogger("shop").log(35, "a level of our own")
    library.getLogger("shop").info("not counted")
    library.getLogger("other").error("broken")
    assert counts(recorder) == {
        ("warning", "shop"): 2.0,
        ("error", "shop"): 2.0,
        ("critical", "shop"): 1.0,
        ("error", "other"): 1.0,
    }


def test_records_come_out_as_they_would_without(recorder: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ValueError("x")
    except ValueError:
        library.getLogger("shop").exception("%s failed", "it", extra={"order": 7}, stack_info=True)
    (record,) = [each for each in caplog.records if each.name == "shop"]
    assert (record.getMessage(), record.filename, record.funcName) == (
        "it failed",
        "test_logging.py",
        "test_records_come_out_as_they_would_without",
    )
    assert record.exc_info is not None
    assert record.__dict__["order"] == 7
    assert counts(recorder) == {("error", "shop"): 1.0}


def test_a_configuration_that_comes_later_keeps_the_count_and_its_disabled_loggers_are_silent(
    recorder: Recorder,
) -> None:
    library.getLogger("quiet").warning("before")
    try:
        library.config.dictConfig(
            {
                "version": 1,
                "disable_existing_loggers": True,
                "handlers": {"nowhere": {"class": "logging.NullHandler"}},
                "loggers": {"loud": {"handlers": ["nowhere"], "level": "ERROR", "propagate": False}},
            }
        )
        library.getLogger("quiet").warning("disabled by now")
        library.getLogger("loud").warning("below its level")
        library.getLogger("loud").error("told")
    finally:
        for logger in list(library.root.manager.loggerDict.values()):
            if isinstance(logger, library.Logger):
                logger.disabled = False
    assert counts(recorder) == {("warning", "quiet"): 1.0, ("error", "loud"): 1.0}


def test_a_record_made_by_hand_is_only_made(recorder: Recorder) -> None:
    assert library.makeLogRecord({"levelno": 40, "name": "shop"}).name == "shop"
    assert counts(recorder) == {}


def test_twice_is_once_also_below_a_factory_of_somebody_else(recorder: Recorder) -> None:
    logging.instrument(recorder=recorder)
    ours = library.getLogRecordFactory()
    library.setLogRecordFactory(lambda *args, **kwargs: ours(*args, **kwargs))
    logging.instrument(recorder=recorder)
    library.getLogger("shop").warning("once")
    assert counts(recorder) == {("warning", "shop"): 1.0}
    logging.uninstrument()
    library.getLogger("shop").warning("not counted")
    library.setLogRecordFactory(ours.made)  # type: ignore[attr-defined]
    assert counts(recorder) == {}


def test_a_failure_of_ours_is_logged_once_and_does_not_recurse(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    from perf.model import Metric

    recorder.gauge(Metric("log_messages_total"), {"level": "error", "logger": "shop"}).set(1.0)
    library.getLogger("shop").error("one")
    library.getLogger("shop").error("two")
    assert [record.name for record in caplog.records].count("shop") == 2
    assert [record.name for record in caplog.records].count("perf.record.recorder") == 1
    assert recorder.dropped() == {"errors": 2}


def test_many_threads_lose_nothing(recorder: Recorder) -> None:
    logger = library.getLogger("crowd.deep")
    logger.addHandler(library.NullHandler())
    logger.propagate = False
    threads = [
        threading.Thread(target=lambda: [logger.warning("x") for _ in range(500)], name=f"log-{number}")
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts(recorder) == {("warning", "crowd"): 4000.0}
