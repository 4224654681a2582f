"""Options of database URLs in the spellings of sqlx, libpq, MySQL and PyMySQL: translated or
refused, none dropped."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path
from typing import Any

import pytest
from certificates import authority

from metasnapshot.cli.app import main
from metasnapshot.errors import DatabaseError, UsageError
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.metastore.engines import engine_named
from metasnapshot.metastore.url import parse_url

POSTGRES, MYSQL = "postgresql://u@h/d", "mysql://u@h/d"


def arguments(url: str) -> dict[str, Any]:
    parsed = parse_url(url)
    return engine_named(parsed.get_backend_name()).arguments(parsed)[1]


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    path.write_bytes(authority())
    return path


@pytest.mark.parametrize(
    ("words", "mode"),
    [
        (("disable", "DISABLED", "disabled"), None),
        (("require", "REQUIRED", "Required"), (ssl.CERT_NONE, False)),
        (("verify-ca", "VERIFY_CA", "verify_ca", "VERIFY-CA"), (ssl.CERT_REQUIRED, False)),
        (("verify-full", "VERIFY_IDENTITY", "verify_full"), (ssl.CERT_REQUIRED, True)),
    ],
)
@pytest.mark.parametrize("name", ["sslmode", "ssl-mode", "ssl_mode", "sslMode", "SSLMODE"])
def test_a_mode_in_any_spelling_on_mysql(name: str, words: tuple[str, ...], mode: Any) -> None:
    """What is asked for is what the driver is told."""
    for word in words:
        found = arguments(f"{MYSQL}?{name}={word}")
        if mode is None:
            assert found == {"ssl_disabled": True}
        else:
            assert (found["ssl"].verify_mode, found["ssl"].check_hostname) == mode


@pytest.mark.parametrize(
    ("word", "mode"),
    [
        ("DISABLED", "disable"),
        ("allow", "allow"),
        ("PREFERRED", "prefer"),
        ("REQUIRED", "require"),
        ("VERIFY_CA", "verify-ca"),
        ("VERIFY_IDENTITY", "verify-full"),
        ("verify-full", "verify-full"),
        ("Require", "require"),
    ],
)
@pytest.mark.parametrize("name", ["sslmode", "ssl-mode", "ssl_mode", "sslMode"])
def test_a_mode_in_any_spelling_on_postgresql(name: str, word: str, mode: str) -> None:
    """libpq gets its own words."""
    assert arguments(f"{POSTGRES}?{name}={word}") == {"sslmode": mode}


@pytest.mark.parametrize("name", ["ssl-ca", "ssl_ca", "sslca", "sslrootcert", "ssl-root-cert"])
def test_a_file_of_authorities_verifies(name: str, ca: Path) -> None:
    """Alone, and with a mode that would not."""
    for more in ("", "&sslmode=prefer", "&ssl-mode=REQUIRED"):
        context = arguments(f"{MYSQL}?{name}={ca}{more}")["ssl"]
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, False)
        expected = {"sslrootcert": str(ca), "sslmode": "verify-ca"}
        assert arguments(f"{POSTGRES}?{name}={ca}{more}") == expected
    assert arguments(f"{MYSQL}?{name}={ca}&sslmode=VERIFY_IDENTITY")["ssl"].check_hostname


@pytest.mark.parametrize(
    "option",
    [
        "ssl=true",
        "useSSL=true",
        "ssl=1",
        "requireSSL=true",
        "ssl-verify-server-cert=1",
        "ssl_verify_identity=true",
        "ssl_verify_cert=true",
        "verifyServerCertificate=true",
        "ssl_check_hostname=true",
    ],
)
def test_a_switch_that_is_on_asks_for_tls(option: str) -> None:
    """Those of JDBC, MySQL's clients and PyMySQL."""
    context = arguments(f"{MYSQL}?{option}")["ssl"]
    assert context.verify_mode == (
        ssl.CERT_REQUIRED if "erify" in option or "check" in option else 0
    )
    assert arguments(f"{POSTGRES}?{option}")["sslmode"] in ("require", "verify-ca", "verify-full")


@pytest.mark.parametrize("engine", [POSTGRES, MYSQL])
@pytest.mark.parametrize(
    "option",
    [
        "sslmode=PERHAPS",
        "ssl-mode=",
        "sslcapath=/etc/ssl",
        "ssl-cipher=NULL",
        "ssl-crlx=/x",
        "tls-version=TLSv1",
        "ssl=maybe",
        "trustCertificateKeyStoreUrl=file:x",
        "sslmode=require&ssl-mode=disable",
        "sslmode=disable&ssl-ca=/x",
        "ssl-ca=/x&sslrootcert=/y",
        "sslmode=require&sslmode=disable",
        "read_default_file=/root/.my.cnf",
        "default-auth=mysql_clear_password",
        "nonsense=1",
        "init_command=DROP",
    ],
)
def test_what_cannot_be_translated_is_refused(engine: str, option: str) -> None:
    """Exit 2 before anything is sent."""
    with pytest.raises(UsageError), open_meta_store(f"{engine}?{option}"):
        pass


@pytest.mark.parametrize("option", ["mode=memory", "vfs=x", "immutable=1", "sslmode=require"])
def test_sqlite_has_options_too(option: str, tmp_path: Path) -> None:
    """How a file is opened is decided by what is done with it."""
    path = tmp_path / "x.db"
    path.touch()
    with pytest.raises(UsageError), open_meta_store(f"sqlite:///{path}?{option}"):
        pass
    for known in ("mode=rwc", "mode=ro"):
        with open_meta_store(f"sqlite:///{path}?{known}"):
            pass


@pytest.mark.parametrize(
    "name",
    [
        "statement-cache-capacity",
        "statement_cache_capacity",
        "charset",
        "collation",
        "timezone",
        "time-zone",
        "extra_float_digits",
        "Charset",
    ],
)
def test_what_only_tunes_sqlx_is_passed_over(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """With a warning that names it."""
    for engine in (POSTGRES, MYSQL):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert arguments(f"{engine}?{name}=1") == {}
        assert [name in record.getMessage() for record in caplog.records] == [True]


def test_identity_may_stand_among_the_options() -> None:
    """As libpq, MySQL's clients and sqlx have it."""
    found = arguments(f"{MYSQL}?socket=/run/x&passwd=p&user=v&read_timeout=5")
    expected = {"unix_socket": "/run/x", "password": b"p", "user": "v", "read_timeout": 5}
    assert found == expected
    found = arguments(f"{POSTGRES}?application_name=a&options[search_path]=b&connect_timeout=3")
    assert found["options"] == "-c search_path=b"
    assert found["application_name"] == "a"


def test_files_of_tls_that_are_none(tmp_path: Path) -> None:
    """Told by their names, with the hint of where to look."""
    (tmp_path / "empty").touch()
    for option, name in (("ssl-ca", "none"), ("sslrootcert", "empty"), ("ssl-cert", "")):
        path = tmp_path / name
        with pytest.raises(DatabaseError) as caught, open_meta_store(f"{MYSQL}?{option}={path}"):
            pass
        assert str(path) in str(caught.value)
        assert "ssl-ca" in caught.value.hint


@pytest.mark.parametrize("options", ["sslmode=maybe", "tls=1", "ssl-cipher=x", "nonsense=1"])
@pytest.mark.parametrize("engine", ["mysql", "postgres"])
def test_risectls_parameters_are_no_less_looked_at(
    engine: str, options: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """--sql-url-params: refused (2) as behind a URL."""
    words = ["restore", "7", "--meta-store-type", engine, "--sql-endpoint", "127.0.0.1:1"]
    words += ["--sql-username", "u", "--sql-password", "p", "--sql-database", "d"]
    words += ["--sql-url-params", options, "--backup-storage-url", "memory"]
    words += ["--hummock-storage-url", "memory", "--hummock-storage-directory", "h"]
    assert main(words) == 2
    assert options.partition("=")[0] in capsys.readouterr().err
