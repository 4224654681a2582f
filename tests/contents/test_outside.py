"""contents/outside.py: what a cluster uses outside of itself, by name and without a secret."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metasnapshot.contents.cluster import SINK, SOURCE, Connector
from metasnapshot.contents.outside import NOTHING_OUTSIDE, UNSAID, Outside, things_outside
from metasnapshot_models.connectors import CONNECTORS


def outside(kind: str, connector: str, **properties: str) -> list[Outside]:
    spelt = {key.replace("__", "."): value for key, value in properties.items()}
    return things_outside([Connector(kind, "x", {"connector": connector, **spelt})])


CASES = [
    (SOURCE, "postgres-cdc", {"slot__name": "s1"}, "replication slot", "s1"),
    (SOURCE, "citus-cdc", {"slot__name": "s2"}, "replication slot", "s2"),
    (SOURCE, "postgres-cdc", {}, "replication slot", UNSAID),
    (SOURCE, "mysql-cdc", {"server__id": "7"}, "replication server id", "7"),
    (SOURCE, "kafka", {"topic": "t"}, "consumer group", "rw-consumer-{fragment}"),
    (SOURCE, "kafka", {"group__id__prefix": "g"}, "consumer group", "g-{fragment}"),
    (SOURCE, "Kafka", {"Group.Id.Prefix": "g"}, "consumer group", "g-{fragment}"),
    (SOURCE, "pulsar", {}, "subscription", "rw-consumer-{fragment}"),
    (SOURCE, "google_pubsub", {"pubsub__subscription": "p"}, "subscription", "p"),
    (SOURCE, "nats", {"consumer__durable_name": "d"}, "durable consumer", "d"),
    (SOURCE, "nats", {"durable_consumer_name": "e"}, "durable consumer", "e"),
    (SOURCE, "mqtt", {"client_prefix": "c"}, "client", "c"),
    (SOURCE, "sqlserver-cdc", {"hostname": "h", "database__name": "d"}, "source", "h d"),
    (SOURCE, "no such", {}, "source", UNSAID),
    (SINK, "kafka", {"properties__bootstrap__server": "b:1", "topic": "t"}, "sink target", "b:1 t"),
    (SINK, "jdbc", {"schema__name": "s", "table__name": "t"}, "sink target", "s t"),
    (SINK, "postgres", {"host": "h", "table": "t", "password": "no"}, "sink target", "h t"),
    (SINK, "snowflake", {"intermediate__table__name": "i", "table__name": "t"}, "sink target", "t"),
    (SINK, "iceberg", {"database__name": "d", "table__name": "t"}, "iceberg table", "d t"),
    (SINK, "elasticsearch", {"url": "http://u:no@h:9", "index": "i"}, "sink target", None),
]


@pytest.mark.parametrize(("kind", "connector", "properties", "what", "name"), CASES)
def test_what_is_told(
    kind: str, connector: str, properties: dict[str, str], what: str, name: str | None
) -> None:
    """The kind of each connector's thing, and the name that the properties give it."""
    (found,) = outside(kind, connector, **properties)
    assert found.kind == what
    assert name in (None, found.name)
    assert found.of == f"{kind} x, {connector.lower()}"
    assert "no@" not in found.name


@pytest.mark.parametrize("connector", sorted(CONNECTORS.keys() | NOTHING_OUTSIDE))
@pytest.mark.parametrize("kind", [SOURCE, SINK])
def test_each_connector_stands_there_once(kind: str, connector: str) -> None:
    """But those that reach nothing outside."""
    assert len(outside(kind, connector)) == (connector not in NOTHING_OUTSIDE)


def test_tables_of_iceberg() -> None:
    """By namespace, name and catalogue."""
    row = SimpleNamespace(catalog_name="c", table_namespace="n", table_name="t")
    (found,) = things_outside([], [row])
    assert str(found) == "iceberg table n.t (catalogue c)"


SECRET = "s3cr3tvalue"  # noqa: S105 - what is looked for
KEYS = st.sampled_from(
    ["password", "properties.sasl.password", "s3.secret.key", "auth.token", "who.knows", "url"]
)


@given(
    st.sampled_from([SOURCE, SINK]),
    st.sampled_from(sorted(CONNECTORS)),
    st.lists(KEYS, min_size=1, max_size=4),
)
def test_no_secret_is_told(kind: str, connector: str, keys: list[str]) -> None:
    """Whatever keys hold it: unknown ones are not shown, URLs lose what opens them."""
    properties = dict.fromkeys(keys, f"x://u:{SECRET}@h/p?k={SECRET}")
    found = things_outside([Connector(kind, "x", {"connector": connector, **properties})])
    assert SECRET not in str(found)
