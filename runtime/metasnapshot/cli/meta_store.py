"""The meta store's options, and how they open it. Apart from the other options, for the verbs that
need no database load no driver.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.argument import Token

from metasnapshot import MetaStore
from metasnapshot.cli.options import given
from metasnapshot.cli.parameters import duration
from metasnapshot.cli.settings import META_STORE_LOCK_WAIT, PASSWORD_VARIABLE
from metasnapshot.errors import UsageError


@dataclass(frozen=True)
class OptionalMetaStore:
    """The meta store, where a verb can do without.

    Attributes:
        meta_store: meta store: sqlite:///relative.db, sqlite:////absolute.db,
            postgresql://user@host/db or mysql://user@host/db.
        meta_store_password_file: file with its password; or METASNAPSHOT_META_STORE_PASSWORD,
            or as libpq has it.
        meta_store_lock_wait: how long to wait for a table that another session has locked,
            such as 5m.
    """

    meta_store: str | None = None
    meta_store_password_file: Path | None = None
    meta_store_lock_wait: str = META_STORE_LOCK_WAIT

    def place(self) -> MetaStore:
        """It, not connected to yet.

        Raises:
            UsageError: it is not given.
        """
        url = given(self.meta_store, "--meta-store")
        password = meta_store_password(self.meta_store_password_file)
        return MetaStore(url, password, duration(self.meta_store_lock_wait).total_seconds())


@dataclass(frozen=True)
class MetaStoreAt(OptionalMetaStore):
    """The meta store."""

    meta_store: str = field()


class Typed(str):
    """A value that stands on the command line, not in the environment or the file."""

    __slots__ = ()


def _meta_store(_: Any, tokens: Sequence[Token]) -> str:
    """Tell a meta store that is asked for from one that is only configured."""
    return Typed(tokens[0].value) if tokens[0].source == "cli" else tokens[0].value


@dataclass(frozen=True)
class ComparedStore(OptionalMetaStore):
    """The meta store that a snapshot is compared with.

    Attributes:
        meta_store: meta store to compare with, if only one id is given.
    """

    meta_store: Annotated[str | None, Parameter(converter=_meta_store)] = None


NOWHERE = OptionalMetaStore()
"""No meta store is given."""


def meta_store_password(file: Path | None) -> str | None:
    """The password of the meta store, if a file or the environment has one.

    Raises:
        UsageError: the file cannot be read.
    """
    if file is None:
        return os.environ.get(PASSWORD_VARIABLE)
    try:
        return file.read_text(encoding="utf-8-sig").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the password file {file}: {error}") from error
