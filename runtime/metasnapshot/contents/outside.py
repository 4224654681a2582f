"""What a cluster uses that lies outside of it, by name: what two clusters of one catalogue would
use both. Sources and sinks say it in their properties, iceberg tables in a section of their own.

Every source and sink with a connector stands here once; those that reach nothing outside do not.
Values are shown as far as they are known to be harmless.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from metasnapshot.contents.cluster import SINK, Connector
from metasnapshot.contents.properties import CONNECTOR, is_harmless, shown_property

NOTHING_OUTSIDE = frozenset({"blackhole", "datagen", "nexmark", "table", "trivial"})
"""Connectors that reach nothing: they make or drop rows, or fill a table of the cluster itself."""
ICEBERG = "iceberg"
ICEBERG_TABLE = "iceberg table"
SINK_TARGET = "sink target"
UNSAID = "(not said in clear)"
"""A name that the properties do not say: perhaps it is in a secret."""
_FRAGMENT = "-{fragment}"
_MADE_ON_THE_WAY = "intermediate."
"""So begin keys of what a sink makes before its target."""


class _Reader(NamedTuple):
    """What a connector is known by where it reads.

    Attributes:
        kind: what that is called there.
        keys: the properties that may name it.
        default: the name without any of them.
        ending: what RisingWave puts behind.
    """

    kind: str
    keys: tuple[str, ...]
    default: str = UNSAID
    ending: str = ""


_SLOT = _Reader("replication slot", ("slot.name",))
_READERS = {
    "postgres-cdc": _SLOT,
    "citus-cdc": _SLOT,
    "mysql-cdc": _Reader("replication server id", ("server.id",)),
    "kafka": _Reader("consumer group", ("group.id.prefix",), "rw-consumer", _FRAGMENT),
    "pulsar": _Reader("subscription", ("subscription.name.prefix",), "rw-consumer", _FRAGMENT),
    "google_pubsub": _Reader("subscription", ("pubsub.subscription",)),
    "nats": _Reader("durable consumer", ("consumer.durable_name", "durable_consumer_name")),
    "mqtt": _Reader("client", ("client_prefix",)),
}
_WHERE = (
    "host",
    "hostname",
    "url",
    "path",
    "endpoint",
    "endpoint_url",
    "server",
    "server_url",
    "brokers",
    "uri",
    "location",
    "root",
    "bucket_name",
    "container_name",
    "s3_bucket",
    "s3_path",
)
_WHAT = (
    "project",
    "project_id",
    "catalog",
    "keyspace",
    "database",
    "dataset",
    "schema",
    "namespace",
    "table",
    "topic",
    "stream",
    "subject",
    "index",
    "collection",
    "channel",
)
"""How the keys that say a target end, the last word `.name` left out: the place, then the thing."""


class Outside(NamedTuple):
    """A thing outside: what it is, its name, and which source, sink or catalogue names it."""

    kind: str
    name: str
    of: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name} ({self.of})"


def things_outside(
    connectors: Iterable[Connector], iceberg_tables: Iterable[Any] = ()
) -> list[Outside]:
    """All of them, those of sources first.

    Args:
        connectors: the cluster's sources and sinks.
        iceberg_tables: rows of the section of that name.
    """
    found = [item for connector in connectors for item in _of_connector(connector)]
    return [*found, *(_of_table(row) for row in iceberg_tables)]


def _of_connector(connector: Connector) -> Iterator[Outside]:
    name = connector.properties[CONNECTOR].lower()
    if name in NOTHING_OUTSIDE:
        return
    shown = _shown(name, connector.properties)
    of = f"{connector.kind} {connector.name}, {name}"
    if connector.kind == SINK:
        kind = ICEBERG_TABLE if name == ICEBERG else SINK_TARGET
        yield Outside(kind, _target(shown) or UNSAID, of)
        return
    reader = _READERS.get(name)
    if reader is None:
        yield Outside("source", _target(shown) or UNSAID, of)
        return
    values = (shown[key] for key in reader.keys if shown.get(key))
    yield Outside(reader.kind, next(values, reader.default) + reader.ending, of)


def _of_table(row: Any) -> Outside:
    place = f"{row.table_namespace}.{row.table_name}"
    return Outside(ICEBERG_TABLE, place, f"catalogue {row.catalog_name}")


def _shown(connector: str, properties: Mapping[str, str]) -> dict[str, str]:
    """The harmless properties, by key in small letters."""
    return {
        key.lower(): shown_property(value)
        for key, value in properties.items()
        if is_harmless(key, connector) and not key.lower().startswith(_MADE_ON_THE_WAY)
    }


def _target(shown: Mapping[str, str]) -> str:
    """Where and what: values of keys such as `jdbc.url` and `table.name`."""
    words = {_last_word(key): value for key, value in shown.items() if value}
    return " ".join(words[word] for word in (*_WHERE, *_WHAT) if word in words)


def _last_word(key: str) -> str:
    return key.removesuffix(".name").rpartition(".")[2]
