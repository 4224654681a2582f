"""What schema/rules.yaml says of a release that it does not have yet: the same as of the release
before, which no database shows to be true.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from metasnapshot.format.rules import rules_at
from metasnapshot.scaffold.block import Block
from metasnapshot_models.layouts import RELEASES
from metasnapshot_models.rules import RULES

HEAD = """\
# schema/rules.yaml: {release} as {before}; check each rule in RisingWave's code.
# has: {has}
# has not: {lacks}
# One that it has no more gets `until: {before}`; one that it has, at the end of rules:
# - {{rule: NAME, {life}}}"""


def head(release: str, before: str, life: str) -> list[str]:
    """What the release is taken to have, to be checked."""
    known = rules_at(before)
    names = dict.fromkeys(rule.name for rule in RULES)
    has = ", ".join(name for name in names if name in known)
    lacks = ", ".join(name for name in names if name not in known)
    text = HEAD.format(release=release, before=before, has=has, lacks=lacks, life=life)
    return [
        part
        for line in text.splitlines()
        for part in textwrap.wrap(line, 100, subsequent_indent="#   ", break_on_hyphens=False)
    ]


def blocks(release: str, before: str) -> Iterator[Block]:
    """Rules that end with the release before, and so would not be those of a release between it
    and the next; none for the newest release.
    """
    if list(RELEASES)[-1] != before:
        for rule in RULES:
            if rule.until == before:
                yield Block(f"rules: {rule.name} gets", (f"until: {release}",))
