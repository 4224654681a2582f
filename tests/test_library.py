"""The public names: they are what they say, where they are said to be, and the page says so."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import library_examples
import pytest
import reference

import metasnapshot
from metasnapshot.surface import HOMES

INIT = Path(metasnapshot.__file__)
WANTED = (
    *("Backups", "MetaStore", "backup", "plan_restore", "restore", "verify", "diff", "export"),
    *("Context", "MetasnapshotError", "BackupOptions", "RestoreOptions", "Policy"),
    *("backup_full", "open_tables", "tables_of"),
)


def imported() -> dict[str, str]:
    """Name and module of what a type checker sees."""
    tree = ast.parse(INIT.read_text(encoding="utf-8"))
    checked = next(node for node in tree.body if isinstance(node, ast.If))
    found = [node for node in checked.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: str(node.module) for node in found for alias in node.names}


def test_a_type_checker_sees_what_there_is() -> None:
    """The names for it, those of `__all__` and those that are loaded are the same."""
    assert imported() == {name: f"metasnapshot.{module}" for name, module in HOMES.items()}
    assert sorted(metasnapshot.__all__) == sorted([*HOMES, "__version__"])
    assert set(WANTED) <= set(metasnapshot.__all__)


@pytest.mark.parametrize("name", sorted(HOMES))
def test_every_name_is_there(name: str) -> None:
    """Each can be loaded, has its own words, and is listed by dir()."""
    assert getattr(metasnapshot, name) is not None
    assert name in dir(metasnapshot)


def test_a_name_that_is_not_there() -> None:
    """An attribute error names it."""
    with pytest.raises(AttributeError, match="'nothing'"):
        _ = metasnapshot.nothing  # pyright: ignore[reportAttributeAccessIssue]


def test_names_cost_nothing_before_they_are_asked_for() -> None:
    """The package alone loads none of its modules."""
    script = "import sys, metasnapshot; print(*(n for n in sys.modules if n[:5] == 'metas'))"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    names = ("metasnapshot", "metasnapshot.surface", "metasnapshot.version")
    assert sorted(done.stdout.split()) == sorted(names)


def calls() -> dict[str, Callable[..., object]]:
    """Functions and methods that are written for this surface, by name."""
    found: dict[str, Callable[..., object]] = {}
    for name, module in HOMES.items():
        item = getattr(metasnapshot, name)
        if not module.startswith("library.") or not callable(item):
            continue
        if inspect.isfunction(item):
            found[name] = item
        else:
            methods = inspect.getmembers(item, inspect.isfunction)
            found |= {f"{name}.{key}": it for key, it in methods if not key.startswith("_")}
    return found


@pytest.mark.parametrize("name", sorted(calls()))
def test_every_call_says_what_it_takes(name: str) -> None:
    """Each has a docstring, and one of several arguments tells of each, or of whose they are."""
    call = calls()[name]
    words = call.__doc__ or ""
    assert words
    taken = [each for each in inspect.signature(call).parameters if each != "self"]
    if len(taken) > 1 and "rguments" not in words:
        assert [each for each in taken if f"{each}:" not in words] == []


def test_the_reference_is_what_the_docstrings_say() -> None:
    """`make reference` would change nothing."""
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page()


def test_the_examples_run(tmp_path: Path) -> None:
    """One after the other, in a directory with a cluster; nothing of the command is loaded."""
    lines = library_examples.run(sys.executable, library_examples.lay_out(tmp_path))
    assert "loaded:" in lines
    assert any(line.endswith(" sound") for line in lines)
    assert (tmp_path / "restored.db").exists()
