"""A snapshot goes from engine to engine and stays what it is; what an engine cannot hold is refused
before anything is written, or by the engine, and then rolled back.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import goldens
import msgspec
import pytest
import worlds
from servers import Server

import metasnapshot
from metasnapshot import Blob, Fixed, Timestamp
from metasnapshot.errors import DamageError, DatabaseError, MetasnapshotError, ValueUnfit
from metasnapshot.format.layout import HUMMOCK_VERSION
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations.backup import backup
from metasnapshot_models.enums import ObjectType
from metasnapshot_models.models import SessionParameter

pytestmark = pytest.mark.skipif(
    not worlds.TAGS, reason="the schema scripts of the engines are not shipped"
)
SERVERS = {"postgresql": "postgres_server", "mysql": "mariadb_server"}
ENGINES = ("sqlite", *SERVERS)
MIB = 1 << 20
TEXTS = {
    "empty": "",
    "null of COPY": "\\N",
    "end of COPY": "\\.",
    "zero of JSON": "\\u0000 \\\\u0000",
    "backslashes": "\\ \\\\ \\t \\x41",
    "control": "\t\n\r\b\f\v\x01\x7f",
    "spaces": "  both ends  ",
    "quotes": "'\"`''%s %(name)s :name ?",
    "beyond U+FFFF": "\N{CRAB}\U0010ffff",
    "line separator": "\u2028\ufeff\uffff",
    "composed": "\u00e9 e\u0301",
}
"""By a word for each: what some engine, driver or protocol treats in a way of its own."""
I64_MIN, I64_MAX = -(1 << 63), (1 << 63) - 1
Sections = dict[str, list[Any]]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def make_target(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str, str], str]:
    """An empty meta store on an engine, by a name of its own; its URL."""

    def make(engine: str, name: str = "across") -> str:
        tag = worlds.TAGS[-1]
        if engine == "sqlite":
            return f"sqlite:///{goldens.empty_store(tag, tmp_path / f'{name}.db')}"
        server: Server = request.getfixturevalue(SERVERS[engine])
        return server.create(name, worlds.schema(tag, server))

    return make


@pytest.fixture
def backups(tmp_path: Path) -> worlds.Backups:
    return worlds.Backups(worlds.TAGS[-1], tmp_path)


def edit(backups: worlds.Backups, change: Callable[[Sections], None]) -> None:
    """Write snapshot 2 anew, with other rows."""
    snapshot = backups.repository.get(2)
    change(snapshot.sections)
    path = backups.state.parent / backups.repository.path(2)
    path.write_bytes(metasnapshot.dumps(snapshot))


def back_up(backups: worlds.Backups, url: str) -> int:
    """Back up what was restored; the new snapshot's id."""
    with open_meta_store(url) as store:
        return backup(store, backups.repository).entry.id


def raw_rows(backups: worlds.Backups, number: int) -> dict[str, list[bytes]]:
    """Rows by section, as they are in the file, in an order of their own."""
    with backups.repository.open(number) as reader:
        return {
            name: sorted(row for _, row in reader.raw_rows(name))
            for name in reader.section_names
            if name not in (HUMMOCK_VERSION, worlds.SEQUENCES)
        }


def rows_in(url: str) -> int:
    with open_meta_store(url) as store, store.read_transaction() as connection:
        found = connection.exec_driver_sql("SELECT count(*) FROM seaql_migrations").scalar()
    return int(found or 0)


def is_untouched(backups: worlds.Backups, url: str) -> bool:
    """No row, and no checkpoint."""
    checkpoint = backups.state / goldens.DATA_DIRECTORY / "checkpoint" / "0"
    return rows_in(url) == 0 and not checkpoint.exists()


def check_carried(
    backups: worlds.Backups, url: str, *sections: str, cut_timestamps: bool = False
) -> None:
    """Restored and backed up again, the rows of these sections are the same bytes."""
    backups.restore(url, cut_timestamps=cut_timestamps or not url.startswith("sqlite"))
    there, back = raw_rows(backups, 2), raw_rows(backups, back_up(backups, url))
    for section in sections:
        assert back[section] == there[section]


def session_parameter(name: str, value: str, description: str | None = None) -> Any:
    return SessionParameter(name=name, value=value, description=description)


def test_a_snapshot_goes_round(
    backups: worlds.Backups, make_target: Callable[[str, str], str]
) -> None:
    """SQLite, PostgreSQL, MySQL, SQLite: each holds what the one before held, as it can hold it."""
    layout = worlds.layout_of(backups.repository, 2)
    with backups.repository.open(2) as reader:
        finest = worlds.digests_of_file(reader, layout)
        coarsest = worlds.digests_of_file(reader, layout, worlds.fit_of("mysql"))
    number, url, needs_cut = 2, "", {"sqlite": False, "postgresql": True, "mysql": True}
    for step, name in enumerate(("sqlite", "postgresql", "mysql", "sqlite")):
        url = make_target(name, f"step{step}")
        if needs_cut[name]:
            with pytest.raises(ValueUnfit, match=r"table \w+, row \d+, column \w+"):
                backups.restore(url, number)
            assert rows_in(url) == 0
        backups.restore(url, number, cut_timestamps=needs_cut[name])
        with backups.repository.open(number) as reader:
            fit = worlds.fit_of(name, cut_timestamps=needs_cut[name])
            assert worlds.digests_of_store(url, layout) == worlds.digests_of_file(
                reader, layout, fit
            )
        if step == 0:
            assert worlds.digests_of_store(url, layout) == finest
        number = back_up(backups, url)
    assert worlds.digests_of_store(url, layout) == coarsest


def test_texts(engine: str, backups: worlds.Backups, make_target: Callable[[str], str]) -> None:
    """As keys, values and descriptions; an empty one is not NULL."""

    def change(sections: Sections) -> None:
        rows = [session_parameter(f"key {text}", text, text) for text in TEXTS.values()]
        sections["session_parameters"] += [*rows, session_parameter("no description", "", None)]
        for row in sections["views"]:
            row.properties = dict(sorted(zip(TEXTS.values(), TEXTS.values(), strict=True)))

    edit(backups, change)
    check_carried(backups, make_target(engine), "session_parameters")
    last = max(backups.repository.manifest().ids)
    for row in backups.repository.get(last).sections["views"]:
        assert row.properties == {text: text for text in TEXTS.values()}


def test_blobs(engine: str, backups: worlds.Backups, make_target: Callable[[str], str]) -> None:
    """Every byte, none, and NULL."""

    def change(sections: Sections) -> None:
        blobs = [None, Blob(b""), Blob(bytes(range(256)) * 9), Blob(b"\\N\n\\x00'\"")]
        for row, blob in zip(sections["users"], blobs, strict=True):
            row.auth_info = blob

    edit(backups, change)
    check_carried(backups, make_target(engine), "users")


def test_numbers_enums_and_uuids(
    engine: str, backups: worlds.Backups, make_target: Callable[[str], str]
) -> None:
    """The largest and the smallest; every name."""

    def change(sections: Sections) -> None:
        sections["seaql_migrations"][0].applied_at = I64_MIN
        sections["seaql_migrations"][1].applied_at = I64_MAX
        template = sections["objects"][-1]
        sections["objects"] += [
            msgspec.structs.replace(
                template, oid=900_000 + place, obj_type=kind, schema_id=None, database_id=None
            )
            for place, kind in enumerate(ObjectType)
        ]
        whole = Timestamp("2024-07-01T08:00:00")
        for row in sections["objects"]:
            row.created_at = row.initialized_at = whole
        cluster = type(sections["clusters"][0])
        ids = [UUID(int=0), UUID(int=(1 << 128) - 1), UUID(bytes=b"\\N\t\n '\"\0\x80abcdef\\")]
        sections["clusters"] = [cluster(cluster_id=id_, created_at=whole) for id_ in ids]

    edit(backups, change)
    backups.repository.cluster = str(UUID(int=0))  # the directory's others are of another one
    check_carried(backups, make_target(engine), "seaql_migrations", "objects", "clusters")


def test_json(engine: str, backups: worlds.Backups, make_target: Callable[[str], str]) -> None:
    """Keys come back in a snapshot's order, whatever order the engine has; no digit is lost."""

    def change(sections: Sections) -> None:
        stats = {"totalKeySize": str(I64_MAX), "totalKeyCount": str(I64_MIN)}
        sections["version_stats"][0].stats = {key: dict(stats) for key in (2, 10, 999_999_999)}
        for row, value in zip(
            sections["streaming_jobs"], [Fixed((1 << 64) - 1), Fixed(0), "Adaptive"], strict=False
        ):
            row.parallelism = value
        for row in sections["fragments"]:
            row.upstream_fragment_id = [-(1 << 31), (1 << 31) - 1, 0, 0]
        for row in sections["views"]:
            row.properties = {"": "", "A": "\\u0041", "a": "{}", "\u00e9": "\\", "\N{CRAB}": "x"}

    edit(backups, change)
    sections = ("version_stats", "streaming_jobs", "fragments", "views")
    check_carried(backups, make_target(engine), *sections)


@pytest.mark.parametrize(
    ("second", "fraction"),
    [
        ("0001-01-01T00:00:00", ""),
        ("0001-01-01T00:00:00", ".999999999"),
        ("1969-12-31T23:59:59", ".001"),
        ("1969-12-31T23:59:59", ".000001"),
        ("9999-12-31T23:59:59", ""),
        ("9999-12-31T23:59:59", ".999999999"),
    ],
)
def test_timestamps(
    engine: str,
    second: str,
    fraction: str,
    backups: worlds.Backups,
    make_target: Callable[[str], str],
) -> None:
    """Cut on demand to what the engine holds, never rounded, in any year."""
    digits = {"sqlite": 9, "postgresql": 6, "mysql": 0}[engine]
    fits = len(fraction.removeprefix(".")) <= digits

    def change(sections: Sections) -> None:
        sections["clusters"][0].created_at = Timestamp(second + fraction)
        for row in sections["objects"]:
            row.created_at = row.initialized_at = Timestamp(second)

    edit(backups, change)
    url = make_target(engine)
    if not fits:
        with pytest.raises(ValueUnfit, match="table cluster, row 0, column created_at"):
            backups.restore(url)
        assert is_untouched(backups, url)
    backups.restore(url, cut_timestamps=not fits)
    found = backups.repository.get(back_up(backups, url)).sections["clusters"][0].created_at
    kept = fraction if fits else fraction[: digits + 1].rstrip(".")
    assert found == Timestamp(second + kept)


TOO_MUCH: dict[str, tuple[Callable[[Sections], None], dict[str, type[MetasnapshotError]], str]] = {}
"""What, and which engines refuse it in which way; the others carry it."""


def refused(section: str, **engines: type[MetasnapshotError]) -> Any:
    def note(change: Callable[[Sections], None]) -> Any:
        TOO_MUCH[change.__name__.replace("_", " ")] = change, engines, section
        return change

    return note


@refused("session_parameters", postgresql=ValueUnfit)
def zero_in_text(sections: Sections) -> None:
    sections["session_parameters"].append(session_parameter("zero", "a\0b"))


@refused("views", postgresql=ValueUnfit)
def zero_in_json(sections: Sections) -> None:
    sections["views"][0].properties = {"zero": "a\0b"}


@refused("session_parameters", mysql=DatabaseError)
def keys_that_differ_in_spaces(sections: Sections) -> None:
    sections["session_parameters"] += [session_parameter("pad" + " " * n, "") for n in range(3)]


@refused("session_parameters", mysql=DatabaseError)
def long_text(sections: Sections) -> None:
    sections["session_parameters"].append(session_parameter("long", "", "x" * MIB))


@refused("compaction_configs", mysql=DatabaseError)
def a_large_blob(sections: Sections) -> None:
    sections["compaction_configs"][0].config = Blob(bytes(range(256)) * (20 * MIB // 256))


@refused("session_parameters", **dict.fromkeys(ENGINES, DamageError))
def a_key_twice(sections: Sections) -> None:
    sections["session_parameters"] += [session_parameter("twice", str(n)) for n in range(2)]


@refused("hummock_table_change_logs", postgresql=DatabaseError, mysql=DatabaseError)
def an_id_of_32_bits(sections: Sections) -> None:
    sections["hummock_table_change_logs"][0].table_id = (1 << 32) - 1


@pytest.mark.parametrize("what", TOO_MUCH)
def test_too_much_for_some(
    engine: str, what: str, backups: worlds.Backups, make_target: Callable[[str], str]
) -> None:
    """A typed error and an untouched target, or every byte."""
    change, engines, section = TOO_MUCH[what]
    edit(backups, change)
    url = make_target(engine)
    if engine not in engines:
        check_carried(backups, url, section)
        return
    with pytest.raises(engines[engine]) as caught:
        backups.restore(url, cut_timestamps=True)
    assert ("max_allowed_packet" in caught.value.hint) == (what == "a large blob")
    assert is_untouched(backups, url)
