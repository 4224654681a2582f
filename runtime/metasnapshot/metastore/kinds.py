"""What a command must know of the engines before it loads one of them: a row each. All else that
differs from engine to engine stands in `engines`, which needs SQLAlchemy.
"""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """An engine by its URLs.

    Attributes:
        name: as SQLAlchemy's dialect and our documents have it.
        aliases: other schemes that mean it.
        port: the server's, where a URL has none; None for a file.
        places: variables of its own clients that say which server it is.
        password: the variable that has its password; None if there is none.
    """

    name: str
    aliases: tuple[str, ...] = ()
    port: int | None = None
    places: tuple[str, ...] = ()
    password: str | None = None

    @property
    def schemes(self) -> tuple[str, ...]:
        """What its URLs begin with."""
        return (self.name, *self.aliases)


SQLITE = Kind("sqlite")
POSTGRES = Kind(
    "postgresql",
    ("postgres",),
    5432,
    ("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGSERVICE"),
    "PGPASSWORD",
)
MYSQL = Kind("mysql", ("mariadb",), 3306, (), "MYSQL_PWD")
KINDS = {scheme: kind for kind in (SQLITE, POSTGRES, MYSQL) for scheme in kind.schemes}
"""By scheme."""


def kind_of(url: str) -> Kind | None:
    """The engine that a URL names, whatever its driver; None for one that is not known."""
    return KINDS.get(url.partition(":")[0].lower().partition("+")[0])


def client_variables(url: str) -> tuple[tuple[str, ...], str | None]:
    """The variables that a database's own clients read: those that say which server it is, and the
    one that has its password, None if there is none.
    """
    kind = kind_of(url)
    return ((), None) if kind is None else (kind.places, kind.password)
