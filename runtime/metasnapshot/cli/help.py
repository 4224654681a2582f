"""How `--help` looks: a line an option, its help beside it or below; nothing is broken within a
word, at any width. Settings show their variable and their default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metasnapshot.cli.settings import setting_of

if TYPE_CHECKING:
    from cyclopts.help import HelpEntry, HelpPanel
    from rich.console import Console, ConsoleOptions

WIDTH_MAX = 100
"""Longer lines are hard to read."""
WIDTH_MIN = 40
INDENT = 2
COLUMN = 32
"""Where the help of an option begins."""


class HelpFormatter:
    """cyclopts' port for help."""

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """A panel: its title, and its entries."""
        if not panel.entries:
            return
        _print(console, f"{panel.title}:", style="bold")
        width = _width(options)
        column = COLUMN
        if panel.format == "command":
            column = 2 * INDENT + max(len(_label(entry)) for entry in panel.entries)
        for entry in panel.entries:
            for line in _lines(_label(entry), _said(entry), column, width):
                _print(console, line)
        _print(console)

    def render_usage(self, console: Console, options: ConsoleOptions, usage: Any) -> None:
        """The usage line, continued under its first word."""
        words = f"Usage: {_plain(usage).removeprefix('Usage: ')}"
        _print(console, _fill(words, _width(options), " " * 7))
        _print(console)

    def render_description(self, console: Console, options: ConsoleOptions, said: Any) -> None:
        """What a verb does; an example, which begins with `$`, stays as it is."""
        text = _plain(said)
        if not text:
            return
        for paragraph in text.split("\n\n"):
            is_example = paragraph.lstrip().startswith("$")
            shown = _indented(paragraph) if is_example else _fill(paragraph, _width(options))
            _print(console, shown)
            _print(console)


def _width(options: ConsoleOptions) -> int:
    return max(WIDTH_MIN, min(options.max_width, WIDTH_MAX))


def _print(console: Console, words: str = "", style: str = "") -> None:
    from rich.text import Text  # noqa: PLC0415 - only for who asks for help

    console.print(Text(words, style=style), soft_wrap=True, highlight=False, markup=False)


def _plain(text: Any) -> str:
    """The words of what cyclopts made of a text."""
    return str(getattr(getattr(text, "primary_renderable", text), "plain", text)).strip()


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" if line.strip() else line for line in text.split("\n"))


def _fill(text: str, width: int, indent: str = "") -> str:
    """Lines of whole words, each but the first indented."""
    import textwrap  # noqa: PLC0415 - only for who asks for help

    return textwrap.fill(
        " ".join(text.split()),
        width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _label(entry: HelpEntry) -> str:
    return ", ".join(entry.display_labels_with_metavar)


def _said(entry: HelpEntry) -> str:
    """The help of an entry, and what else there is to know of it."""
    text = _plain(entry.description or "")
    said = [text[:1].upper() + text[1:]]
    if entry.choices:
        said.append(f"[{'|'.join(entry.choices)}]")
    setting = next(filter(None, map(setting_of, entry.positive_names)), None)
    default = setting.default if setting and setting.default else entry.default
    if default is not None and str(default) not in ("", "False"):
        said.append(f"[default: {default}]")
    if setting is not None:
        said.append(f"[{setting.variable}]")
    if entry.required:
        said.append("[required]")
    return " ".join(filter(None, said))


def _lines(label: str, said: str, column: int, width: int) -> list[str]:
    """The label, and its help beside it from a column on; below it, if the label is too long."""
    column = min(column, width // 2)
    said = _fill(said, width - column)
    lines = [f"{' ' * column}{line}" for line in said.splitlines()] or [""]
    head = f"{' ' * INDENT}{label}"
    if len(head) + INDENT > column:
        return [head, *lines] if said else [head]
    return [f"{head:<{column}}{lines[0][column:]}", *lines[1:]]
