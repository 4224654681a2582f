"""The list of deliberate breaks fits the tree, and what runs it tells a break that lives."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import mutants
import pytest

PRODUCT = """
def half(number: int) -> int:
    return number // 2


def double(number: int) -> int:
    return number * 2
"""
TESTS = """
from product import numbers


def test_half() -> None:
    assert numbers.half(4) == 2


def test_double() -> None:
    assert numbers.double(0) == 0


def test_double_of_three() -> None:
    assert numbers.double(3) == 6, "three is not doubled"
"""
ENTRY = """
  - breaks: {breaks}
    file: source/product/numbers.py
    old: "{old}"
    new: "{new}"
    test: tests/test_numbers.py::{test}
    says: "{says}"
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A product of one module, and its tests."""
    package = tmp_path / "source" / "product"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "numbers.py").write_text(PRODUCT, encoding="utf-8")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_numbers.py").write_text(TESTS, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\naddopts = --import-mode=importlib\n", encoding="utf-8"
    )
    return tmp_path


def entry(
    old: str = "* 2",
    new: str = "* 3",
    test: str = "test_double_of_three",
    says: str = "three is not doubled",
    breaks: str = "numbers",
) -> str:
    return ENTRY.format(old=old, new=new, test=test, says=says, breaks=breaks)


def write(tree: Path, *entries: str) -> None:
    (tree / mutants.LIST).write_text(f"numbers:{''.join(entries)}", encoding="utf-8")


def run(tree: Path) -> tuple[int, str]:
    """Exit code and output of a run on a tree whose product is installed; it forks, which a worker
    of pytest with its threads should not."""
    found = subprocess.run(
        [sys.executable, mutants.__file__, "--root", str(tree)],
        env={
            **os.environ,
            "PYTHONPATH": str(tree / "source"),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stderr == ""
    return found.returncode, found.stdout


def test_every_mutant_can_be_made() -> None:
    """Each edit of the list finds its text exactly once, and its test is there."""
    assert len(mutants.read_mutants()) >= 50


@pytest.mark.parametrize(
    ("stale", "problem"),
    [
        (entry(old="* 4"), "has the old text 0 times, not once: '* 4'"),
        (entry(old="number"), "has the old text 4 times, not once: 'number'"),
        (entry(new="* 2"), "the new text is the old one"),
        (entry(test="test_gone"), "there is no test_gone in tests/test_numbers.py"),
        (entry(test="TestGone::test_half"), "there is no TestGone in tests/test_numbers.py"),
        (entry(new="* ("), "with the new text it is no Python: '(' was never closed"),
        (entry(says=" "), "no words are expected"),
        (entry().replace("numbers.py", "gone.py", 1), "there is no source/product/gone.py"),
        (entry().replace("says:", "said:"), "missing or unknown: said, says"),
    ],
)
def test_an_entry_that_went_stale_is_told_with_its_line(
    tree: Path, stale: str, problem: str
) -> None:
    """What an edit needs is looked for before anything runs; all lines that do not fit are told."""
    write(tree, entry(), stale, entry(old="* 5"))
    with pytest.raises(mutants.ListError) as caught:
        mutants.read_mutants(tree)
    first, second = str(caught.value).splitlines()
    assert first.startswith("tests/mutants.yaml:9: ")
    assert first.endswith(problem)
    assert second.startswith("tests/mutants.yaml:16: ")


def test_what_lives_is_told(tree: Path) -> None:
    """Killed is only what fails with the words: neither a test that passes, nor other words, nor
    words that stand in the test's text alone; and the tree is as it was."""
    write(
        tree,
        entry(breaks="all is well"),
        entry(breaks="too weak", test="test_double"),
        entry(breaks="other words", says="four is not doubled"),
        entry(breaks="the listing", says="numbers.double(3) == 6,"),
        entry(breaks="no module", old="def half(", new="raise ImportError\\ndef half("),
    )
    code, said = run(tree)
    assert code == 1
    assert "killed  numbers: all is well" in said
    assert "test_double passes" in said
    assert "does not say 'four is not doubled', but\n    AssertionError: three" in said
    for name in ("too weak", "other words", "the listing", "no module"):
        assert f"LIVES  numbers: {name}" in said
    assert "5 mutants, 4 live" in said
    assert (tree / "source/product/numbers.py").read_text(encoding="utf-8") == PRODUCT


def test_a_test_that_fails_without_a_break_proves_nothing(tree: Path) -> None:
    """The tests run on the unbroken tree first."""
    (tree / "source/product/numbers.py").write_text(
        PRODUCT.replace("* 2", "* 2 + 1"), encoding="utf-8"
    )
    write(tree, entry())
    code, said = run(tree)
    assert code == 2
    assert "without any break:\nAssertionError: three is not doubled" in said
