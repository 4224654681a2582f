"""`metasnapshot-codegen`: parse, render, write if different; with --check say what would differ;
--freeze appends.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from metasnapshot_codegen import (
    check,
    connectors,
    ddl,
    ddl_check,
    frozen,
    history,
    messages,
    output,
    parse,
    releases,
    render,
    rules,
    v1,
)
from metasnapshot_codegen.history import History
from metasnapshot_codegen.messages import Messages
from metasnapshot_codegen.registry import Registry
from metasnapshot_codegen.source import Collector, Problem, SchemaError

FROZEN_HEAD = (
    "# What has been released, one line each, with its digest. Only ever appended to, "
    "by `make freeze`;\n"
    "# the generator refuses a registry that says any of it differently.\n"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        0 when all is well, 1 when files are stale or something frozen changed, 2 for mistakes in
        the registry or usage.
    """
    options = _parser().parse_args(arguments)
    if options.base is not None and not options.check:
        print("error: --base needs --check", file=sys.stderr)
        return 2
    try:
        return _run(options)
    except SchemaError as error:
        for problem in error.problems:
            print(f"error: {problem}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="metasnapshot-codegen",
        description="Generate models, SQL tables, codecs and a coverage test from a registry.",
    )
    parser.add_argument("--schema", type=Path, default=Path("schema"), metavar="DIR")
    parser.add_argument("--out", type=Path, default=Path("generated"), metavar="DIR")
    parser.add_argument(
        "--docs", type=Path, metavar="DIR", help="where the page of all releases stands, if at all"
    )
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument(
        "--check", action="store_true", help="write nothing; diff and exit 1 if stale"
    )
    mode.add_argument("--freeze", action="store_true", help="append what is new to frozen.txt")
    parser.add_argument(
        "--base", metavar="REF", help="with --check: frozen.txt at REF must survive"
    )
    return parser


def _run(options: argparse.Namespace) -> int:
    schema: Path = options.schema
    registry, found_messages = _read(schema)
    check.check(registry, found_messages)
    found_ddl = ddl.read(schema / "ddl.yaml", registry.releases)
    if found_ddl is not None:
        ddl_check.check(registry, found_ddl)
    found_v1 = v1.read(schema / "v1.yaml", found_messages)
    found_rules = rules.read(schema / "rules.yaml", registry.releases)
    expanded = history.expand(registry, found_ddl, found_v1, found_rules, found_messages)
    parts = {
        "ddl": found_ddl,
        "v1": found_v1,
        "connectors": connectors.read(schema / "connectors.yaml"),
        "rules": found_rules,
    }
    files = render.render(registry, expanded, found_messages, parts)
    pages = releases.render(expanded, found_messages, found_v1) if options.docs else {}
    places = [(files, options.out), (pages, options.docs or options.out)]
    if not _is_append_only(schema, expanded):
        return 1
    if options.freeze:
        return _freeze(schema, expanded)
    if options.check:
        fresh = _is_fresh(places, options.docs) & _is_frozen(schema, expanded)
        return 0 if fresh & (options.base is None or _keeps_base(schema, options.base)) else 1
    for texts, folder in places:
        for name in output.write(texts, folder):
            print(f"wrote {folder / name}")
    return 0


def _read(schema: Path) -> tuple[Registry, Messages]:
    """Both files; mistakes of both are told in one run."""
    try:
        found_messages = messages.read(schema / "messages.yaml")
    except SchemaError as error:
        collector = Collector()
        with collector:
            parse.read(schema / "models.yaml")
        raise SchemaError([*error.problems, *collector.problems]) from error
    return parse.read(schema / "models.yaml"), found_messages


def _read_frozen(schema: Path) -> str:
    """The text of frozen.txt, empty if nothing was frozen yet."""
    path = schema / "frozen.txt"
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise SchemaError([Problem(str(path), 1, f"cannot be read: {error}")]) from error
    return text if text.endswith("\n") or not text else text + "\n"


def _is_append_only(schema: Path, expanded: History) -> bool:
    """Say what of the frozen lines changed."""
    lines, edits = frozen.parse(_read_frozen(schema), str(schema / "frozen.txt"))
    changes = edits + frozen.changes(lines, expanded)
    for change in changes:
        print(f"error: frozen: {change.text}", file=sys.stderr)
    if edits:
        print("hint: bring frozen.txt back, as with git checkout", file=sys.stderr)
    elif changes:
        print("hint: a released layout never changes; give the new state a since", file=sys.stderr)
    return not changes


def _freeze(schema: Path, expanded: History) -> int:
    text = _read_frozen(schema) or FROZEN_HEAD
    new = frozen.unfrozen(frozen.parse(text, "frozen.txt")[0], expanded)
    output.write({"frozen.txt": text + "".join(f"{line}\n" for line in new)}, schema)
    print(f"froze {len(new)} lines")
    return 0


def _is_fresh(places: Sequence[tuple[Mapping[str, str], Path]], docs: Path | None) -> bool:
    diff = "".join(output.diff(texts, folder) for texts, folder in places)
    if diff:
        print(diff, end="")
        more = f" --docs {docs}" if docs else ""
        print("error: generated files are stale", file=sys.stderr)
        print(f"hint: run metasnapshot-codegen{more}", file=sys.stderr)
    return not diff


def _is_frozen(schema: Path, expanded: History) -> bool:
    new = frozen.unfrozen(frozen.parse(_read_frozen(schema), "frozen.txt")[0], expanded)
    for line in new:
        print(f"error: not frozen yet: {' '.join(line.split(' ', 2)[:2])}", file=sys.stderr)
    if new:
        print("hint: run metasnapshot-codegen --freeze", file=sys.stderr)
    return not new


def _keeps_base(schema: Path, base: str) -> bool:
    """Whether frozen.txt at a git revision stands unchanged at the head of today's."""
    if _git(schema, "cat-file", "-e", f"{base}^{{commit}}").returncode:
        raise SchemaError([Problem(str(schema / "frozen.txt"), 1, f"git knows no commit {base}")])
    shown = _git(schema, "show", f"{base}:./frozen.txt")  # fails where the commit has none yet
    changes = frozen.rewritten(shown.stdout, _read_frozen(schema))
    for change in changes:
        print(f"error: frozen.txt since {base}: {change.text}", file=sys.stderr)
    return not changes


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["git", "-C", str(folder), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError as error:
        problem = Problem(str(folder), 1, f"git cannot be run: {error.strerror}")
        raise SchemaError([problem]) from error
