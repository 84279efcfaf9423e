"""What holds for every test: no network beyond loopback, nothing skipped in CI, nothing left of this machine's settings."""

from __future__ import annotations

import functools
import ipaddress
import logging
import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from perf import default
from perf.clock import ManualClock

if TYPE_CHECKING:
    from perf.runtime import Runtime

TESTS = Path(__file__).parent
LONG = ("e2e", "integration")
"""Folders of tests that start whole programs, and wait for them."""
LONGEST = ("test_failures.py", "test_dashboard.py", "test_live_component.py")
"""Files that take minutes: begun first, so that no process is left alone with one at the end."""
IN_CI = os.environ.get("CI", "").lower() in ("1", "true")

# An example may take as long as it needs: what holds a machine up is no fault of what is tested.
settings.register_profile(settings.get_current_profile_name(), deadline=None)


class OutsideNetworkError(RuntimeError):
    """A test tried to reach another machine."""


def _is_local(host: object) -> bool:
    if host in (None, "", "localhost", b"localhost"):
        return True
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _refuse_outside(event: str, args: tuple[object, ...]) -> None:
    # An audit hook sees what every library does with Python's sockets, also one that kept its own reference to them.
    if event == "socket.connect" and isinstance(args[1], tuple) and not _is_local(args[1][0]):
        raise OutsideNetworkError(f"tests stay on this machine; tried to connect to {args[1]}")
    if event == "socket.getaddrinfo" and not _is_local(args[0]):
        raise OutsideNetworkError(f"tests stay on this machine; tried to look up {args[0]!r}")


def pytest_configure() -> None:
    """From here on no socket of this process reaches another machine."""
    sys.addaudithook(_refuse_outside)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that wait between files that compute, so that the processors have work all the time; otherwise in random order."""
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    waiting = sorted((path for path in files if _waits(path)), key=lambda path: path.name not in LONGEST)
    computing = [path for path in files if not _waits(path)]
    places = {path: number / len(waiting) for number, path in enumerate(waiting)}
    places |= {path: number / len(computing) for number, path in enumerate(computing, 1)}
    items[:] = [item for path in sorted(files, key=places.__getitem__) for item in files[path]]


def _waits(path: Path) -> bool:
    return path.relative_to(TESTS).parts[0] in LONG


def _refused(where: str, reason: object) -> str:
    return f"{where} was skipped, and with CI=true nothing may be: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure in CI; an expected failure is none."""
    report = yield
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = _refused(report.nodeid, report.longrepr)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a whole module that is skipped while it is collected."""
    report = yield
    if IN_CI and report.skipped:
        report.outcome = "failed"
        report.longrepr = _refused(report.nodeid, report.longrepr)
    return report


@pytest.fixture(autouse=True, scope="session")
def _no_runtime_by_accident() -> Generator[None, None, None]:
    """An answer of a page that is refreshed early may outlive its test: it would open the store of the settings, and leave it open
    as this process's own for all tests that follow.
    """

    def get() -> Runtime:
        runtime = default.running()
        if runtime is None:
            raise RuntimeError("no test has installed a runtime")
        return runtime

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(default, "get", get)
        yield


@pytest.fixture(autouse=True, scope="session")
def _packages_searched_once() -> Generator[None, None, None]:
    """Each of Streamlit's AppTests would read about every installed package, in search of components: 0.3 s of a processor."""
    with pytest.MonkeyPatch.context() as patch:
        if "streamlit.testing.v1" in sys.modules:  # for tests without a page, importing it would cost a second
            from streamlit.components.v2 import manifest_scanner

            once = functools.cache(manifest_scanner.scan_component_manifests)
            patch.setattr(manifest_scanner, "scan_component_manifests", once)
        yield


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's own ``PERF_`` variables change what a test sees."""
    for name in [name for name in os.environ if name.startswith("PERF_")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _own_main() -> Generator[None, None, None]:
    """Streamlit's AppTest leaves its script in the place of the main module, where a spawned process would look for it."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(autouse=True)
def _own_logs() -> Generator[None, None, None]:
    """What an entry point sets up for its logs ends with the test: the stream it writes to does."""
    loggers = [logging.getLogger(name) for name in ("perf", "dashboard")]
    before = [(one.handlers[:], one.level, one.propagate) for one in loggers]
    yield
    for one, (handlers, level, propagate) in zip(loggers, before, strict=True):
        one.handlers[:], one.propagate = handlers, propagate
        one.setLevel(level)


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands still until the test moves it."""
    return ManualClock()


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the checkout."""
    return Path(__file__).resolve().parent.parent
