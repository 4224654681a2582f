"""A meta store on a server. What each engine says to its server stands in engines.

Each transaction has a connection of its own. A reading one is a consistent cut (REPEATABLE READ,
read only) with cursors on the server's side; a writing one takes a lock that keeps a second restore
out and holds foreign keys to the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa
from sqlalchemy import exc

from metasnapshot.errors import DatabaseError, MetasnapshotError, UsageError
from metasnapshot.metastore.results import closing_results
from metasnapshot.metastore.session import Session, keep

CONNECT_TIMEOUT_S = 10
UNREACHABLE_HINT = "is the server up, and is its address right?"
TLS_HINT = "check sslmode, ssl-ca, ssl-cert and ssl-key (docs/meta-stores.md)"
MISSING_HINT = "create the database, then `metasnapshot create-schema` makes its tables"
OPTION_HINT = "check the options of the database URL (docs/meta-stores.md)"
DENIED_HINT = "check user and password (docs/meta-stores.md)"


class Reason(NamedTuple):
    """Why a server refused: the error that it comes to, in its own words, and a hint."""

    kind: type[MetasnapshotError]
    text: str
    hint: str = ""


class ServerEngine(Protocol):
    """What an engine says to its server."""

    @property
    def name(self) -> str:
        """See Engine."""
        ...

    @property
    def extra(self) -> str:
        """The extra of this package that installs its driver."""
        ...

    def arguments(self, url: sa.URL) -> tuple[sa.URL, dict[str, Any]]:
        """See Engine."""
        ...

    def session_arguments(self, session: Session) -> dict[str, Any]:
        """What the driver is told beside, for a session of ours."""
        ...

    def reading(self, connection: sa.Connection) -> AbstractContextManager[None]:
        """A transaction that is a consistent cut, of tables that nobody changes meanwhile.

        Raises:
            ConflictError: somebody else has one locked for too long.
        """
        ...

    def writing(self, connection: sa.Connection) -> AbstractContextManager[None]:
        """A transaction that keeps other restores out; foreign keys hold at its end.

        Raises:
            ConflictError: another restore is at work, or somebody else has a table locked.
        """
        ...

    def drilling(self, connection: sa.Connection) -> AbstractContextManager[None]:
        """A transaction that keeps other drills out, and nobody else.

        Raises:
            ConflictError: another drill is at work.
        """
        ...

    def reason(self, error: Any, *, is_unreachable: bool) -> Reason:
        """What a driver's error comes to. No value of a row is repeated: it may be a secret."""
        ...

    def driver_reason(self, error: Exception) -> Reason:
        """The same of what a driver raises while it connects that is no error of databases."""
        ...


class ServerStore:
    """A meta store on a server."""

    def __init__(self, url: sa.URL, server: ServerEngine, lock_wait_s: float) -> None:
        """Prepare to connect; nothing is sent yet.

        Raises:
            UsageError: the driver is not installed, or an option is wrong.
        """
        self.url = shown(url)
        self._server = server
        self._session = Session(self.url, lock_wait_s)
        try:
            plain, arguments = server.arguments(url)
            self._engine = sa.create_engine(
                plain,
                connect_args={
                    "connect_timeout": CONNECT_TIMEOUT_S,
                    **arguments,
                    **server.session_arguments(self._session),
                },
                poolclass=sa.NullPool,
                hide_parameters=True,
            )
        except ImportError as error:
            raise UsageError(
                f"no driver for {server.name}: {error}",
                hint=f"install metasnapshot[{server.extra}]",
            ) from error
        except exc.ArgumentError as error:
            raise UsageError(f"{self.url}: {error}", hint=OPTION_HINT) from error

    def close(self) -> None:
        """Let go of everything."""
        self._engine.dispose()

    @contextmanager
    def read_transaction(
        self,
        *,
        is_brief: bool = False,  # noqa: ARG002 - readers of a server block nobody
    ) -> Generator[sa.Connection]:
        """See MetaStore."""
        with self._connection(self._server.reading) as connection:
            yield connection.execution_options(stream_results=True)

    @contextmanager
    def write_transaction(self) -> Generator[sa.Connection]:
        """See MetaStore."""
        with self._connection(self._server.writing) as connection:
            yield connection

    @contextmanager
    def drilling(self) -> Generator[None]:
        """See MetaStore."""
        with self._connection(self._server.drilling):
            yield

    @contextmanager
    def _connection(
        self, transaction: Callable[[sa.Connection], AbstractContextManager[None]]
    ) -> Generator[sa.Connection]:
        """One connection and one transaction, with the driver's errors translated."""
        try:
            with ExitStack() as stack:
                connection = stack.enter_context(self._connect())
                keep(connection, self._session)
                stack.enter_context(transaction(connection))
                stack.enter_context(closing_results(connection))
                try:
                    yield connection
                except self._engine.dialect.loaded_dbapi.Error:
                    connection.invalidate()  # it may be gone: a rollback would fail, and tell less
                    raise
        except exc.DBAPIError as error:
            is_unreachable = error.connection_invalidated or error.statement is None
            raise self._translate(error.orig, is_unreachable=is_unreachable) from error
        except self._engine.dialect.loaded_dbapi.Error as error:  # of a load, past SQLAlchemy
            raise self._translate(error, is_unreachable=False) from error

    def _connect(self) -> sa.Connection:
        """Connect. What a driver raises that is no error of databases, it raises of what it was
        told: of options, names and files.
        """
        try:
            return self._engine.connect()
        except exc.SQLAlchemyError:
            raise
        except OSError as error:  # PyMySQL opens the files of TLS before it connects
            raise DatabaseError(f"{self.url}: {error}", hint=TLS_HINT) from error
        except UnicodeError as error:  # its text repeats what it is about: it may be a password
            what = type(error).__name__
            raise UsageError(
                f"{self.url}: the driver cannot use the host, user or password: {what}",
                hint="is the host name valid, with parts of 1 to 63 characters?",
            ) from error
        except Exception as error:
            kind, text, hint = self._server.driver_reason(error)
            raise kind(f"{self.url}: {text}", hint=hint) from error

    def _translate(self, error: Any, *, is_unreachable: bool) -> MetasnapshotError:
        kind, text, hint = self._server.reason(error, is_unreachable=is_unreachable)
        return kind(f"{self.url}: {text}", hint=hint)


def shown(url: sa.URL) -> str:
    """The URL for messages: host and database, without user's password and options."""
    plain = sa.URL.create(
        url.get_backend_name(),
        username=url.username,
        host=url.host,
        port=url.port,
        database=url.database,
    )
    return plain.render_as_string()
