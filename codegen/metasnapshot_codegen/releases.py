"""The registry -> docs/releases.md: what each release is, in words."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import jinja2

from metasnapshot_codegen.history import History, LayoutState
from metasnapshot_codegen.messages import Messages
from metasnapshot_codegen.readers import readers
from metasnapshot_codegen.v1 import V1

PAGE = "releases.md"
WIDTH = 120
REASONS = {
    "runtime": "state of the running processes",
    "derived": "rebuilt from other data",
    "replayed": "folded into hummock_version",
    "dead": "left behind by a migration",
    "missed": "forgotten upstream, so that a restore loses the rows",
}
"""Why a table or column is left out."""


def render(history: History, messages: Messages, v1: V1 | None) -> dict[str, str]:
    """The text of the page by its name."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("metasnapshot_codegen"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - the output is Markdown, not HTML
    )
    environment.filters["wrap"] = wrap
    layouts = [_view(layout, history, messages) for layout in history.layouts]
    text = environment.get_template("releases.md.j2").render(
        layouts=layouts,
        releases=[
            (release, layout.name, len(history.migrations[release]))
            for layout in history.layouts
            for release in layout.releases
        ],
        v1=[(item.name, item.releases, _members(v1, at)) for at, item in enumerate(v1.layouts)]
        if v1
        else [],
    )
    return {PAGE: text}


def wrap(text: str, hang: str = "  ") -> str:
    """A paragraph or an item of a list as lines of the page."""
    lines = textwrap.wrap(
        text, WIDTH, subsequent_indent=hang, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(lines)


def _members(v1: V1, at: int) -> str:
    return ", ".join(member.name for member in v1.members_of(at))


def _view(layout: LayoutState, history: History, messages: Messages) -> dict[str, object]:
    """One layout, ready for the template."""
    in_section = [layout.tables[model] for _, model in layout.sections]
    found = list(readers(layout, history, messages))
    whole = [item.layout for item in found if not item.unread]
    return {
        "name": layout.name,
        "releases": ", ".join(layout.releases),
        "form": layout.form,
        "tables": ", ".join(sorted(in_section)),
        "count": len(in_section),
        "left_out": list(_left_out(layout).items()),
        "whole": _releases(whole),
        "parts": [
            (_releases([item.layout]), ", ".join(item.unread)) for item in found if item.unread
        ],
    }


def _left_out(layout: LayoutState) -> dict[str, str]:
    """What snapshots leave out by the reason, in words."""
    found: dict[str, list[str]] = {}
    for table, reason in layout.excluded_tables.items():
        found.setdefault(REASONS[reason], []).append(table)
    for (table, column), reason in layout.excluded_columns.items():
        found.setdefault(REASONS[reason], []).append(f"{table}.{column}")
    return {reason: ", ".join(sorted(names)) for reason, names in found.items()}


def _releases(layouts: Sequence[LayoutState]) -> str:
    return ", ".join(release for layout in layouts for release in layout.releases)
