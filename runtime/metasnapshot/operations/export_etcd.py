"""export --format etcd: what upstream's restore of a V1 snapshot puts into etcd, as a script for
`etcdctl`, and the version checkpoint that belongs into the state store.

As upstream, default_cf is that of the newest snapshot of the directory: it counts the ids that were
given, which no two lives of a cluster may share. Source: src/meta/src/backup_restore/restore.rs and
restore_impl/v1.rs, src/meta/src/storage/etcd_meta_store.rs at 0.1.15 to 1.10.
"""

from __future__ import annotations

import base64
import string
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from google.protobuf import wrappers_pb2

from metasnapshot.catalogue.clusters import entries_of
from metasnapshot.catalogue.repository import Repository
from metasnapshot.contents.cluster import parameter_texts
from metasnapshot.errors import InconsistentStore, UnknownFormat
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.format.v1 import Pair
from metasnapshot.hummock.checkpoint import plain_checkpoint
from metasnapshot_models.v1 import V1_LAYOUTS, V1Family

LOAD_NAME = "load.sh"
CHECKPOINT_FILE = "checkpoint"
OPERATIONS_MAX = 100
"""Of a transaction; etcd takes 128 (--max-txn-ops)."""
REQUEST_SIZE = 1 << 19
"""Bytes of keys and values after which a transaction ends; etcd takes 1.5 MiB."""
REQUEST_SIZE_MAX = 1 << 20
"""Bytes of a value that still goes by etcdctl: etcd takes requests of 1.5 MiB if nobody says
otherwise, etcdctl sends 2 MiB at most."""
DEFAULT_CF = "default_cf"
HUMMOCK_VERSION = "hummock_version"
ANOTHER = "is the newest snapshot of another cluster?"
HEAD = """\
#!/bin/sh
# Loads meta snapshot {number} of RisingWave ({releases}) into an empty etcd: {count} keys.
# Start no meta node before it has said so. ETCDCTL_ENDPOINTS, ETCDCTL_USER and the like say where.
set -eu
export ETCDCTL_API=3

refuse_what_is_there() {{
  found=$(etcdctl get --prefix --keys-only --limit 1 "$1")
  if [ -n "$found" ]; then
    echo "error: etcd has keys under $1 already" >&2
    echo "hint: take an empty one; or, if they belong to no living cluster:" >&2
    echo "  etcdctl del --prefix default/ && etcdctl del --prefix cf/" >&2
    exit 13
  fi
}}

load() {{
  answer=$(etcdctl txn)
  case "$answer" in
    SUCCESS*) ;;
    *) echo "error: etcd refused a part, others are loaded: $answer" >&2; exit 1 ;;
  esac
}}

refuse_what_is_there default/
refuse_what_is_there cf/
"""
LARGE = """
# Values that are larger than what etcdctl sends go by etcd's HTTP gateway. etcd must run with
# --max-request-bytes={needed} or more; CURL_OPTIONS can hold what curl needs to be let in.
endpoint=${{ETCDCTL_ENDPOINTS:-127.0.0.1:2379}}
endpoint=${{endpoint%%,*}}
case "$endpoint" in http*) ;; *) endpoint="http://$endpoint" ;; esac
load_large() {{
  curl --fail --silent --show-error ${{CURL_OPTIONS:-}} \\
    --data-binary "@$(dirname "$0")/$1" "$endpoint/v3/kv/put" >/dev/null
}}

"""
_PLAIN = frozenset(string.ascii_letters + string.digits + " !#$%&'()*+,-./:;<=>?@[]^_`{|}~")
_GO = [char if (char := chr(byte)) in _PLAIN else f"\\x{byte:02x}" for byte in range(256)]
"""Each byte in a string of Go."""


@dataclass(frozen=True)
class EtcdExport:
    """What was written.

    Attributes:
        snapshot_id: of the snapshot.
        default_cf_from: the snapshot whose default_cf it has: the newest.
        keys: how many.
        largest: bytes of the largest key and its value.
        has_checkpoint: whether its releases keep the version in the state store (since 0.19).
        load_name: the script that loads them, in the directory.
        checkpoint_file: the checkpoint, if there is one.
    """

    snapshot_id: int
    default_cf_from: int
    keys: int
    largest: int
    has_checkpoint: bool
    load_name: str = LOAD_NAME
    checkpoint_file: str = CHECKPOINT_FILE


def export_etcd(repository: Repository, reader: SnapshotReader, path: Path) -> EtcdExport:
    """Write a directory with the script and, since 0.19, the checkpoint.

    Args:
        repository: where the snapshot is, and the newest.
        reader: the snapshot, opened.
        path: a directory that is not there yet.

    Raises:
        UnknownFormat: the snapshot is not V1.
        InconsistentStore: the newest snapshot's default_cf is none that may follow on this one's.
        DamageError: one of the two is damaged.
    """
    if not reader.is_v1:
        raise UnknownFormat(
            f"snapshot {reader.id} is in the V2 format, which no release puts into etcd",
            hint="metasnapshot restore puts it into a SQL meta store",
        )
    newest = max(entry.id for entry in entries_of(repository))
    defaults = _default_cf(repository, reader, newest)
    layout = V1_LAYOUTS[reader.layout]
    has_checkpoint = HUMMOCK_VERSION not in [family.member for family in layout.families]
    count, largest = 0, 0
    for key, value in etcd_pairs(reader, defaults):
        count += 1
        largest = max(largest, len(key) + len(value))
    found = EtcdExport(reader.id, newest, count, largest, has_checkpoint)
    path.mkdir(mode=0o700)
    with _private(path / LOAD_NAME).open("w", encoding="ascii") as file:
        file.write(_head(found, reader.releases))
        for number, part in enumerate(_parts(etcd_pairs(reader, defaults))):
            if _is_large(part):
                name = f"large.{number}.json"
                _private(path / name).write_bytes(_request(part))
                file.write(f"load_large {name}\n")
            else:
                file.write("load <<'END'\n\n")
                file.writelines(f"put -- {_quoted(key)} {_quoted(part[key])}\n" for key in part)
                file.write("\n\nEND\n")
        file.write(f'echo "loaded {count} keys"\n')
    if has_checkpoint:
        _private(path / CHECKPOINT_FILE).write_bytes(
            plain_checkpoint(reader.hummock_version.message)
        )
    return found


def etcd_pairs(reader: SnapshotReader, defaults: list[Pair]) -> Iterator[tuple[bytes, bytes]]:
    """Every key and value, in the order of upstream's restore.

    Args:
        reader: an opened V1 snapshot.
        defaults: the pairs of default_cf.
    """
    layout = V1_LAYOUTS[reader.layout]
    for family in (*layout.families, *layout.also):
        rows = iter(defaults) if family.member == DEFAULT_CF else _rows(reader, family.member)
        for row in rows:
            for key, value in _entries(row, family):
                yield f"{family.name}/".encode() + key, value


def _rows(reader: SnapshotReader, member: str) -> Iterator[Any]:
    if member == HUMMOCK_VERSION:
        return iter(reader.hummock_version.rows)
    return reader.rows(member)


def _entries(row: Any, family: V1Family) -> Iterator[tuple[bytes, bytes]]:
    """The entries of a row, by the kind of its family's keys."""
    if family.keys == "own":
        yield row.key, row.value
    elif family.keys == "field":
        key = wrappers_pb2.UInt64Value.FromString(row.bytes)  # field 1 is the key, by the registry
        key.DiscardUnknownFields()
        yield key.SerializeToString(), row.bytes
    elif family.keys == "zero":
        yield b"", row if isinstance(row, bytes) else row.bytes
    elif family.keys == "names":
        for name, value in parameter_texts(row.message):
            yield name.encode(), value.encode()
    else:
        yield family.member.encode(), row.encode()


def _default_cf(repository: Repository, reader: SnapshotReader, newest: int) -> list[Pair]:
    """default_cf of the newest snapshot, if it may follow on that of this one."""
    own: list[Pair] = list(reader.rows(DEFAULT_CF))
    if newest == reader.id:
        return own
    with repository.open(newest) as other:
        if not other.is_v1:
            raise InconsistentStore(
                f"snapshot {newest}, the newest, is in the V2 format: the cluster went on in a SQL "
                "meta store, and ids that it gave there would be given again",
                hint="to bring the old cluster back beside it, on a state store of its own, copy "
                "the V1 snapshots into another directory first (metasnapshot copy)",
            )
        found: list[Pair] = list(other.rows(DEFAULT_CF))
    values = dict(found)
    for key, value in own:
        if key not in values:
            raise InconsistentStore(f"violate superset requirement. key {key!r}", hint=ANOTHER)
        if values[key] < value:
            raise InconsistentStore(
                f"violate monotonicity requirement: {key!r} is {values[key].hex()} in snapshot "
                f"{newest}, the newest, and {value.hex()} in snapshot {reader.id}",
                hint=ANOTHER,
            )
    return found


def _head(found: EtcdExport, releases: tuple[str, ...]) -> str:
    releases_text = f"{releases[0]} to {releases[-1]}"
    head = HEAD.format(number=found.snapshot_id, releases=releases_text, count=found.keys)
    if found.largest <= REQUEST_SIZE_MAX:
        return head
    return head + LARGE.format(needed=found.largest * 2)


def _private(path: Path) -> Path:
    """A new file that nobody else can read, wherever it is brought."""
    path.touch(mode=0o600, exist_ok=False)
    return path


def _is_large(part: dict[bytes, bytes]) -> bool:
    return sum(len(key) + len(part[key]) for key in part) > REQUEST_SIZE_MAX


def _request(part: dict[bytes, bytes]) -> bytes:
    """What etcd's gateway takes for the only pair of a part."""
    ((key, value),) = part.items()
    pair = {"key": key, "value": value}
    return msgspec.json.encode(
        {name: base64.b64encode(data).decode() for name, data in pair.items()}
    )


def _parts(pairs: Iterator[tuple[bytes, bytes]]) -> Iterator[dict[bytes, bytes]]:
    """Pairs in transactions that etcd takes: none has a key twice."""
    part, size = dict[bytes, bytes](), 0
    for key, value in pairs:
        is_full = len(part) == OPERATIONS_MAX or size + len(key) + len(value) > REQUEST_SIZE
        if part and (is_full or key in part):
            yield part
            part, size = {}, 0
        part[key] = value
        size += len(key) + len(value)
    if part:
        yield part


def _quoted(data: bytes) -> str:
    """Bytes as a string of Go, which etcdctl reads."""
    return '"' + "".join(_GO[byte] for byte in data) + '"'
