"""The blocks of a scaffold -> the files of schema/, each block where its place says."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from metasnapshot.errors import StorageError, UsageError
from metasnapshot.scaffold.block import Block
from metasnapshot.scaffold.models import Scaffold
from metasnapshot.scaffold.page import Item, Page

CHECK = "# check: "
FILES = {"ddl": "ddl.yaml", "rules": "rules.yaml"}
"""Files by the first key of a place; all else stands in models.yaml."""
MODELS = "models.yaml"


@dataclass(frozen=True)
class Pasted:
    """What was written: lines by file, and what is left to check, with file and line."""

    lines: dict[str, int]
    checks: tuple[str, ...]


def write(folder: Path, release: str, layout: str, blocks: Sequence[Block]) -> Pasted:
    """Paste the blocks of a release into the files of a registry; all of them or none.

    Args:
        folder: schema/ of a checkout.
        release: the new one.
        layout: the one that it was compared with.
        blocks: what it needs.

    Raises:
        UsageError: the files are not there or not those that the blocks were made for.
        StorageError: they cannot be written.
    """
    pages = {name: _read(folder / name) for name in (MODELS, *FILES.values())}
    paste(pages, release, layout, blocks)
    touched = {page.name: page.touched() for page in pages.values()}
    checks = [
        f"{name}:{number}: {line.partition(CHECK)[2]}"
        for name, lines in touched.items()
        for number, line in lines
        if CHECK in line
    ]
    checks += [
        f"{block.place.removesuffix(' gets')}: {line.removeprefix(CHECK)}"
        for block in blocks
        for line in block.lines
        if line.startswith(CHECK)
    ]
    _replace({folder / name: page.text() for name, page in pages.items() if page.touched()})
    return Pasted({name: len(lines) for name, lines in touched.items() if lines}, tuple(checks))


def paste_scaffold(folder: Path, scaffold: Scaffold) -> Pasted:
    """Paste what makes a release known into schema/ of a checkout. Raises as write."""
    return write(folder, scaffold.release, scaffold.layout, scaffold.blocks)


def paste(pages: dict[str, Page], release: str, layout: str, blocks: Sequence[Block]) -> None:
    """Put the blocks of a release into pages.

    Raises:
        UsageError: a place is not there, or the release is.
    """
    models = pages[MODELS]
    layouts = models.of("layouts")
    axis = [item.name for item in layouts]
    by_layout = {item.name: _releases(item) for item in layouts}
    releases = [name for names in by_layout.values() for name in names]
    if release in releases:
        raise UsageError(
            f"{models.name} has {release} already", hint="`git checkout schema/` takes it back"
        )
    if layout not in axis:
        raise UsageError(f"{models.name} has no layout {layout}", hint="is it another registry?")
    before = by_layout[layout][-1]
    for block in blocks:
        key, _, where = block.place.partition(": ")
        top = key.partition(".")[0]
        page = pages[FILES.get(top, MODELS)]
        is_by_layout = page is models and top != "migrations"
        time = (axis, layout) if is_by_layout else (releases, before)
        _paste(page, key.removeprefix("ddl."), where, block, time)


def _paste(page: Page, key: str, where: str, block: Block, time: tuple[Sequence[str], str]) -> None:
    lines = [line for line in block.lines if not line.startswith("#")]
    if where.endswith(" gets"):
        found = _alive(page, key, where.removesuffix(" gets"), time)
        ended = [item for item in found if item.fields.get("until") == time[1]]
        for item in ended or found:  # what ends with the release before goes on, or it ends there
            for line in lines:
                page.set_life(item, line)
    elif key.endswith(".releases"):
        (item,) = page.of("layouts", key.split(".", 1)[1].removesuffix(".releases"))
        last = _releases(item)[-1]
        line = page.lines[item.at]
        head, _, tail = line.rpartition(last)
        page.change(item.at, f"{head}{last}, {', '.join(lines)}{tail}")
    elif where == "first":
        page.insert(page.of(key)[0].at - 1, lines)
    elif where == "at the end":
        table, _, part = key.rpartition(".")
        if table and not page.has(key):
            lines = [f"  {part}:", *lines]
            key = table
        page.insert(page.end_of(key), lines)
    else:
        name = where.removeprefix("after ")
        if key == "models":
            page.insert(page.end_of(f"models.{name}"), lines)
        else:
            page.insert(_alive(page, key, name, time)[-1].at, lines)


def _alive(page: Page, key: str, name: str, time: tuple[Sequence[str], str]) -> list[Item]:
    """The items of a name that are there at a time: one, or one for each engine."""
    items = page.of(key, name)
    return [item for item in items if item.is_alive(*time)] or items[-1:]


def _releases(item: Item) -> list[str]:
    return item.fields["releases"].strip("[]").replace(" ", "").split(",")


def _read(path: Path) -> Page:
    try:
        return Page(path.name, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"cannot read {path}: {getattr(error, 'strerror', None) or error}",
            hint="--write takes the folder schema/ of a checkout",
        ) from error


def _replace(texts: dict[Path, str]) -> None:
    """Write files, each at once, after all of them could be written beside."""
    beside: dict[Path, Path] = {}
    try:
        for path, text in texts.items():
            new = path.with_name(f".{path.name}.new")
            new.write_text(text, encoding="utf-8")
            beside[path] = new
            shutil.copymode(path, new)
        for path, new in beside.items():
            new.replace(path)
    except OSError as error:
        raise StorageError(f"cannot write {error.filename}: {error.strerror}") from error
    finally:
        for new in beside.values():
            new.unlink(missing_ok=True)
