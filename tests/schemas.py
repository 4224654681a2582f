"""JSON schemas of what verbs print: which one a command line means, and what may become of them.

`python tests/schemas.py` records them in tests/cli/schemas-recorded.json, from which CI knows what
scripts may rely on. It refuses where a recorded key is gone or has another type.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

import metasnapshot

FOLDER = Path(metasnapshot.__file__).parent / "schemas"
RECORDED = Path(__file__).parent / "cli" / "schemas-recorded.json"
ALL = "all-clusters"
"""The schema of one line for several clusters, whichever the verb is."""
PAIRS = ("storage test", "config show")
Schema = Mapping[str, Any]


def schemas() -> dict[str, Any]:
    """The schema of each verb, by the name of its file."""
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(FOLDER.glob("*.json"))
    }


def closed(schema: Any) -> Any:
    """The schema with no key beside those that it names, where it names any."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(item) for key, item in schema.items()}
    is_object = "properties" in found and found.get("type") == "object"
    return found | {"additionalProperties": False} if is_object else found


@cache
def validators(verb: str) -> dict[str, Draft202012Validator]:
    """A validator of each form of a verb's document, which takes no key that is not named."""
    schema = closed(schemas()[verb])
    return {
        form: Draft202012Validator(
            {"$ref": f"#/$defs/{form}", "$defs": schema["$defs"]}, format_checker=FormatChecker()
        )
        for form in forms(schema)
    }


def forms(schema: Schema) -> list[str]:
    """Names of the documents that a verb may print."""
    return [item["$ref"].removeprefix("#/$defs/") for item in schema["anyOf"]]


def verb_of(words: Sequence[str]) -> str | None:
    """The schema that a command line means; None if it prints no JSON, or is not ours to judge."""
    verb = "-".join(words[:2]) if " ".join(words[:2]) in PAIRS else "".join(words[:1])
    prints_json = {
        "cat": True,
        "watch": "--log" in words and "json" in words,
        "export": "--json" in words or ("jsonl" in words and "--to" not in words),
    }.get(verb, "--json" in words and "--nagios" not in words)
    if prints_json and "--all-clusters" in words and verb != "watch":
        return ALL
    return verb if prints_json and (FOLDER / f"{verb}.json").exists() else None


def matched(verb: str, document: Any) -> str:
    """The form that a document has.

    Raises:
        AssertionError: it has none; the message says what each form finds wrong.
    """
    wrong: dict[str, str] = {}
    for form, validator in validators(verb).items():
        errors = [
            f"{item.json_path}: {item.message:.200}" for item in validator.iter_errors(document)
        ]
        if not errors:
            return form
        wrong[form] = "; ".join(errors[:3])
    raise AssertionError(f"{verb} --json is not as its schema says: {wrong}")


def check_output(words: Sequence[str], out: str) -> set[str]:
    """The forms of the lines that a command printed, if it is one that prints JSON."""
    verb = verb_of(words)
    if verb is None:
        return set()
    return {matched(verb, json.loads(line)) for line in out.split("\n") if line}


def types(schema: Schema) -> set[str] | None:
    """Types that a value may have; None if any. An integer is a number."""
    if "anyOf" in schema:
        parts = [types(item) for item in schema["anyOf"]]
        return None if None in parts else set().union(*(part for part in parts if part))
    if "$ref" in schema:
        return {schema["$ref"]}
    found = schema.get("type")
    if found is None:
        return None
    return {found} if isinstance(found, str) else set(found)


def broken(old: Any, new: Any, place: str) -> Iterator[str]:
    """Where a document of the new schema is none of the old one: keys gone, or of other types."""
    before, after = types(old), types(new)
    if before is not None and (after is None or not after <= before):
        yield f"{place}: was {sorted(before)}, is {sorted(after) if after else 'anything'}"
        return
    yield from lost(old.get("properties", {}), new.get("properties", {}), place)
    for key in old.get("required", ()):
        if key in new.get("properties", {}) and key not in new.get("required", ()):
            yield f"{place}.{key}: not always there"
    for part in ("items", "additionalProperties"):
        if part in old:
            yield from broken(old[part], new.get(part, {}), f"{place}[]")
    for one, other in zip(old.get("anyOf", ()), new.get("anyOf", ()), strict=False):
        yield from broken(one, other, place)


def lost(old: Schema, new: Schema, place: str) -> Iterator[str]:
    """The same of keys that are named."""
    for key, item in old.items():
        if key in new:
            yield from broken(item, new[key], f"{place}.{key}")
        else:
            yield f"{place}.{key}: gone"


def breaks(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The same of the schemas of all verbs."""
    found = [f"{verb}: gone" for verb in old if verb not in new]
    for verb in old.keys() & new.keys():
        before, after = old[verb], new[verb]
        found += lost(before["$defs"], after["$defs"], verb)
        found += [f"{verb}: no {form}" for form in forms(before) if form not in forms(after)]
    return sorted(found)


def main() -> int:
    """Record the schemas."""
    recorded = json.loads(RECORDED.read_text(encoding="utf-8")) if RECORDED.exists() else {}
    found = breaks(recorded, schemas())
    for text in found:
        print(text, file=sys.stderr)
    if not found:
        lines = [f"{json.dumps(verb)}: {json.dumps(item)}" for verb, item in schemas().items()]
        RECORDED.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
