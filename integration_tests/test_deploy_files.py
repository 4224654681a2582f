"""deploy/ as those see it who will read it: systemd, and the schemas of Kubernetes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).parents[1] / "deploy"
PROGRAM = "/opt/metasnapshot/bin/metasnapshot"
EXPOSURE_MAX = 2.0
"""Of 10, as systemd-analyze counts what a service may do."""
RELEASES = ("1.31", "1.34", "1.37")
NEEDS_SYSTEMD = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None and not os.environ.get("CI"),
    reason="apt-get install systemd",
)


def judged(*words: str) -> str:
    """What systemd-analyze says, which must find nothing wrong."""
    ran = subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout + ran.stderr


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """The units, with a program that is there."""
    found: list[Path] = []
    for path in sorted((DEPLOY / "systemd").iterdir()):
        text = path.read_text(encoding="utf-8").replace(PROGRAM, "/bin/true")
        found.append(tmp_path / path.name)
        found[-1].write_text(text)
    return found


@NEEDS_SYSTEMD
def test_systemd_takes_the_units(units: list[Path]) -> None:
    """Without a word: no key that it does not know, no time that is none."""
    assert judged("verify", "--man=no", *map(str, units)) == ""


@NEEDS_SYSTEMD
def test_systemd_sees_what_is_wrong(units: list[Path]) -> None:
    """The eye of the test above: a key with a typing error is told."""
    (service,) = [path for path in units if path.name == "metasnapshot-check.service"]
    service.write_text(service.read_text().replace("ProtectHome=", "ProtectHouse="))
    assert "ProtectHouse" in judged("verify", "--man=no", str(service))


@NEEDS_SYSTEMD
def test_services_may_do_little(units: list[Path]) -> None:
    """By the measure of systemd itself."""
    services = [path for path in units if path.suffix == ".service"]
    assert len(services) == 3
    for path in services:
        said = judged("security", "--offline=true", "--no-pager", str(path))
        (level,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", said)
        assert float(level) <= EXPOSURE_MAX, said


def manifests() -> list[Any]:
    paths = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    return [it for path in paths for it in yaml.safe_load_all(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("release", RELEASES)
def test_kubernetes_takes_the_manifests(release: str) -> None:
    """By the schemas of several releases, which know every key."""
    validator: Any = import_module("kubernetes_validate")
    assert len(manifests()) == 2
    for document in manifests():
        validator.validate(document, release, strict=True)


def test_the_schemas_see_what_is_wrong() -> None:
    """The eye of the test above: a key with a typing error, and a value of another type."""
    validator: Any = import_module("kubernetes_validate")
    (job,) = [it for it in manifests() if it["kind"] == "Job"]
    for key, value in (("suspendd", True), ("suspend", "yes")):
        changed = job | {"spec": job["spec"] | {key: value}}
        with pytest.raises(validator.ValidationError):
            validator.validate(changed, RELEASES[-1], strict=True)
