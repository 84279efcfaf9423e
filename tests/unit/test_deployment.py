"""What lies in deploy/ fits together: each file against its own schema or checker, and all of them against perf's settings."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from compose_spec import ComposeSpecification, Service
from pydantic import BaseModel

from perf import settings
from perf.api.hosts import answered
from perf.errors import SettingsError
from tests.services import ROOT

DEPLOY = ROOT / "deploy"
MANIFESTS = ("owner.yaml", "dashboards.yaml")
GRACE = settings.load(environ={}).production.grace


def manifests() -> list[dict[str, Any]]:  # Any: YAML
    texts = [(DEPLOY / "kubernetes" / name).read_text(encoding="utf-8") for name in MANIFESTS]
    return [found for text in texts for found in yaml.safe_load_all(text)]


def pods() -> dict[str, dict[str, Any]]:  # Any: as above
    """Name -> pod specification of everything that runs."""
    return {
        one["metadata"]["name"]: one["spec"]["template"]["spec"] for one in manifests() if "template" in one["spec"]
    }


def compose() -> dict[str, Any]:  # Any: as above
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return found


def unit() -> dict[str, str]:
    """The keys of the systemd unit; the last of those that repeat."""
    lines = (DEPLOY / "systemd" / "perf.service").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def variables() -> Iterator[tuple[str, str, str]]:
    """File, name and value of every variable that is set for perf."""
    for name, pod in pods().items():
        yield from ((name, one["name"], one["value"]) for one in pod["containers"][0]["env"])
    yield from (("compose", key, value) for key, value in compose()["services"]["perf"]["environment"].items())
    yield from (("systemd", *word.split("=", 1)) for word in unit()["Environment"].split())  # type: ignore[misc]
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    yield from (("Dockerfile", key, value) for key, value in re.findall(r"(PERF_[A-Z_]+)=(\S+)", text.split("ENV ")[1]))


NO_SETTINGS = ("PERF_CONFIG", "PYTHONUNBUFFERED")
"""Variables that perf or Python read, and the tree of settings doesn't have."""


def test_every_manifest_fits_its_schema() -> None:
    found = manifests()
    assert [one["kind"] for one in found] == [
        *("Service", "StatefulSet"),
        *("Service", "Deployment", "PodDisruptionBudget", "Ingress"),
    ]
    for one in found:
        kubernetes_validate.validate(one, "1.37", strict=True)


def test_the_schemas_would_notice_a_mistake() -> None:
    broken = manifests()[1]
    broken["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, "1.37", strict=True)


def test_the_kustomization_names_what_there_is() -> None:
    found = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text(encoding="utf-8"))
    assert sorted(found["resources"]) == sorted(MANIFESTS)


@pytest.mark.parametrize("name", ["perf-owner", "perf-dashboard"])
def test_pods_have_time_to_end_and_no_rights_to_spare(name: str) -> None:
    pod = pods()[name]
    (container,) = pod["containers"]
    assert pod["terminationGracePeriodSeconds"] > GRACE + 5
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["readOnlyRootFilesystem"]
    probes = [container[kind]["httpGet"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")]
    assert [probe["path"] for probe in probes] == ["/health/live", "/health/live", "/health/ready"]
    assert {probe["port"] for probe in probes} == {"health"}
    # A pod's own limit must leave room for perf to act first.
    allowed = {one["name"]: one["value"] for one in container["env"]}["PERF_PRODUCTION__MAX_MEMORY"]
    assert int(allowed.removesuffix("MiB")) < {"1Gi": 1024, "768Mi": 768}[container["resources"]["limits"]["memory"]]


def test_there_is_one_owner_with_a_volume_and_dashboards_have_none() -> None:
    owner = next(one for one in manifests() if one["kind"] == "StatefulSet")
    assert owner["spec"]["replicas"] == 1
    assert [one["metadata"]["name"] for one in owner["spec"]["volumeClaimTemplates"]] == ["data"]
    assert all("persistentVolumeClaim" not in volume for volume in pods()["perf-dashboard"]["volumes"])


def test_the_compose_file_fits_the_specification() -> None:
    found = compose()
    ComposeSpecification.model_validate(found)
    assert set(found) <= known(ComposeSpecification)
    assert all(set(one) <= known(Service) for one in found["services"].values())
    service = compose()["services"]["perf"]
    assert float(service["stop_grace_period"].removesuffix("s")) > GRACE
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert set(service["depends_on"]) == {"redis", "postgres"}
    assert not {"portz"} <= known(Service)
    with pytest.raises(ValueError, match="services"):
        ComposeSpecification.model_validate({"services": {"perf": {"image": ["perf"]}}})


def known(model: type[BaseModel]) -> set[str]:
    """The keys that the specification has; its models let others pass."""
    return {field.alias or name for name, field in model.model_fields.items()}


@pytest.mark.parametrize("found", list(variables()), ids=lambda one: f"{one[0]} {one[1]}")
def test_every_variable_is_a_setting(found: tuple[str, str, str], tmp_path: Path) -> None:
    _, name, value = found
    if name in NO_SETTINGS or name.startswith("STREAMLIT_"):
        return
    # A remote store needs its address, too.
    whole = {"PERF_STORE__URL": "http://perf-owner:8503", name: readable(name, value, tmp_path)}
    settings.load(environ=whole)
    with pytest.raises(SettingsError, match=f"{name}X"):
        settings.load(environ={f"{name}X": value})


def readable(name: str, value: str, folder: Path) -> str:
    """*value*, or for a secret the path of a file that is there."""
    if not name.endswith("_FILE"):
        return value
    (folder / name).write_text("x" * 32)
    return str(folder / name)


@pytest.mark.parametrize(
    ("file", "backend", "found"),
    [
        ("perf-owner", "duckdb", ("store.token",)),
        ("perf-dashboard", "remote", ("store.token", "store.url")),
        ("compose", "duckdb", ("cache.secret",)),
        ("systemd", "duckdb", ("store.path",)),
    ],
    ids=["owner", "dashboard", "compose", "systemd"],
)
def test_the_variables_of_each_file_are_whole_settings(
    file: str, backend: str, found: tuple[str, ...], tmp_path: Path
) -> None:
    image = {name: value for one, name, value in variables() if one == "Dockerfile" and not file.startswith("sys")}
    own = {name: readable(name, value, tmp_path) for one, name, value in variables() if one == file}
    users = tmp_path / "perf.toml"
    users.write_text(
        '[access.users.ada]\nrole = "admin"\nhash = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2g"\n'
    )
    if "PERF_CONFIG" in own:
        own["PERF_CONFIG"] = str(users)
    loaded = settings.load(environ={**image, **own})
    assert loaded.store.backend == backend
    assert loaded.production.health_port == 8502
    for name in found:
        group, _, key = name.partition(".")
        assert getattr(getattr(loaded, group), key)
    # It starts: what others reach is protected, or said to be open.
    assert answered(loaded.server.host, insecure=loaded.insecure, access=loaded.access)


def test_the_unit_is_one_for_systemd(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    text = (DEPLOY / "systemd" / "perf.service").read_text(encoding="utf-8")
    file = tmp_path / "perf.service"
    file.write_text(text.replace("/opt/perf/bin/python", sys.executable), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", str(file)], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if "perf.service" in line] == []
    assert done.returncode == 0
    file.write_text(
        text.replace("KillMode", "KilMode").replace("/opt/perf/bin/python", sys.executable), encoding="utf-8"
    )
    done = subprocess.run(["systemd-analyze", "verify", str(file)], capture_output=True, text=True, check=False)
    assert "'KilMode'" in done.stderr
    assert float(unit()["TimeoutStopSec"]) > GRACE


def test_the_dockerfile_has_no_fault_that_its_linter_knows() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([str(hadolint), str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_what_the_image_copies_is_all_that_it_runs(tmp_path: Path) -> None:
    """The build's last steps in a clean folder: only what .dockerignore lets through, compiled, and started."""
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] == "!"]
    for name in kept:
        source, target = ROOT / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    compiled = [sys.executable, "-m", "compileall", "-q", "perf", "dashboard", "pages", "app.py"]
    subprocess.run(compiled, cwd=tmp_path, check=True)
    env = {"PATH": "/usr/bin:/bin", "PERF_STORE__PATH": str(tmp_path / "perf.duckdb")}
    command = [sys.executable, "-m", "perf", "doctor"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=90, check=False)
    assert "Traceback" not in done.stderr
    assert done.stdout
    code = "import dashboard.startup, dashboard.nav, perf.api.app; print(dashboard.nav.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(tmp_path / "dashboard" / "nav.py")
