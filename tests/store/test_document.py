"""Small documents: what is refused before it is read, and before it is believed."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metasnapshot.errors import DamageError, NoObject, ObjectMissing, StorageError
from metasnapshot.store.document import (
    DEPTH_MAX,
    SIZE_MAX,
    check_text,
    decode_document,
    read_document,
)
from metasnapshot.store.local import LocalStore
from metasnapshot.store.lock import LOCK_NAME, locked
from metasnapshot.store.swap import change_object

ANY = msgspec.json.Decoder(dict[str, Any])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)


@given(JSON, st.booleans())
def test_a_sound_text_passes(value: Any, ascii_only: bool) -> None:  # noqa: FBT001 - drawn
    """Whatever JSON says, in whatever spelling, if no key stands twice."""
    check_text(json.dumps(value, ensure_ascii=ascii_only).encode(errors="surrogatepass"))


@given(st.dictionaries(st.text(min_size=1), JSON, min_size=1), st.data())
def test_a_key_that_stands_twice_is_found(fields: dict[str, Any], data: st.DataObject) -> None:
    """Wherever the object lies, and however each of the two is spelled."""
    key = data.draw(st.sampled_from(sorted(fields)))
    again = "".join(f"\\u{unit:04x}" for unit in _units(key))
    items = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in fields.items()]
    items.insert(data.draw(st.integers(0, len(items))), f'"{again}" :1')
    text = "{" + ",".join(items) + "}"
    for _ in range(data.draw(st.integers(0, 5))):
        text = data.draw(st.sampled_from([f"[1, {text}]", f'{{"x":[{text}]}}', f"[[],{text}]"]))
    with pytest.raises(ValueError, match="stands twice"):
        check_text(text.encode(errors="surrogatepass"))


def _units(text: str) -> list[int]:
    data = text.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(data[place : place + 2]) for place in range(0, len(data), 2)]


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"b":{"a":1},"c":[{"a":1},{"a":2}]}',
        '{"a":"\\"a\\":1","b":"{\\"b\\":1}"}',
        '{"a":"a","b":"a"}',
        '["a","a"]',
        "{}",
        '{"":1," ":2}',
        '{"a":[1,2,3],"b":[[1],[2,3]],"c":[]}',
        '{"\\u0061":1,"A":2}',
        "[" * DEPTH_MAX + "]" * DEPTH_MAX,
    ],
)
def test_what_only_looks_like_it_passes(text: str) -> None:
    """The same key in two objects, keys within texts, values that are equal."""
    check_text(text.encode())


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"a":1,"a":1}', "'a' stands twice (byte 7)"),
        (b'{"a":1,\n "a" :1}', "'a' stands twice (byte 9)"),
        (b'{"x":{"a":1,"\\u0061":2}}', "'a' stands twice"),
        ('{"ä":1,"\\u00e4":2}'.encode(), "'ä' stands twice"),
        (b'[{"a":1},{"b":1,"b":[]}]', "'b' stands twice (byte 16)"),
        (b'{"a":"\xff"}', "no UTF-8 (byte 6)"),
        (b'{"a":"\xc3"}', "no UTF-8 (byte 6)"),
        (b'{"\xed\xa0\x80":1}', "no UTF-8 (byte 2)"),
        (b" " * (1 << 20) + b'"\xe2\x82', f"no UTF-8 (byte {(1 << 20) + 1})"),
        (b"[" * 128, "brackets deep (byte 127)"),
        (b'{"a":' * 128, "brackets deep"),
        (b"[" * 100_000 + b"]" * 100_000, "brackets deep"),
        (b'{"a', "a text without an end (byte 1)"),
        (b'"' + b'\\"' * 100_000, "a text without an end (byte 0)"),
    ],
)
def test_what_says_two_things_is_named_with_its_place(data: bytes, says: str) -> None:
    """A key twice, bytes that are no UTF-8, brackets without end: damage, in the file's name."""
    with pytest.raises(DamageError) as caught:
        decode_document("some/where.json", data, ANY, "a hint")
    assert says in str(caught.value)
    assert str(caught.value).startswith("some/where.json is damaged: ")
    assert (caught.value.exit_code, caught.value.hint) == (4, "a hint")


@pytest.mark.parametrize("size", [SIZE_MAX + 1, 1 << 32, 1 << 40])
def test_what_is_too_large_is_not_read(tmp_path: Path, size: int) -> None:
    """Its size is looked at before; at the limit it is read."""
    (tmp_path / "x").touch()
    os.truncate(tmp_path / "x", size)
    store = LocalStore(tmp_path)
    with pytest.raises(DamageError, match=f"x is damaged: it has {size} bytes"):
        read_document(store, "x")
    with pytest.raises(DamageError, match=f"it has {size} bytes"):
        change_object(store, "x", lambda _: b"")
    assert (tmp_path / "x").stat().st_size == size
    os.truncate(tmp_path / "x", SIZE_MAX)
    assert len(read_document(store, "x").data) == SIZE_MAX
    with pytest.raises(ObjectMissing):
        read_document(store, "y")


def fifo(path: Path) -> None:
    os.mkfifo(path)


def unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


IRREGULAR = {
    "pipe": fifo,
    "directory": Path.mkdir,
    "socket": unix_socket,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "terminal": lambda path: path.symlink_to("/dev/null"),
    "link to nothing": lambda path: path.symlink_to("nowhere"),
    "link to a directory": lambda path: path.symlink_to("."),
    "link to a pipe": lambda path: (fifo(path.with_name("pipe")), path.symlink_to("pipe")),
    "link to itself": lambda path: path.symlink_to(path.name),
}


@pytest.mark.parametrize("kind", IRREGULAR)
def test_what_is_no_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """By name, at once, whatever is done with it; no list stops at it, and delete takes it away."""
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    IRREGULAR[kind](Path("x"))
    store = LocalStore(Path())
    for attempt in (
        lambda: store.head("x"),
        lambda: store.read("x"),
        lambda: read_document(store, "x"),
        lambda: change_object(store, "x", lambda _: b"1"),
    ):
        with pytest.raises(StorageError, match="x") as caught:
            attempt()
        assert not isinstance(caught.value, ObjectMissing)
    assert [head.path for head in store.list("")] == []
    if kind != "directory":
        store.delete("x")
        change_object(store, "x", lambda _: b"1")
        assert store.read("x").data == b"1"


@pytest.mark.parametrize("kind", IRREGULAR)
def test_a_lock_that_is_no_file_of_ours_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A link would have the file that it means emptied."""
    monkeypatch.chdir(tmp_path)
    IRREGULAR[kind](Path(LOCK_NAME))
    with pytest.raises(NoObject, match="lock is no file of ours"), locked(Path()):
        pass


def test_a_lock_that_is_a_link_leaves_its_target_alone(tmp_path: Path) -> None:
    """What is in it stays."""
    (tmp_path / "precious").write_text("kept")
    (tmp_path / LOCK_NAME).symlink_to("precious")
    with pytest.raises(NoObject), locked(tmp_path):
        pass
    with pytest.raises(NoObject):
        change_object(LocalStore(tmp_path), "x", lambda _: b"1")
    assert (tmp_path / "precious").read_text() == "kept"
    assert not (tmp_path / "x").exists()
