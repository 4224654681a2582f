"""What the benchmarks make of their figures: limits that hold, and a page that is printed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHES = Path(__file__).parent / "bench"
PAGE = """before
<!-- printed: one -->
old
<!-- end -->
between
<!-- printed: two -->
<!-- end -->
"""


def load(name: str) -> ModuleType:
    """A benchmark's module; its folder stays out of the path of tests."""
    spec = importlib.util.spec_from_file_location(f"bench_{name}", BENCHES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


against, docs, start = load("against"), load("docs"), load("start")
SOUND = {
    "decode": [1.0, 1.1, 1.0],
    "encode": [1.0, 1.0, 1.0],
    "orjson decode": [2.0, 2.0, 2.0],
    "orjson encode": [2.0, 2.0, 2.0],
    "--help": [0.5, 0.5, 0.5],
}


def test_a_tree_that_is_as_fast_breaks_no_limit() -> None:
    """Nor one that is a little slower, or has a slow round among its three."""
    tree = SOUND | {"decode": [9.0, 1.2, 9.0], "encode": [0.2, 0.2, 0.2]}
    assert against.too_slow(SOUND, SOUND) == {}
    assert against.too_slow(tree, SOUND) == {}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"--help": [0.7, 0.7, 0.7]}, {"--help": "takes 1.40 of what it took, 1.25 at most"}),
        ({"decode": [1.3, 1.3, 1.3]}, {"decode": "takes 1.30 of what it took, 1.25 at most"}),
        (
            {"encode": [1.7, 1.7, 1.8]},
            {"encode": "takes 0.85 of orjson encode's time, 0.8 at most"},
        ),
        (
            {"orjson decode": [1.1, 1.1, 1.1]},
            {"decode": "takes 0.91 of orjson decode's time, 0.8 at most"},
        ),
        ({"orjson decode": [9.0, 9.0, 9.0]}, {}),
    ],
)
def test_a_slow_job_is_told_with_its_limit(
    change: dict[str, list[float]], expected: dict[str, str]
) -> None:
    """Slower than it was, or than the baseline allows; a baseline that is slower is nobody's."""
    assert against.too_slow(SOUND | change, SOUND) == expected


def test_a_table_has_every_job() -> None:
    """Medians of the earlier commit and of the tree, and the ratio of the best."""
    sides = [against.Side(name, BENCHES, BENCHES) for name in ("tree", "abc")]
    lines = against.table(sides, [SOUND | {"decode": [3.0, 1.5, 2.0]}, SOUND]).splitlines()
    assert lines[0] == "| processor seconds | abc | tree | ratio of the best |"
    assert lines[2] == "| decode | 1.000 | 2.000 | 1.50 |"
    assert len(lines) == 2 + len(SOUND)


def test_a_commit_that_is_not_there_is_told() -> None:
    """With what a shallow clone can do about it."""
    with pytest.raises(SystemExit, match="no commit no-such-ref here\nhint: a shallow clone"):
        against.commit_of("no-such-ref")


def test_only_what_was_printed_is_replaced() -> None:
    """The prose stays, and so do other blocks; printing the same again changes nothing."""
    page = docs.replaced(PAGE, {"two": "| a |\n"})
    assert page == PAGE.replace("two -->\n", "two -->\n| a |\n")
    assert docs.replaced(page, docs.blocks(page)) == page
    with pytest.raises(KeyError, match="three"):
        docs.replaced(PAGE, {"three": "| a |"})


def test_the_page_has_a_block_for_each_benchmark() -> None:
    """Each was printed: no block is empty, and every table of the page is in one."""
    page = docs.PAGE.read_text(encoding="utf-8")
    found = docs.blocks(page)
    assert found.keys() == docs.BLOCKS.keys()
    assert [name for name, text in found.items() if not text] == []
    prose = docs.replaced(page, dict.fromkeys(found, ""))
    assert [line for line in prose.splitlines() if line.startswith("|")] == []


def test_a_verb_that_starts_too_slowly_is_told_with_its_limit() -> None:
    """By the medians: one slow run says nothing, and the limit itself is no excess."""
    times = {name: [1.0, 1.0, 9.0] for name in start.commands(Path())}
    assert start.too_slow(times) == {}
    assert start.too_slow(times | {"--help": [1.25] * 3, "list": [1.8] * 3}) == {}
    assert start.too_slow(times | {"--version": [4.5] * 3, "list": [1.0, 2.0, 2.0]}) == {
        "--version": "takes 4.50 of `python -c pass`, 4.0 at most",
        "list": "takes 2.00 of `bare app, a verb`, 1.8 at most",
    }
