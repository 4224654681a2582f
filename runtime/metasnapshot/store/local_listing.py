"""What lies in a local directory, as a store lists it: regular files, by path. What begins with a
dot is ours, and is left out.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from metasnapshot.store.port import Names, ObjectHead, sorted_names


def walk(root: Path, directory: str, wanted: str) -> Iterator[ObjectHead]:
    """Files below a directory whose path starts with what is wanted, by path; ours are left out.

    Holds the names of one directory at a time.
    """
    try:
        with os.scandir(root / directory) as entries:
            names = sorted(_sort_name(entry) for entry in entries if entry.name[0] != ".")
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        path = f"{directory}/{name}" if directory else name
        if name.endswith("/"):
            if path.startswith(wanted) or wanted.startswith(path):
                yield from walk(root, path.removesuffix("/"), wanted)
        elif path.startswith(wanted) and (head := head_of(root / path, path)) is not None:
            yield head


def names_in(place: Path, directory: str) -> Names:
    """What lies in a directory; ours is left out."""
    above = f"{directory}/" if directory else ""
    objects: list[ObjectHead] = []
    directories: list[str] = []
    try:
        with os.scandir(place) as entries:
            for entry in entries:
                path = f"{above}{entry.name}"
                if entry.name[0] == ".":
                    continue
                if entry.is_dir(follow_symlinks=False):
                    directories.append(path)
                elif (head := head_of(place / entry.name, path)) is not None:
                    objects.append(head)
    except (FileNotFoundError, NotADirectoryError):
        return Names()
    return sorted_names(objects, directories)


def _sort_name(entry: os.DirEntry[str]) -> str:
    """A directory sorts as the paths in it do; a link to one is none: it may lead in circles."""
    return f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name


def head_of(target: Path, path: str) -> ObjectHead | None:
    """A file's size and time; None if there is none, or somebody just deleted it."""
    try:
        found = target.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link that leads in circles, to no file
            return None
        raise
    if not stat.S_ISREG(found.st_mode):
        return None
    return ObjectHead(path, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))
