"""The tables `[cluster.NAME]` of metasnapshot.toml: each has the same keys as the file itself, and
what it does not say is as the file says it outside. What says where something is stands in the
table of a cluster and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from metasnapshot import find_overlap, find_same_meta_store
from metasnapshot.cli.clusters.choice import UUID, require_no_client_variable
from metasnapshot.cli.settings import (
    BACKUP_DIRECTORY,
    LOCATIONS,
    File,
    Value,
    parse_values,
    unknown,
)
from metasnapshot.errors import UsageError

TABLE = "cluster"
NAMES = r"[A-Za-z0-9_-]+"
URL, DIRECTORY = "--backup-storage-url", "--backup-storage-directory"
Values = Mapping[str, Value]


def parse_clusters(file: str, content: Any, outside: Values) -> dict[str, dict[str, Value]]:
    """What each cluster's table sets, by option; what the file sets outside is not in it.

    Args:
        file: its path, for messages.
        content: what stands under `cluster`.
        outside: what the file sets outside of it.

    Raises:
        UsageError: it is no table of tables, or one of them sets what is no setting or has a name
            that cannot be; or a location stands outside.
    """
    for option in LOCATIONS:
        if option in outside:
            _, _, key = outside[option].origin.rpartition(", ")
            raise UsageError(
                f"{file}: {key} stands outside of the clusters' tables, and would be that of all",
                hint=f"put it into the table of its cluster: {TABLE}.NAME.{key}",
            )
    found: dict[str, dict[str, Value]] = {}
    for name, table in _table(file, TABLE, content).items():
        place = f"{TABLE}.{name}"
        _require_name(file, name)
        for key, inner in _table(file, place, table).items():
            _table(file, f"{place}.{key}", inner)
        found[name] = parse_values(file, table, f"{place}.")
    return found


def _table(file: str, place: str, content: Any) -> dict[str, Any]:
    """A table that has something in it."""
    if not isinstance(content, dict):
        what = "an array" if isinstance(content, list) else "a value"
        raise UsageError(f"{file}: {place} is {what}, not a table", hint=_FORM)
    if not content:
        raise UsageError(f"{file}: table {place} is empty", hint=_FORM)
    return cast("dict[str, Any]", content)


_FORM = "a cluster is a table such as [cluster.prod], with keys such as meta_store.url"


def _require_name(file: str, name: str) -> None:
    if re.fullmatch(NAMES, name, re.ASCII) is None:
        raise UsageError(
            f"{file}: {name!r:.60} is no name of a cluster", hint="letters, digits, - and _"
        )
    if re.fullmatch(UUID, name):
        raise UsageError(
            f"{file}: {name} is a cluster's id, and no name", hint="--cluster-id takes ids"
        )


def values_of(file: File, name: str) -> dict[str, Value]:
    """What a file sets for one cluster.

    Raises:
        UsageError: there is none of this name, or two share a directory or a meta store.
    """
    if name not in file.clusters:
        known = ", ".join(file.clusters)
        has = f" in {file.place}, which has {known}" if known else f": {file.place} has none"
        raise unknown(f"no cluster {name!r:.60}{has}", name, file.clusters, _FORM)
    require_apart(file)
    require_no_client_variable(_text(file.clusters[name], "--meta-store"), name)
    return {**file.values, **file.clusters[name]}


def require_sound(file: File) -> None:
    """Refuse a file in which anything is wrong with any cluster.

    Raises:
        UsageError: two share a directory or a meta store, or a variable says where one is.
    """
    require_apart(file)
    for name, values in file.clusters.items():
        require_no_client_variable(_text(values, "--meta-store"), name)


def require_apart(file: File) -> None:
    """Refuse clusters that share a backup directory, or a meta store.

    Raises:
        UsageError: there are such.
    """
    placed = {name: it for name, it in file.clusters.items() if _text(it, URL)}
    places = [(_text(it, URL), _text(it, DIRECTORY) or BACKUP_DIRECTORY) for it in placed.values()]
    if (pair := find_overlap(places)) is not None:
        one, other = (list(placed)[number] for number in pair)
        raise UsageError(
            f"{file.place}: the backup directories of clusters {one} and {other} are one, or one "
            "lies below the other",
            hint=f"see {TABLE}.{one}.storage and {TABLE}.{other}.storage: a directory for each",
        )
    stored = {name: it for name, it in file.clusters.items() if _text(it, "--meta-store")}
    if (pair := find_same_meta_store(_text(it, "--meta-store") for it in stored.values())) is None:
        return
    one, other = (list(stored)[number] for number in pair)
    raise UsageError(
        f"{file.place}: clusters {one} and {other} have one meta store",
        hint=f"see {TABLE}.{one}.meta_store.url and {TABLE}.{other}.meta_store.url",
    )


def _text(values: Values, option: str) -> str:
    found = values.get(option)
    return (found.text or "") if found is not None else ""
