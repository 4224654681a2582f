from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from metasnapshot_codegen import source
from metasnapshot_codegen.source import Collector, SchemaError, Value

A_WORD = "expected a word without spaces, `;`, `=` and `!`"


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str], Value]:
    """Load a YAML text as file `some.yaml`."""

    def loaded(text: str) -> Value:
        path = tmp_path / "some.yaml"
        path.write_text(text)
        return source.load(path)

    return loaded


def said(error: pytest.ExceptionInfo[SchemaError]) -> list[tuple[int, str]]:
    """Lines and texts of an error's problems."""
    return [(problem.line, problem.text) for problem in error.value.problems]


def test_versions_and_dates_stay_text(load: Callable[[str], Value]) -> None:
    """What YAML would make a number, a date or a boolean is the text that was written."""
    items = load("[1.10, 1.10.0, 2026-08-21, true, null, 0x10, main]").items()
    expected = ["1.10", "1.10.0", "2026-08-21", "true", "null", "0x10", "main"]
    assert expected == [item.text() for item in items]


def test_a_value_knows_its_line(load: Callable[[str], Value]) -> None:
    """Lines count from one, as editors count them."""
    found = load("a: 1\nb:\n- c\n\n- d\n").fields()
    assert [found["a"].line, found["b"].line] == [1, 3]
    assert [item.line for item in found["b"].items()] == [3, 5]


def test_fields_keep_their_order(load: Callable[[str], Value]) -> None:
    """A mapping with free keys gives its pairs in the order of the file."""
    assert list(load("{z: 1, a: 2, m: 3}").fields()) == ["z", "a", "m"]


@pytest.mark.parametrize(
    ("text", "read", "problem"),
    [
        ("\n[a]", Value.text, (2, "found a list, expected a text")),
        ("{a: 1}", Value.text, (1, "found a mapping, expected a text")),
        ("{a: 1}", Value.items, (1, "found a mapping, expected a list")),
        ("a", Value.items, (1, "found a text, expected a list")),
        ("[a]", Value.fields, (1, "found a list, expected a mapping")),
        ("''", Value.text, (1, "found an empty text, expected a name")),
        (
            "a:\nb: 1",
            lambda value: value.fields()["a"].text(),
            (1, "found an empty text, expected a name"),
        ),
        ("a-b", Value.name, (1, "found `a-b`, expected a Python identifier")),
        ("1a", Value.name, (1, "found `1a`, expected a Python identifier")),
        ("None", Value.name, (1, "found `None`, expected a Python identifier")),
        ("''", Value.name, (1, "found an empty text, expected a name")),
        ("a b", Value.word, (1, f"found `a b`, {A_WORD}")),
        ("a;b", Value.word, (1, f"found `a;b`, {A_WORD}")),
        ("a=b", Value.word, (1, f"found `a=b`, {A_WORD}")),
        ("a!", Value.word, (1, f"found `a!`, {A_WORD}")),
        ("''", Value.word, (1, "found an empty text, expected a name")),
        ("yes", Value.flag, (1, "found `yes`, expected true or false")),
        ("True", Value.flag, (1, "found `True`, expected true or false")),
        ("{[a]: 1}", Value.fields, (1, "found a list, expected a text")),
        ("a: 1\nb: 2\na: 3", Value.fields, (3, "found `a` twice, expected it once")),
    ],
)
def test_a_reader_says_what_it_found_and_expected(
    load: Callable[[str], Value],
    text: str,
    read: Callable[[Value], object],
    problem: tuple[int, str],
) -> None:
    """A value of the wrong kind is named with its line, its kind and the kind that was expected."""
    with pytest.raises(SchemaError) as error:
        read(load(text))
    assert [problem] == said(error)


@pytest.mark.parametrize(("text", "expected"), [("true", True), ("false", False)])
def test_a_flag_is_true_or_false(
    load: Callable[[str], Value],
    text: str,
    expected: bool,  # noqa: FBT001
) -> None:
    """Both flags read as what they say."""
    assert expected is load(text).flag()


def test_names_and_words_read_as_they_stand(load: Callable[[str], Value]) -> None:
    """A name is an identifier that is no keyword, a word may have dots, dashes and colons."""
    assert [item.name() for item in load("[sink, _a1, match]").items()] == ["sink", "_a1", "match"]
    words = [item.word() for item in load("[1.0.0, re-tract, 'a:b', class]").items()]
    assert words == ["1.0.0", "re-tract", "a:b", "class"]


def test_a_record_takes_its_keys_only(load: Callable[[str], Value]) -> None:
    """A record has every required key, perhaps an optional one, and no other."""
    assert list(load("{a: 1, b: 2}").record(["a"], ["b", "c"])) == ["a", "b"]
    with pytest.raises(SchemaError) as unknown:
        load("a: 1\nd: 2").record(["a"], ["b", "c"])
    assert said(unknown) == [(2, "found unknown key `d`, expected one of a, b, c")]
    with pytest.raises(SchemaError) as missing:
        load("\nb: 1").record(["a"], ["b"])
    assert said(missing) == [(2, "found no key `a`, expected one")]


def test_a_collector_keeps_going(load: Callable[[str], Value]) -> None:
    """Each item's problems are kept, the items that are right are read, one error names all."""
    collector = Collector()
    read: list[str] = []
    for guard in collector.each(load("- a\n- [b]\n- c\n- {d: e}\n").items()):
        with guard as value:
            read.append(value.text())
    assert read == ["a", "c"]
    with pytest.raises(SchemaError) as error:
        collector.raise_any()
    expected = [
        (2, "found a list, expected a text"),
        (4, "found a mapping, expected a text"),
    ]
    assert expected == said(error)


def test_a_collector_without_problems_raises_nothing(load: Callable[[str], Value]) -> None:
    """Right items are no error."""
    collector = Collector()
    with collector.guard(load("a")) as value:
        assert value.text() == "a"
    collector.raise_any()
    assert collector.problems == []


def test_a_collector_keeps_the_problems_of_a_block(load: Callable[[str], Value]) -> None:
    """A block that fails ends early, what follows it runs, and its problems are kept."""
    collector = Collector()
    read: list[str] = []
    for text in ("[a]", "b"):
        with collector:
            read.append(load(text).text())
    assert read == ["b"]
    assert [problem.text for problem in collector.problems] == ["found a list, expected a text"]


def test_a_collector_hides_no_other_error(load: Callable[[str], Value]) -> None:
    """Only mistakes of the schema are collected: a mistake of the program shows."""
    collector = Collector()
    for block in (collector, collector.guard(load("a"))):
        with pytest.raises(ZeroDivisionError), block:
            raise ZeroDivisionError
    assert collector.problems == []


@pytest.mark.parametrize("name", ["models.yaml", "messages.yaml"])
@pytest.mark.parametrize(
    ("data", "line", "text"),
    [
        pytest.param(b"", 1, "found an empty file, expected a mapping", id="empty"),
        pytest.param(b"# nothing\n", 1, "found an empty file, expected a mapping", id="comment"),
        pytest.param(b"a: 1\nb: [1\nc: 2\n", 3, "found no YAML: ", id="not-YAML"),
        pytest.param(b"a: 1\n---\nb: 2\n", 2, "found no YAML: ", id="two-documents"),
        pytest.param(b"a: \xff\n", 1, "found no YAML: ", id="not-UTF-8"),
        pytest.param(b"- a\n", 1, "found a list, expected a mapping", id="list"),
    ],
)
def test_a_file_that_is_no_mapping_is_named(
    toy: Path,
    run: Callable[..., CompletedProcess[str]],
    name: str,
    data: bytes,
    line: int,
    text: str,
) -> None:
    """A schema file that is empty, not YAML or not a mapping is one error line and exit code 2."""
    (toy / name).write_bytes(data)
    outcome = run()
    assert outcome.returncode == 2
    assert [f"error: {toy / name}:{line}: {text}"] == [
        shown[: len(f"error: {toy / name}:{line}: {text}")] for shown in outcome.stderr.splitlines()
    ]


@pytest.mark.parametrize("name", ["models.yaml", "messages.yaml"])
def test_a_missing_file_is_named(
    toy: Path, run: Callable[..., CompletedProcess[str]], name: str
) -> None:
    """A schema file that is not there is one error line and exit code 2."""
    (toy / name).unlink()
    outcome = run()
    expected = (2, f"error: {toy / name}:1: cannot be read: no such file or directory\n")
    assert expected == (outcome.returncode, outcome.stderr)
