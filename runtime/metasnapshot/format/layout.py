"""Which layout is a snapshot or a meta store in? The set of migrations that it names decides.

Several layouts can share a set ({2.5.0, 2.5.2}, {2.7.0, 2.7.1}: tables that snapshots forgot at
first); for a file the number of its sections tells them apart, where it can, for a meta store only
who knows its release. A set that no release
has is read as the largest known set that it contains, and said to be so. Never by the last or the
greatest name: at 2.2.0 the last applied is not the greatest.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from metasnapshot.errors import UnknownFormat, UsageError
from metasnapshot.format.rules import is_any, known_release
from metasnapshot_models.definitions import Layout, Shape
from metasnapshot_models.layouts import LAYOUTS, RELEASES

HUMMOCK_VERSION = "hummock_version"
"""The section that is no table, always the second."""
MIGRATIONS_SECTION = "seaql_migrations"
CLUSTERS_SECTION = "clusters"


class Candidates(msgspec.Struct, frozen=True):
    """The layouts that a set of migrations allows, by falling number of sections.

    Attributes:
        layouts: at least one.
        releases: the releases that have exactly this set, or the largest known subset, oldest
            first.
        exact: whether the set is a release's own.
        unknown: the migrations beyond it, if it is not.
    """

    layouts: tuple[Layout, ...]
    releases: tuple[str, ...]
    exact: bool
    unknown: tuple[str, ...] = ()

    @property
    def only_release(self) -> str | None:
        """The release, where the migrations leave no doubt; a branch without a tag is none."""
        only = self.exact and len(self.releases) == 1 and self.releases[0][0].isdigit()
        return self.releases[0] if only else None

    def release(self, named: str | None) -> str | None:
        """The one of the releases that a name means: its own, or of the registry's the last that is
        not younger; None if that is none of them.
        """
        try:
            known = known_release(named) if named is not None else None
        except UsageError:
            return None
        return known if known in self.releases else None

    def layout(self, named: str | None = None) -> Layout:
        """The layout of a release; the longest if the name means none of them."""
        release = self.release(named)
        return self.layouts[0] if release is None else LAYOUTS[RELEASES[release].layout]

    @property
    def kinds(self) -> list[Layout]:
        """Of the layouts the first of each whose snapshots look alike."""
        found: list[Layout] = []
        for layout in self.layouts:
            if all(sections_of(layout) != sections_of(other) for other in found):
                found.append(layout)
        return found

    def doubt(self, named: str | None = None) -> str | None:
        """What is not certain of a snapshot in that layout, in words; None if the name decides, or
        nothing hangs on it.
        """
        taken, *others = self.kinds
        if not others or self.release(named) is not None:
            return None
        groups = [", ".join(self.releases_of(item)) for item in (*reversed(others), taken)]
        known = {section for item in others for section, _ in item.sections}
        beyond = ", ".join(section for section, _ in taken.sections if section not in known)
        return (
            f"the migrations of {' and of '.join(groups)} are the same, their snapshots are not: "
            f"this is one of {self.releases_of(taken)[0]}"
            f"{f', with {beyond}' if beyond else ''}; --rw-version says which release it is"
        )

    def releases_of(self, layout: Layout) -> tuple[str, ...]:
        """The releases whose snapshots look as this layout's do."""
        return tuple(
            name
            for name in self.releases
            if sections_of(LAYOUTS[RELEASES[name].layout]) == sections_of(layout)
        )


def candidates(migrations: Iterable[str]) -> Candidates:
    """Find the layouts of a set of migrations.

    Raises:
        UnknownFormat: no known release has a subset of them.
    """
    found = frozenset(migrations)
    releases = [release for release in RELEASES.values() if release.migrations == found]
    unknown: frozenset[str] = frozenset()
    if not releases:
        contained = [item.migrations for item in RELEASES.values() if item.migrations <= found]
        if not contained:
            raise UnknownFormat(
                f"no known release has a subset of these {len(found)} migrations: "
                f"{', '.join(sorted(found)[:3]) or 'none'}",
                hint="is this a RisingWave meta store or snapshot?",
            )
        best = max(contained, key=len)
        releases = [release for release in RELEASES.values() if release.migrations == best]
        unknown = found - best
    names = dict.fromkeys(release.layout for release in releases)
    layouts = sorted((LAYOUTS[name] for name in names), key=lambda item: -len(item.sections))
    return Candidates(
        tuple(layouts),
        tuple(release.name for release in releases),
        not unknown,
        tuple(sorted(unknown)),
    )


def section_names(layout: Layout) -> tuple[str, ...]:
    """All sections of a V2 snapshot in their order, hummock_version second."""
    names = [section for section, _ in layout.sections]
    return (names[0], HUMMOCK_VERSION, *names[1:])


def shape_of(layout: Layout, model: str) -> Shape:
    """The columns of a model in a layout."""
    from metasnapshot_models.codecs import CODECS  # noqa: PLC0415 - only for who reads rows

    return CODECS[model].shapes[layout.shapes[model]]


def has_long_rows(layout: Layout) -> bool:
    """Whether a release of a layout reads rows with a u64 length."""
    return is_any("long_rows", layout.releases)


def model_of(layout: Layout, section: str) -> str:
    """The model of a section's rows.

    Raises:
        UnknownFormat: the layout has no such section.
    """
    for name, model in layout.sections:
        if name == section:
            return model
    raise UnknownFormat(
        f"layout {layout.name} has no section {section}",
        hint=f"it has {', '.join(section_names(layout))}",
    )


def sections_of(layout: Layout) -> tuple[tuple[str, Shape], ...]:
    """What a snapshot of a layout looks like; equal for layouts whose snapshots look the same."""
    return tuple((section, shape_of(layout, model)) for section, model in layout.sections)
