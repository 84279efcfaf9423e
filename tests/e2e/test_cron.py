"""Jobs that live for a moment: a cron script and a shell script tell a running perf of themselves, and its health knows."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from perf.clock import SystemClock
from tests.services import dashboard, environment, eventually

SCRIPT = """
from perf.instrument.jobs import job
from perf.monitoring import start_performance_monitoring

start_performance_monitoring(service="backup")
with job("nightly", every="1d", grace="10m"):
    pass
"""


def heartbeat(url: str) -> dict[str, object]:
    """The probe's part of the health page."""
    try:
        with urlopen(f"{url}/health", timeout=30) as answer:
            body = json.load(answer)
    except HTTPError as error:
        body = json.load(error)
    found: dict[str, object] = body["checks"]["heartbeat"]
    return found


def gauge(name: str, value: float, job: str) -> dict[str, object]:
    """One number in OTLP's JSON, of now."""
    attributes = [{"key": "job", "value": {"stringValue": job}}]
    point = {"asDouble": value, "timeUnixNano": f"{int(SystemClock().now())}000000000", "attributes": attributes}
    return {"name": name, "unit": "s", "gauge": {"dataPoints": [point]}}


def test_a_cron_script_and_a_plain_request_are_heard(tmp_path: Path) -> None:
    script = tmp_path / "nightly.py"
    script.write_text(SCRIPT, encoding="utf-8")
    with dashboard(tmp_path, PERF_HEALTH__INTERVAL="1s") as url:
        env = environment(PERF_SEND__URL=url, PERF_SEND__SPOOL=str(tmp_path / "spool"))

        def ran() -> bool:
            """Whether the script is known: what a busy server didn't take in time comes with the script's next run."""
            subprocess.run([sys.executable, str(script)], env=env, cwd=tmp_path, check=True, timeout=60)
            with suppress(AssertionError):
                return eventually(lambda: heartbeat(url)["message"] == "1 jobs are on time", seconds=15)
            return False

        eventually(ran, seconds=60)
        told = [gauge("job_expected_interval", 60.0, "rotate"), gauge("job_last_success_timestamp", 1e9, "rotate")]
        body = json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": told}]}]}).encode()
        urlopen(Request(f"{url}/v1/metrics", body, {"Content-Type": "application/json"}), timeout=30).close()
        late = eventually(lambda: "rotate" in str((found := heartbeat(url))["message"]) and found, seconds=60)
    assert late
    assert late["status"] == "unhealthy"
    assert str(late["message"]).startswith("rotate: last success ")
    assert str(late["message"]).endswith(" d ago, expected every 1 min")
