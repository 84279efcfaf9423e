"""Probes that settings name: from a file and from variables, strictly."""

from __future__ import annotations

from pathlib import Path

import pytest

from perf.clock import ManualClock
from perf.errors import PerfError, SettingsError
from perf.health.configured import configured
from perf.health.plan import Plan
from perf.logs import secrets
from perf.settings import HealthSettings, load


def plans(settings: HealthSettings) -> dict[str, Plan]:
    return configured(settings, ("store", "disk"), ManualClock())[1]


def test_a_file_names_probes_with_their_times_and_weights(tmp_path: Path) -> None:
    file = tmp_path / "perf.toml"
    file.write_text(
        '[health]\ntimeout = "3s"\ninterval = "20s"\n[health.probes.shop]\nkind = "http"\nurl = "http://shop.example"\n'
        'timeout = "500ms"\ninterval = "1m"\nafter = ["store"]\ncritical = false\nreadiness = true\nfailures = 3\n'
        "[health.probes.disk]\ncritical = false\n",
        encoding="utf-8",
    )
    found = plans(load(file, environ={}).health)
    assert found["store"] == Plan(timeout=3.0, interval=20.0, kind="store")
    assert found["disk"] == Plan(timeout=3.0, interval=20.0, critical=False, kind="disk")
    assert found["shop"] == Plan(
        timeout=0.5, interval=60.0, after=("store",), critical=False, readiness=True, failures=3, kind="http"
    )


def test_variables_name_probes_too() -> None:
    found = load(
        environ={
            "PERF_HEALTH__PROBES__SHOP__KIND": "http",
            "PERF_HEALTH__PROBES__SHOP__URL": "http://shop.example",
            "PERF_HEALTH__PROBES__SHOP__AFTER": "store, disk",
            "PERF_HEALTH__PROBES__SHOP__CRITICAL": "false",
            "PERF_HEALTH__PROBES__SHOP__STATUS": "200,204",
            "PERF_HEALTH__PROBES__SHOP__SLOW": "800ms",
        }
    ).health
    shop = plans(found)["shop"]
    assert (shop.after, shop.critical) == (("store", "disk"), False)


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("shop", {}, r"health\.probes\.shop: say which kind it is; known: certificate, data, dns"),
        ("store", {"kind": "http"}, r"health\.probes\.store: one of perf's own probes"),
        ("disk", {"url": "x"}, r"unknown setting 'health\.probes\.disk\.url'"),
        ("The Shop", {"kind": "http", "url": "http://x"}, r"'The Shop': a name has small letters"),
        (
            "shop",
            {"kind": "http", "url": "http://x", "timeout": -1},
            r"health\.probes\.shop\.timeout: Expected `float` > 0",
        ),
        (
            "shop",
            {"kind": "http", "url": "http://x", "failures": 0},
            r"health\.probes\.shop\.failures: Expected `int` >= 1",
        ),
        (
            "shop",
            {"kind": "http", "url": "http://x", "critical": "maybe"},
            r"health\.probes\.shop\.critical: Expected `bool`",
        ),
    ],
    ids=["no-kind", "own-with-kind", "own-with-option", "name", "timeout", "failures", "text-for-bool"],
)
def test_what_makes_no_sense_is_refused_and_named(name: str, options: dict[str, object], reason: str) -> None:
    with pytest.raises(PerfError, match=reason):
        plans(HealthSettings(probes={name: options}))


def test_what_nobody_may_read_is_kept_from_logs() -> None:
    probes = {
        "cache": {"kind": "redis", "url": "redis://:hunter2@cache.example"},
        "db": {"kind": "postgres", "dsn": "host=db password=s3cret"},
        "shop": {"kind": "http", "url": "http://shop.example/", "headers": {"Authorization": "Bearer t0ken"}},
    }
    settings = load(environ={})
    hidden = secrets(type(settings)(health=HealthSettings(probes=probes)))
    assert {"hunter2", "host=db password=s3cret", "Bearer t0ken"} <= set(hidden)
    assert not {"cache", "db", "shop", "http://shop.example/"} & set(hidden)


def test_waiting_for_nobody_is_refused_when_the_checker_is_made() -> None:
    from perf.health import HealthChecker

    settings = HealthSettings(probes={"shop": {"kind": "http", "url": "http://x", "after": ["dns"]}})
    found, plans = configured(settings, (), ManualClock())
    with pytest.raises(SettingsError, match=r"health\.probes\.shop\.after: no probe 'dns'"):
        HealthChecker(found, ManualClock(), plans=plans)
