"""deploy/: each command line is one of ours, each variable a setting, and each pod is locked up."""

from __future__ import annotations

import configparser
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cyclopts
import pytest
import yaml

from metasnapshot.cli.commands import build
from metasnapshot.cli.configuration import Configuration
from metasnapshot.cli.settings import SETTINGS, check_environment

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
PAGE = ROOT / "docs" / "deploy.md"
UNITS = sorted(path for path in (DEPLOY / "systemd").iterdir())
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
CONTAINERFILE = DEPLOY / "container" / "Containerfile"
PROGRAM = "/opt/metasnapshot/bin/metasnapshot"
SECRETS = {
    "METASNAPSHOT_META_STORE": "sqlite:///meta.db",
    "METASNAPSHOT_BACKUP_STORAGE_URL": "fs://backups",
    "METASNAPSHOT_HUMMOCK_STORAGE_URL": "fs://state",
}
"""What a secret or a file of settings says at least."""


def unit(path: Path) -> dict[str, list[str]]:
    """The keys of a unit, whatever their section, each with its values."""
    found: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith(("#", ";")):
            found.setdefault(name, []).append(value)
    return found


def pods() -> Iterator[tuple[str, Any]]:
    """The pods of all manifests."""
    for path in MANIFESTS:
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            spec = document["spec"]
            spec = spec["jobTemplate"]["spec"] if "jobTemplate" in spec else spec
            yield path.name, spec["template"]["spec"]


def containers(pod: Any) -> list[Any]:
    return [*pod.get("initContainers", ()), *pod["containers"]]


def of_units() -> Iterator[list[str]]:
    for path in UNITS:
        for line in unit(path).get("ExecStart", ()):
            program, *words = shlex.split(line)
            assert program == PROGRAM
            yield words


def of_manifests() -> Iterator[list[str]]:
    for _, pod in pods():
        for item in containers(pod):
            assert "command" not in item  # the image's own: no shell is between
            yield item["args"]


def of_image() -> Iterator[list[str]]:
    text = CONTAINERFILE.read_text(encoding="utf-8")
    (entry,) = re.findall(r"^ENTRYPOINT (.*)$", text, re.MULTILINE)
    assert json.loads(entry) == [PROGRAM]
    (words,) = re.findall(r"^CMD (.*)$", text, re.MULTILINE)
    yield json.loads(words)


def of_page() -> Iterator[list[str]]:
    """Lines of code on the page that begin with our name."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    for block in blocks:
        for line in block.replace("\\\n", " ").splitlines():
            name, *words = shlex.split(line, comments=True) or [""]
            if name in ("metasnapshot", PROGRAM):
                yield words


COMMANDS = [*of_units(), *of_manifests(), *of_image(), *of_page()]


def understand(words: list[str]) -> None:
    """Parse a command line as the command does, up to the call of its verb."""
    if words == ["--help"]:
        return
    app = build(words[0], Configuration())
    _, bound, _ = app.meta.parse_args(words, exit_on_error=False, print_error=False)
    app.parse_args(list(bound.args), exit_on_error=False, print_error=False)


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What stands in no command line."""
    monkeypatch.chdir(tmp_path)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_each_command_line_is_ours(words: list[str]) -> None:
    """A renamed option turns this red."""
    understand(words)


@pytest.mark.parametrize(
    "words", [["backup", "--bogus"], ["bakcup"], ["watch", "--keep-last", "2"]]
)
def test_another_command_line_is_not(words: list[str]) -> None:
    """The eye of the test above sees what the command refuses."""
    with pytest.raises(cyclopts.CycloptsError):
        understand(words)


def test_there_is_something_of_each() -> None:
    """Nothing is judged to be right because nothing was found."""
    assert len(COMMANDS) == len({id(words) for words in COMMANDS}) > 12
    assert {words[0] for words in COMMANDS} >= {
        *("backup", "verify", "expire", "check", "watch", "restore"),
    }
    assert [path.suffix for path in UNITS].count(".service") == 3
    assert [path.name for path in MANIFESTS] == ["backup-cronjob.yaml", "restore-job.yaml"]


def test_variables_are_settings() -> None:
    """Those of units and manifests, and those that the page shows."""
    lines = [line for path in UNITS for line in unit(path).get("Environment", ())]
    found = dict(line.split("=", 1) for line in lines)
    for _, pod in pods():
        for item in containers(pod):
            found |= {it["name"]: it["value"] for it in item.get("env", ())}
    names = re.findall(r"\bMETASNAPSHOT_[A-Z_]+[A-Z]", PAGE.read_text(encoding="utf-8"))
    assert len(names) > 4
    check_environment(found | dict.fromkeys(names, "x"))
    assert {item.variable for item in SETTINGS} >= {
        name for name in found if name.startswith("METASNAPSHOT_") and name != "METASNAPSHOT_CONFIG"
    }


def test_pods_are_locked_up() -> None:
    """No root, no writing into the image, no more rights; a place to write that has a limit."""
    for name, pod in pods():
        assert pod["enableServiceLinks"] is False, name
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        (scratch,) = pod["volumes"]
        assert scratch["emptyDir"]["sizeLimit"]
        for item in containers(pod):
            context = item["securityContext"]
            assert context["readOnlyRootFilesystem"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert {it["name"]: it["value"] for it in item["env"]}["TMPDIR"] == "/scratch"
            assert item["envFrom"][0]["secretRef"]["name"].startswith("metasnapshot")


def test_a_restore_waits_for_somebody() -> None:
    """It is made suspended, and is never tried again by itself."""
    document = yaml.safe_load((DEPLOY / "kubernetes" / "restore-job.yaml").read_text("utf-8"))
    assert (document["spec"]["suspend"], document["spec"]["backoffLimit"]) == (True, 0)
    pod = document["spec"]["template"]["spec"]
    assert [it["args"][-1] for it in containers(pod)] == ["--plan", "latest"]


def test_units_are_ini_files() -> None:
    """Each with a description, and all services with the same limits."""
    limits: set[str] = set()
    for path in UNITS:
        parser = configparser.RawConfigParser(strict=False)
        parser.read_string(path.read_text(encoding="utf-8"))
        assert parser["Unit"]["Description"]
        if path.suffix == ".service":
            text = path.read_text(encoding="utf-8")
            limits.add(text.partition("# What it may not do")[2].partition("\n\n")[0].rstrip())
    assert [len(text) > 500 for text in limits] == [True]
