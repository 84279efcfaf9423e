"""The settings tree: what wins, what is refused, and what the refusal says."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.errors import SettingsError
from perf.model import Threshold
from perf.settings import Environment, Settings, as_thresholds, describe, in_force, load
from perf.settingtree import quantity


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def toml(folder: Path, text: str) -> Path:
    file = folder / "other.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_without_file_and_environment_the_defaults_hold() -> None:
    assert load(environ={}) == Settings()


def test_file_wins_over_defaults_and_environment_over_file(tmp_path: Path) -> None:
    file = toml(tmp_path, "[store]\npath = 'a.duckdb'\nthreads = 4\n")
    settings = load(file, environ={"PERF_STORE__THREADS": "3"})
    assert (settings.store.path, settings.store.threads, settings.store.backend) == ("a.duckdb", 3, "duckdb")


def test_perf_toml_of_the_current_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "perf.toml").write_text("insecure = true", encoding="utf-8")
    assert load(environ={}).insecure


def test_a_named_file_is_read_instead_of_perf_toml(tmp_path: Path) -> None:
    (tmp_path / "perf.toml").write_text("insecure = true", encoding="utf-8")
    named = toml(tmp_path, "environment = 'testing'")
    settings = load(environ={"PERF_CONFIG": str(named)})
    assert (settings.insecure, settings.environment) == (False, Environment.TESTING)


def test_a_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.toml: No such file"):
        load(tmp_path / "nowhere.toml", environ={})


def test_quantities_are_read_from_file_and_environment(tmp_path: Path) -> None:
    file = toml(tmp_path, "[store]\nseal_every = '2h'\nmemory_limit = '1GB'\n")
    settings = load(file, environ={"PERF_SOURCES__HOST__INTERVAL": "500ms", "PERF_STORE__WAL_LIMIT": "1024"})
    assert settings.store.seal_every == 7200.0
    assert settings.store.memory_limit == 1_000_000_000
    assert settings.sources.host.interval == 0.5
    assert settings.store.wal_limit == 1024


def test_lists_in_the_environment_are_separated_by_commas() -> None:
    settings = load(environ={"PERF_SOURCES__PROCESS__PIDS": "12, 7", "PERF_SOURCES__PROCESS__NAMES": "redis-server,"})
    assert settings.sources.process.pids == (12, 7)
    assert settings.sources.process.names == ("redis-server",)


@pytest.mark.parametrize(("text", "value"), [("1", True), ("true", True), ("0", False), ("false", False)])
def test_switches_in_the_environment(text: str, value: bool) -> None:
    assert load(environ={"PERF_INSECURE": text}).insecure is value


def test_a_variable_that_ends_in_file_names_a_file_with_the_value(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("/data/x.duckdb\n", encoding="utf-8")
    assert load(environ={"PERF_STORE__PATH_FILE": str(secret)}).store.path == "/data/x.duckdb"


def test_a_file_variable_whose_file_is_missing_is_an_error() -> None:
    with pytest.raises(SettingsError, match=r"PERF_STORE__PATH_FILE: /nowhere/secret: No such file"):
        load(environ={"PERF_STORE__PATH_FILE": "/nowhere/secret"})


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"PERF_STOER__PATH": "x"}, "PERF_STOER__PATH: unknown setting 'stoer.path'; did you mean 'store'?"),
        ({"PERF_STORE__PTH": "x"}, "PERF_STORE__PTH: unknown setting 'store.pth'; did you mean 'path'?"),
        ({"PERF_STORE": "x"}, "PERF_STORE: store is a group of settings"),
        ({"PERF_INSECURE__X": "1"}, "PERF_INSECURE__X: insecure has no settings below it"),
        ({"PERF_STORE__THREADS": "many"}, "PERF_STORE__THREADS: Expected `int`, got `str`"),
        ({"PERF_STORE__THREADS": "0"}, "PERF_STORE__THREADS: Expected `int` >= 1"),
        ({"PERF_SERVER__PORT": "70000"}, "PERF_SERVER__PORT: Expected `int` <= 65535"),
        ({"PERF_ENVIRONMENT": "prod"}, "PERF_ENVIRONMENT: Invalid enum value 'prod'"),
        ({"PERF_STORE__MEMORY_LIMIT": "1 elephant"}, "store.memory_limit: not a number of bytes: '1 elephant'"),
        ({"PERF_SOURCES__HOST__INTERVAL": "-1s"}, "sources.host.interval: not a number of seconds: '-1s'"),
        ({"PERF_SOURCES__HOST__INTERVAL": "0"}, "sources.host.interval: Expected `float` > 0.0"),
        ({"PERF_LOGS__FORMAT": "xml"}, "logs.format: 'xml'; known: json, text"),
        ({"PERF_STORE__RETENTION__RAW": "91d"}, "a coarser level must be kept at least as long"),
    ],
)
def test_a_wrong_variable_is_an_error_that_names_it(environ: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(environ=environ)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[store]\npth = 'x'", "unknown setting 'store.pth'; did you mean 'path'?"),
        ("store = 3", "store is a group of settings, not 3"),
        ("[store]\npath = 3", "store.path: Expected `str`, got `int`"),
        ("[store\n", "not TOML"),
        ("[thresholds.cpu_usage_percent]\nwarnin = 3", "unknown setting 'thresholds.cpu_usage_percent.warnin'"),
    ],
)
def test_a_wrong_file_is_an_error_that_names_it(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(toml(tmp_path, text), environ={})
    assert "other.toml: " in str(caught.value)
    assert message in str(caught.value)


def test_one_changed_threshold_leaves_the_others_alone(tmp_path: Path) -> None:
    file = toml(tmp_path, "[thresholds.queue_length]\nwarning = 5\n")
    environ = {"PERF_THRESHOLDS__CPU_USAGE_PERCENT__WARNING": "70"}
    assert load(file, environ=environ).thresholds == {
        **Settings().thresholds,
        "cpu_usage_percent": Threshold(70.0, 95.0),
        "queue_length": Threshold(5.0),
    }


def test_a_critical_limit_below_the_warning_is_an_error() -> None:
    with pytest.raises(
        SettingsError, match=r"thresholds\.cpu_usage_percent: critical \(50\) must not lie below warning \(80\)"
    ):
        load(environ={"PERF_THRESHOLDS__CPU_USAGE_PERCENT__CRITICAL": "50"})


@pytest.mark.parametrize("limit", ["nan", "inf"])
@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("PERF_THRESHOLDS__QUEUE_LENGTH__WARNING", "thresholds.queue_length"),
        ("PERF_THRESHOLDS__CPU_USAGE_PERCENT__CRITICAL", "thresholds.cpu_usage_percent"),
        ("SLOW_API_THRESHOLD_MS", "thresholds.http_server_request_duration_seconds"),
    ],
)
def test_a_limit_that_nothing_can_reach_is_an_error(name: str, key: str, limit: str) -> None:
    with pytest.raises(SettingsError, match=rf"{re.escape(key)}: a limit must be a finite number"):
        load(environ={name: limit})


def test_threshold_of_an_override() -> None:
    assert as_thresholds('{"warning": 70, "critical": 90}') == Threshold(70.0, 90.0)


@pytest.mark.parametrize(
    "text", ["", "70", "{}", '{"warning": "x"}', '{"warning": 1, "other": 2}', '{"warning": 9, "critical": 1}']
)
def test_what_is_no_threshold_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        as_thresholds(text)


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("500ms", "seconds", 0.5),
        ("90", "seconds", 90.0),
        ("1.5h", "seconds", 5400.0),
        ("2y", "seconds", 63_072_000.0),
        ("256MiB", "bytes", 268_435_456.0),
        ("1 GB", "bytes", 1e9),
        ("12", "bytes", 12.0),
    ],
)
def test_quantity(text: str, unit: str, value: float) -> None:
    assert quantity(text, unit) == value


@given(number=st.integers(0, 10**9), suffix=st.sampled_from(["s", "m", "h", "d", "w"]))
def test_quantity_is_linear_in_its_number(number: int, suffix: str) -> None:
    assert quantity(f"{number}{suffix}", "seconds") == number * quantity(f"1{suffix}", "seconds")


@given(st.text(max_size=12))
def test_quantity_answers_or_raises_value_error(text: str) -> None:
    try:
        value = quantity(text, "seconds")
    except ValueError:
        return
    assert value >= 0.0


def test_every_described_setting_can_be_set_by_its_variable() -> None:
    described = {one.key: (one.variable, one.default) for one in describe()}
    assert described["store.seal_every"] == ("PERF_STORE__SEAL_EVERY", "21600.0")
    for key, (variable, default) in described.items():
        if key in ("thresholds", "health.probes") or default in ("[]", "{}", "null"):
            continue
        text = ",".join(map(str, msgspec.json.decode(default))) if default.startswith("[") else default.strip('"')
        assert load(environ={variable: text}) == Settings(), key


def test_no_setting_differs_from_its_default_by_itself() -> None:
    assert [one.key for one, value in in_force(Settings()) if value != one.shown] == []


def test_every_setting_says_what_it_means() -> None:
    assert [one.key for one in describe() if not one.meaning] == []


def test_defaults_are_shown_as_people_write_them() -> None:
    shown = {one.key: one.shown for one in describe()}
    assert (shown["store.seal_every"], shown["store.memory_limit"], shown["store.retention.raw"]) == (
        "6h",
        "256MiB",
        "7d",
    )


def test_an_environment_changes_defaults_only() -> None:
    production = load(environ={"PERF_ENVIRONMENT": "production", "PERF_LOGS__LEVEL": "DEBUG"})
    assert (production.logs.level, production.logs.format) == ("DEBUG", "json")
    assert load(environ={"PERF_ENVIRONMENT": "testing"}).store.backend == "memory"
    assert load(environ={"PERF_ENVIRONMENT": "development"}) == Settings()


def test_variables_of_opentelemetry_and_release_are_defaults_that_ours_override(tmp_path: Path) -> None:
    others = {
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
        "OTEL_EXPORTER_OTLP_HEADERS": "api-key=secret",
        "PERF_RELEASE": "1.2",
    }
    read = load(environ=others)
    assert (read.send.service, read.send.url, read.send.headers) == ("shop", "http://collector:4318", "api-key=secret")
    assert read.record.release == "1.2"
    assert "secret" not in {one.key: value for one, value in in_force(read)}["send.headers"]
    named = load(toml(tmp_path, "[send]\nservice = 'file'"), {**others, "PERF_SEND__URL": "http://here"})
    assert (named.send.service, named.send.url) == ("file", "http://here")


def test_an_address_for_grpc_is_not_ours() -> None:
    read = load(environ={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})
    assert read == Settings()
