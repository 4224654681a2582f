"""deploy/container: an image is built on a plain Debian, and what it makes runs as no root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from exhaustive import WHOLE

from metasnapshot.version import VERSION

ROOT = Path(__file__).parents[1]
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
"""Those of this machine, through which packages may have to come."""
PROGRAM = "/opt/metasnapshot/bin/metasnapshot"
LACKS = [name for name in ("buildah", "debootstrap") if shutil.which(name) is None]
pytestmark = [
    pytest.mark.skipif(not WHOLE, reason="make exhaustive GROUPS=image builds one, in minutes"),
    pytest.mark.skipif(
        (bool(LACKS) or os.getuid() != 0) and not os.environ.get("CI"),
        reason="as root, apt-get install --no-install-recommends buildah debootstrap",
    ),
]


class Builder:
    """buildah with a storage of its own, and no registry."""

    def __init__(self, folder: Path) -> None:
        self._words = ["buildah", "--root", str(folder / "root"), "--runroot", str(folder / "run")]
        self._words += ["--storage-driver", "vfs"]

    def __call__(self, *words: str) -> str:
        ran = subprocess.run([*self._words, *words], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout.strip()


@pytest.fixture
def builder(tmp_path: Path) -> Iterator[Builder]:
    made = Builder(tmp_path / "storage")
    yield made
    made("rm", "--all")
    made("rmi", "--all", "--force")


def test_an_image_is_built_and_runs(builder: Builder, tmp_path: Path) -> None:
    """With every extra in it, as user 10001."""
    base, context = tmp_path / "base", tmp_path / "context"
    packages = "--include=python3,python3-venv,ca-certificates"
    command = ["debootstrap", "--variant=minbase", packages, "bookworm", str(base)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    shutil.copy(AUTHORITIES, base / "etc/ssl/certs/ca-certificates.crt")
    made = builder("from", "scratch")
    builder("add", made, str(base), "/")
    builder("commit", made, "localhost/base")
    wheel = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*wheel, "-w", str(context / "dist"), str(ROOT)], check=True)
    file = str(ROOT / "deploy" / "container" / "Containerfile")
    build = ("build", "--isolation", "chroot", "--build-arg", "BASE=localhost/base", "-f", file)
    builder(*build, "--env", f"PIP_CERT={AUTHORITIES}", "-t", "metasnapshot", str(context))
    container = builder("from", "localhost/metasnapshot")

    def run(*words: str) -> str:
        return builder("run", "--isolation", "chroot", container, "--", *words)

    assert run(PROGRAM, "--version") == VERSION
    assert run("id", "-u") == "10001"
    imports = "import obstore, psycopg, pymysql, grpc, botocore, fsspec, requests; print('all')"
    assert run("/opt/metasnapshot/bin/python", "-c", imports) == "all"
