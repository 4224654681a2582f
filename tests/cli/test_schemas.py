"""runtime/metasnapshot/schemas: a JSON schema of each verb, of which no key goes or changes."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import goldens
import pytest
from contract_page import documented
from data_cluster import write_as_of, write_cluster
from golden_rows import known_rows
from jsonschema import Draft202012Validator
from schemas import ALL, RECORDED, breaks, check_output, forms, matched, schemas, verb_of
from shell import BACKUPS, DIRECTORY, STATE, STORE, TARGET, Shell

from metasnapshot.cli.verbs import find_verbs

RECORDS = ("audit-log", "event")
"""Schemas of what no verb prints."""
EVERY = schemas()
SCHEMAS = {verb: schema for verb, schema in EVERY.items() if verb not in RECORDS}
WITHOUT = {"completion"}
"""Verbs that have no JSON."""
BY_NODE = {"backup": "via_meta", "list": "via_meta", "delete": "via_meta"}
"""Forms that a meta node gives: integration_tests/test_meta_node.py checks them."""
COMMANDS = [
    ("backup", *STORE, *BACKUPS),
    ("backup", *STORE, *BACKUPS),
    ("backup", *STORE, *BACKUPS, "--dry-run"),
    ("list", *BACKUPS),
    ("verify", "--all", *BACKUPS, "--level", "objects", *STATE, *DIRECTORY),
    ("verify", "--all", *BACKUPS, "--if-older-than", "7d"),
    ("show", "9", *BACKUPS),
    ("pins", *BACKUPS),
    ("pins", *BACKUPS, "--missing", *STATE, *DIRECTORY),
    ("diff", "9", "10", *BACKUPS),
    ("diff", "9", *BACKUPS, *STORE),
    ("drill", "9", *BACKUPS),
    ("support", "--to", "bundle.zip", *BACKUPS),
    ("report", "9", *BACKUPS, "--to", "report.html"),
    ("timeline", *BACKUPS),
    ("coverage", *STORE),
    ("coverage", *STORE, "--scaffold", "9.9.0"),
    ("export", "9", *BACKUPS, "--to", "look.db"),
    ("keep", "9", *BACKUPS),
    ("copy", *BACKUPS, "--to", "fs://safe"),
    ("check", *BACKUPS),
    ("expire", *BACKUPS, "--keep-last", "1"),
    ("gc", *BACKUPS),
    ("gc", *BACKUPS, "--objects"),
    ("rebuild-manifest", *BACKUPS),
    ("storage", "test", *BACKUPS),
    ("config", "show"),
    ("create-schema", "--meta-store", "sqlite:///new.db", "--release", "3.0.3"),
    ("create-schema", "--meta-store", "sqlite:///new.db", "--release", "3.0.3", "--print"),
    ("restore", "9", *TARGET, *BACKUPS, *STATE, "--plan"),
    ("restore", "9", *TARGET, *BACKUPS, *STATE),
    ("delete", "10", *BACKUPS, "--yes"),
    ("show", "77", *BACKUPS),
]
LINES = [
    ("cat", "9", "tables", *BACKUPS),
    ("export", "9", *BACKUPS, "--format", "jsonl"),
]
READS = [
    ("tables", "9", *BACKUPS),
    ("epoch", "1003", known_rows("v3.0.3")["epochs"]["E3"], *BACKUPS),
    ("read", "9", "t_rowid", *BACKUPS, *STATE, *DIRECTORY, "--to", "rows.csv"),
    ("read", "9", "--all", *BACKUPS, *STATE, *DIRECTORY, "--format", "csv", "--to", "lake"),
    ("query", "9", "SELECT * FROM t_rowid", *BACKUPS, *STATE, *DIRECTORY, "--to", "asked.csv"),
    ("diff", "--data", "8", "9", "t_scalar", *BACKUPS, *STATE, *DIRECTORY),
]


def properties(schema: Any) -> Iterator[str]:
    """Names of all keys in a schema, but those of a failed command."""
    for part, item in schema.items() if isinstance(schema, dict) else ():
        if part in ("properties", "$defs"):
            for key, value in item.items():
                if part == "properties":
                    yield key
                if key not in ("failed", "error"):
                    yield from properties(value)
        else:
            yield from properties(item)


def test_every_verb_has_a_schema() -> None:
    """Each is a schema of draft 2020-12, and there is none too many."""
    names = set(find_verbs()) - WITHOUT
    pairs = {"storage": "storage-test", "config": "config-show"}
    assert {pairs.get(name, name) for name in names} == set(SCHEMAS) - {ALL}
    for schema in SCHEMAS.values():
        Draft202012Validator.check_schema(schema)
        assert forms(schema)[-1] == "failed"


def test_what_is_shared_is_the_same() -> None:
    """A snapshot, a finding and an error have the same keys in every schema."""
    for name in ("snapshot", "finding", "error", "failed"):
        found = [schema["$defs"][name] for schema in SCHEMAS.values() if name in schema["$defs"]]
        assert len(found) >= 2
        assert all(item == found[0] for item in found)


@pytest.mark.parametrize("verb", list(EVERY))
def test_every_key_is_in_the_contract(verb: str) -> None:
    """docs/contract.md has a word on each key of a schema."""
    name = verb.replace("-", " ") if verb in ("storage-test", "config-show", *RECORDS) else verb
    name = "Several clusters" if verb == ALL else name
    if verb == "watch":  # the guide has it, among the tasks
        guide = (RECORDED.parents[2] / "docs" / "guide.md").read_text(encoding="utf-8")
        assert [key for key in properties(EVERY[verb]) if f"`{key}`" not in guide] == []
        return
    said = documented(name)
    if verb in BY_NODE:
        said |= documented(f"{name} --via-meta")
    if verb == "restore":
        said |= documented("restore --plan")
    assert [key for key in properties(EVERY[verb]) if key not in said] == []


def test_every_verb_prints_what_its_schema_says(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every form of every schema comes out of a real command; no key beside those named does."""
    golden = goldens.copy_backups(goldens.SHIPPED / "v3.0.3", tmp_path / "golden")
    with golden.open(7) as reader:
        goldens.write_objects(reader, Path("state"))
    seen: set[tuple[str, str]] = set()
    for command in [*COMMANDS, *LINES, *READS]:
        if command is READS[0]:
            (tmp_path / "data").mkdir()
            monkeypatch.chdir(tmp_path / "data")
            write_cluster("v3.0.3", Path())
            write_as_of("v3.0.3", Path(), 8, int(known_rows("v3.0.3")["epochs"]["E1"]))
        words = command if command in LINES else (*command, "--json")
        verb = verb_of(words)
        ran = shell.run(*words)
        assert ran.out, (words, ran.err)
        assert verb is not None
        seen |= {(verb, form) for form in check_output(words, ran.out)}
    assert EXPECTED - seen == {("export", "etcd"), ("watch", "round"), (ALL, "clusters")}


EXPECTED = {
    (verb, form)
    for verb, schema in SCHEMAS.items()
    for form in forms(schema)
    if form not in ("failed", BY_NODE.get(verb))
}
"""What the commands print; the forms of etcd, of watch and of several clusters are printed in tests
of their own, and every Shell checks what it prints."""


def test_a_document_that_is_none_is_told() -> None:
    """A key too many, one too few and one of another type are named with their place."""
    sound = {"kept": [9]}
    assert matched("keep", sound) == "kept"
    for document, where in (
        ({"kept": ["9"]}, "$.kept[0]"),
        ({}, "'kept' is a required property"),
        ({"kept": [], "other": 1}, "'other' was unexpected"),
        ({"error": {"kind": "X"}}, "'message' is a required property"),
    ):
        with pytest.raises(AssertionError) as told:
            matched("keep", document)
        assert where in str(told.value)


def test_recorded_keys_stay() -> None:
    """Of what was recorded for scripts nothing is gone and nothing has another type."""
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))
    assert len(recorded) == 32
    assert breaks(recorded, EVERY) == []


Change = Callable[[Any], object]
CHANGES: list[tuple[str, Change, str]] = [
    ("a key is gone", lambda it: it["check"]["$defs"]["checked"]["properties"].pop("ok"), ".ok"),
    ("a verb is gone", lambda it: it.pop("pins"), "pins: gone"),
    ("a form is gone", lambda it: it["diff"]["anyOf"].pop(0), "diff: no change"),
    (
        "a type is another",
        lambda it: it["gc"]["$defs"]["collected"]["properties"]["lost"]["items"].update(
            type="string"
        ),
        "gc.collected.lost[]: was ['integer'], is ['string']",
    ),
    (
        "a key may be null",
        lambda it: it["drill"]["$defs"]["drilled"]["properties"]["rows"].update(
            type=["integer", "null"]
        ),
        "drill.drilled.rows: was ['integer'], is ['integer', 'null']",
    ),
    (
        "a key may be missing",
        lambda it: it["list"]["$defs"]["list"]["required"].remove("manifest_id"),
        "list.list.manifest_id: not always there",
    ),
    (
        "a nested key is gone",
        lambda it: it["restore"]["$defs"]["plan"]["properties"]["checks"]["items"][
            "properties"
        ].pop("reason"),
        "restore.plan.checks[].reason: gone",
    ),
    (
        "another thing is referred to",
        lambda it: it["epoch"]["$defs"]["served"]["properties"].update(
            snapshot={"type": "integer"}
        ),
        "epoch.served.snapshot",
    ),
    (
        "a map has other values",
        lambda it: it["backup"]["$defs"]["backup"]["properties"]["rows"].update(
            additionalProperties={"type": "string"}
        ),
        "backup.backup.rows[]",
    ),
    (
        "a type is no longer said",
        lambda it: it["keep"]["$defs"]["kept"]["properties"].update(kept={}),
        "keep.kept.kept: was ['array'], is anything",
    ),
]


@pytest.mark.parametrize(
    ("change", "told"), [item[1:] for item in CHANGES], ids=[c[0] for c in CHANGES]
)
def test_a_break_is_found(change: Change, told: str) -> None:
    """Whatever makes a script fail that reads the recorded keys is found, with its place."""
    changed = copy.deepcopy(SCHEMAS)
    change(changed)
    found = breaks(SCHEMAS, changed)
    assert any(told in text for text in found), found


def test_additions_are_allowed() -> None:
    """New keys, forms and verbs break nobody, nor does a key that is always there now."""
    changed = copy.deepcopy(SCHEMAS)
    changed["new-verb"] = changed["keep"]
    changed["keep"]["$defs"]["kept"]["properties"]["since"] = {"type": "string"}
    changed["gc"]["$defs"]["other"] = {"type": "object"}
    changed["gc"]["anyOf"].insert(0, {"$ref": "#/$defs/other"})
    changed["pins"]["$defs"]["pins"]["required"].append("missing")
    changed["list"]["$defs"]["list"]["properties"]["snapshots"]["items"]["properties"]["taken_by"][
        "type"
    ] = "string"
    assert breaks(SCHEMAS, changed) == []
