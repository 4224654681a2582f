"""connectors.yaml -> plain data: the keys of properties whose values can be shown, by connector. A
package that shows none does without the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from metasnapshot_codegen import source
from metasnapshot_codegen.source import Collector, Value


@dataclass(frozen=True)
class Connectors:
    """All of connectors.yaml."""

    common: tuple[str, ...]
    connectors: dict[str, tuple[str, ...]]


def read(path: Path) -> Connectors | None:
    """Read connectors.yaml; None if there is none.

    Raises:
        SchemaError: it has mistakes, all of them.
    """
    if not path.exists():
        return None
    found = source.load(path).record(["common", "connectors"])
    collector = Collector()
    common: tuple[str, ...] = ()
    with collector:
        common = _keys(found["common"], collector)
    by_name: dict[str, tuple[str, ...]] = {}
    with collector:
        for name, value in found["connectors"].fields().items():
            with collector.guard(value):
                by_name[name] = _keys(value, collector)
    collector.raise_any()
    return Connectors(common, by_name)


def _keys(value: Value, collector: Collector) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for guard in collector.items(value):
        with guard as item:
            key = item.word()
            if key != key.lower():
                raise item.fail(f"found `{key}`, expected it in lower case")
            if key in found:
                raise item.fail(f"found `{key}` twice, expected it once")
            found[key] = None
    return tuple(sorted(found))
