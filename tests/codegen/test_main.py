from __future__ import annotations

import importlib.abc
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

from metasnapshot_codegen import __main__ as command


class Without(importlib.abc.MetaPathFinder):
    """Finds nothing, and lets nobody else find one package."""

    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        _ = path, target
        if fullname.partition(".")[0] == self.package:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None


def take_away(patch: pytest.MonkeyPatch, package: str) -> None:
    """As if it was not installed: what has loaded it is loaded anew."""
    for name in list(sys.modules):
        if name.partition(".")[0] in {package, "metasnapshot_codegen"}:
            patch.delitem(sys.modules, name)
    patch.setattr(sys, "meta_path", [Without(package), *sys.meta_path])


@pytest.mark.parametrize("arguments", [[], ["--help"], ["--check"], ["--freeze"], ["--nonsense"]])
@pytest.mark.parametrize("package", ["yaml", "jinja2"])
def test_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    package: str,
    arguments: list[str],
) -> None:
    """Without one of its packages the command says which, and what to type; it is a usage error."""
    take_away(monkeypatch, package)
    assert command.main(arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [
        f"error: metasnapshot-codegen needs jinja2 and pyyaml: there is no {package}",
        "hint: pip install 'metasnapshot[codegen]'",
    ]


def test_the_error_has_its_fact(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is one of a type of its own, with the package."""
    take_away(monkeypatch, "jinja2")
    with pytest.raises(command.ExtraMissing) as caught:
        command.load()
    assert caught.value.package == "jinja2"


def test_a_bug_of_ours_is_not_taken_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of the generator that is not there is no missing extra."""
    monkeypatch.setattr(command, "GENERATOR", "metasnapshot_codegen.nothing")
    with pytest.raises(ModuleNotFoundError, match="nothing"):
        command.main([])


def test_with_the_extra_it_is_the_generator(
    toy: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All arguments go on, and the exit code comes back."""
    assert command.main(["--schema", str(toy), "--out", str(out), "--check"]) == 1
    assert command.main(["--schema", str(toy), "--out", str(out)]) == 0
    assert f"wrote {out}" in capsys.readouterr().out
