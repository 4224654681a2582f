"""Real servers for tests: PostgreSQL and MariaDB on loopback, in a temporary directory.

They run as any user; whoever is root runs them as the user that Debian's packages made.
Each starts with a password, is waited for, and is gone with its directory after the block.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import certificates
import pymysql
import sqlalchemy as sa
from sqlalchemy import exc

PASSWORD = "p@ss w/ord:1"
"""With every character that has to be escaped in a URL."""
USER = "metasnapshot"
START_S = 600.0
STOP_S = 300.0


class ServerMissing(Exception):
    """The server's programs are not installed."""


class Server:
    """A running server: makes databases and knows their URLs."""

    def __init__(self, engine: str, port: int) -> None:
        self.engine = engine
        self.port = port

    def url(self, database: str, password: str = PASSWORD) -> str:
        """The URL of a database, as a user types it."""
        url = sa.URL.create(self.engine, USER, password, "127.0.0.1", self.port, database)
        return url.render_as_string(hide_password=False)

    def admin(self, database: str) -> sa.Engine:
        """An engine of the tests' own, beside the one under test."""
        driver = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}[self.engine]
        url = sa.make_url(self.url(database)).set(drivername=driver)
        return sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")

    def create(self, database: str, script: str = "") -> str:
        """Make a database out of a script of RisingWave's own schema or rows; returns its URL."""
        root = "postgres" if self.engine == "postgresql" else "mysql"
        with self.admin(root).connect() as connection:
            quote = connection.dialect.identifier_preparer.quote_identifier
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {quote(database)}")
            extra = "" if root == "postgres" else " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
            connection.exec_driver_sql(f"CREATE DATABASE {quote(database)}{extra}")
        if script:
            self.run(database, script)
        return self.url(database)

    def run(self, database: str, script: str) -> None:
        """Run a script as the server's own client does (COPY and sandbox comments included)."""
        if self.engine == "postgresql":
            command = ["psql", "-q", "-v", "ON_ERROR_STOP=1", "-X", "-d", self.url(database)]
        else:
            command = [
                "mariadb",
                "--protocol=tcp",
                "-h127.0.0.1",
                f"-P{self.port}",
                f"-u{USER}",
                f"-p{PASSWORD}",
                "--default-character-set=utf8mb4",
                "--init-command=SET foreign_key_checks=0",
                database,
            ]
        done = subprocess.run(command, input=script.encode(), capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.decode()[-2000:])


@contextmanager
def postgres(directory: Path, *, durable: bool = False, tls: bool = False) -> Generator[Server]:
    """A PostgreSQL server; one that is durable waits for the disk at each commit; one with TLS has
    a certificate for its address, by the authority in ca.pem.

    Raises:
        ServerMissing: its programs are not installed.
    """
    programs = _postgres_programs()
    port, data = free_port(), directory / "postgres"
    account = _account("postgres")
    _own(directory, account)
    secret = directory / "password"
    secret.write_text(PASSWORD)
    _own(secret, account)
    _run(
        [
            programs / "initdb",
            "-D",
            data,
            "-U",
            USER,
            "-A",
            "scram-sha-256",
            "-N",
            "-E",
            "UTF8",
            "--locale=C",
            f"--pwfile={secret}",
        ],
        account,
    )
    command = [
        programs / "postgres",
        "-D",
        data,
        "-p",
        str(port),
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        f"unix_socket_directories={directory}",
        *([] if durable else ["-c", "fsync=off", "-c", "full_page_writes=off"]),
        *(_postgres_tls(directory, account) if tls else []),
    ]
    with _started(command, account, directory / "postgres.log") as process:
        server = Server("postgresql", port)
        _wait(server, "postgres", process)
        yield server


@contextmanager
def mariadb(directory: Path, *, durable: bool = False, tls: bool = False) -> Generator[Server]:
    """A MariaDB server, likewise.

    Raises:
        ServerMissing: its programs are not installed.
    """
    program, install = shutil.which("mariadbd") or "/usr/sbin/mariadbd", "mariadb-install-db"
    if not Path(program).exists() or shutil.which(install) is None:
        raise ServerMissing("mariadb-server is not installed")
    port, data = free_port(), directory / "mariadb"
    account = _account("mysql")
    _own(directory, account)
    plain = ["--no-defaults", f"--datadir={data}"]
    _run([install, *plain, "--auth-root-authentication-method=normal", "--skip-test-db"], account)
    socket_path = directory / "mariadb.sock"
    command = [
        program,
        *plain,
        f"--port={port}",
        "--bind-address=127.0.0.1",
        f"--socket={socket_path}",
        f"--innodb-flush-log-at-trx-commit={int(durable)}",
        "--skip-log-bin",
        f"--pid-file={directory}/pid",
        *(_mariadb_tls(directory, account) if tls else []),
    ]
    with _started(command, account, directory / "mariadb.log") as process:
        _make_mysql_user(socket_path, process)
        server = Server("mysql", port)
        _wait(server, "mysql", process)
        yield server


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a server that was just started listens."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def free_port() -> int:
    """A port of loopback that nobody uses."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _postgres_programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if not found and on_path is None:
        raise ServerMissing("postgresql is not installed")
    return (found[-1] if found else Path(str(on_path))).parent


def _postgres_tls(directory: Path, account: pwd.struct_passwd | None) -> list[str]:
    certificate, key = _certified(directory, account)
    files = (f"ssl_cert_file={certificate}", f"ssl_key_file={key}")
    return ["-c", "ssl=on", "-c", files[0], "-c", files[1]]


def _mariadb_tls(directory: Path, account: pwd.struct_passwd | None) -> list[str]:
    certificate, key = _certified(directory, account)
    return [f"--ssl-cert={certificate}", f"--ssl-key={key}", f"--ssl-ca={directory / 'ca.pem'}"]


def _certified(directory: Path, account: pwd.struct_passwd | None) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key, which only the server reads."""
    certificates.write_server(directory, "server", "127.0.0.1")
    key = directory / "server.key"
    key.chmod(0o600)
    _own(key, account)
    return directory / "server.pem", key


def _account(name: str) -> pwd.struct_passwd | None:
    """Who a server runs as: this user, or if that is root, the package's own."""
    return pwd.getpwnam(name) if os.geteuid() == 0 else None


def _own(path: Path, account: pwd.struct_passwd | None) -> None:
    if account is None:
        return
    shutil.chown(path, account.pw_uid, account.pw_gid)
    for parent in path.parents:  # pytest's own directories let nobody else in
        if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)


def _run(command: Sequence[str | Path], account: pwd.struct_passwd | None) -> None:
    done = subprocess.run(command, capture_output=True, check=False, cwd="/", **_as(account))
    if done.returncode:
        raise RuntimeError((done.stdout + done.stderr).decode()[-2000:])


def _as(account: pwd.struct_passwd | None) -> dict[str, Any]:
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid}


@contextmanager
def _started(
    command: Sequence[str | Path], account: pwd.struct_passwd | None, log: Path
) -> Generator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process: Any = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            cwd="/",
            **_as(account),
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(server: Server, database: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            server.admin(database).connect().close()
        except exc.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _make_mysql_user(socket_path: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while not socket_path.exists():  # it appears when the server takes connections
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("mariadbd did not start")
        time.sleep(0.05)
    with (
        pymysql.connect(unix_socket=str(socket_path), user="root") as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("CREATE USER %s@'127.0.0.1' IDENTIFIED BY %s", (USER, PASSWORD))
        cursor.execute("GRANT ALL ON *.* TO %s@'127.0.0.1' WITH GRANT OPTION", (USER,))
