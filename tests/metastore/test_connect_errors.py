"""Whatever keeps us from connecting is an error of ours with a code and a next step; it is asked
whether the server is up only where nobody answered."""

from __future__ import annotations

from pathlib import Path

import pytest
import refusing_servers
from exhaustive import thin

from metasnapshot.cli.app import main

POSTGRES, MYSQL = "postgresql://u:p@127.0.0.1:1/d", "mysql://u:p@127.0.0.1:1/d"
IS_IT_UP = "is the server up"


def coverage(url: str, *more: str) -> int:
    return main(["coverage", "--meta-store", url, *more])


@pytest.mark.parametrize(
    "url",
    [
        f"{MYSQL}?read_timeout=abc",
        f"{MYSQL}?read_timeout=0",
        f"{MYSQL}?write_timeout=1.5",
        f"{MYSQL}?connect_timeout=99999999999999999999",
        f"{MYSQL}?port=abc",
        f"{MYSQL}?port=65536",
        f"{MYSQL}?autocommit=true",
        f"{POSTGRES}?port=abc",
        f"{POSTGRES}?port=0",
        f"{POSTGRES}?host=a,b,c&port=1,2",
        f"{POSTGRES}?socket=/run/x",
        f"{POSTGRES}?connect_timeout=soon",
        f"{POSTGRES}?keepalives=yes",
        f"{POSTGRES}?tcp_user_timeout=-1",
        f"{POSTGRES}?target_session_attrs=nope",
        f"{POSTGRES}?gssencmode=perhaps",
        f"{POSTGRES}?hostaddr=nowhere",
        f"{POSTGRES}?service=none",
        "mysql://u@h:65536/d",
        "postgresql://u@h:0/d",
        "mysql://a..b/d",
        f"postgresql://{'h' * 64}.example/d",
        "mysql://u:%E9@127.0.0.1:1/d",
        "postgresql://u:p@127.0.0.1:1/%ff",
    ],
)
def test_an_option_that_cannot_be(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2, before a server is reached, with what it is that cannot be."""
    assert coverage(url) == 2
    said = capsys.readouterr().err
    assert IS_IT_UP not in said
    assert said.startswith("error: ")
    assert "Traceback" not in said


@pytest.mark.parametrize(
    "url",
    [
        f"{MYSQL}?statement-cache-capacity=100",
        f"{MYSQL}?timezone=Europe/Berlin",
        f"{MYSQL}?connect_timeout=3&read_timeout=7",
        f"{POSTGRES}?statement-cache-capacity=100",
        f"{POSTGRES}?timezone=nowhere",
        f"{POSTGRES}?client_encoding=KLINGON",
        f"{POSTGRES}?keepalives=1&keepalives_idle=5&connect_timeout=3",
        "mysql://u:%E2%82%AC@127.0.0.1:1/d",
        "postgresql://%E2%82%AC:%E2%82%AC@127.0.0.1:1/%E2%82%AC",
    ],
)
def test_a_server_that_is_not_there(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 18, and only then it is asked whether the server is up."""
    assert coverage(url) == 18
    assert IS_IT_UP in capsys.readouterr().err


@pytest.mark.parametrize(
    ("sqlstate", "severity", "message", "code", "hint"),
    [
        (
            "28P01",
            "FATAL",
            "Passwort-Authentifizierung für Benutzer »u« fehlgeschlagen",
            15,
            "user",
        ),
        ("28000", "FATAL", "kein pg_hba.conf-Eintrag für Host »127.0.0.1«, SSL aus", 15, "user"),
        ("28000", "FATAL", "Rolle »u« existiert nicht", 15, "check user and password"),
        ("28P01", "ВАЖНО", "пользователь не прошёл проверку подлинности", 15, "password"),
        ("3D000", "FATAL", "Datenbank »d« existiert nicht", 18, "create the database"),
        ("3D000", "FATAL", "la base de données « d » n'existe pas", 18, "create the database"),
        ("53300", "FATAL", "tut mir leid, schon zu viele Verbindungen", 18, "no connection left"),
        ("57P03", "FATAL", "das Datenbanksystem startet", 18, "starting or stopping"),
        ("42501", "FATAL", "keine Berechtigung für Datenbank »d«", 18, ""),
        ("28P01", "FATAL", 'password authentication failed for user "u"', 15, "user"),
        ("3D000", "FATAL", 'database "d" does not exist', 18, "create the database"),
        ("57P03", "FATAL", "the database system is starting up", 18, "starting or stopping"),
    ],
)
def test_postgresql_is_understood_by_its_codes(
    sqlstate: str,
    severity: str,
    message: str,
    code: int,
    hint: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whatever language it speaks, while we connect, when libpq shows no code."""
    with refusing_servers.postgres(sqlstate, severity, message) as port:
        assert coverage(f"postgresql://u:p@127.0.0.1:{port}/d") == code
    said = capsys.readouterr().err
    assert message.split(maxsplit=1)[0] in said
    assert IS_IT_UP not in said
    assert hint in said.partition("hint:")[2]


@pytest.mark.parametrize(
    ("number", "message", "code", "hint"),
    [
        (1045, "Benutzer 'u' hat keine Zugriffsberechtigung", 15, "check user and password"),
        (1044, "Benutzer 'u' hat keine Zugriffsberechtigung für Datenbank 'd'", 15, "user"),
        (1130, "Host '127.0.0.1' hat keine Berechtigung", 15, "user"),
        (1698, "Zugriff verweigert", 15, "user"),
        (3118, "Konto gesperrt", 15, "user"),
        (1862, "Passwort abgelaufen", 15, "password"),
        (1049, "Unbekannte Datenbank 'd'", 18, "create the database"),
        (1040, "Zu viele Verbindungen", 18, "no connection left"),
        (1129, "Host blockiert", 18, "FLUSH HOSTS"),
        (3159, "Verbindungen ohne Verschlüsselung sind verboten", 18, "ssl-mode=REQUIRED"),
    ],
)
def test_mysql_is_understood_by_its_numbers(
    number: int, message: str, code: int, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Likewise."""
    with refusing_servers.mysql(number, message) as port:
        assert coverage(f"mysql://u:p@127.0.0.1:{port}/d") == code
    said = capsys.readouterr().err
    assert IS_IT_UP not in said
    assert hint in said.partition("hint:")[2]


@pytest.mark.parametrize(
    "password", thin(["sécrét", "€uro", "пароль", "密码", "naïve ☃", "a\u0301", "plain", "ÿ"])
)
@pytest.mark.parametrize("by", ["url", "file", "file with a mark", "variable", "option"])
def test_a_password_is_utf8(
    password: str, by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As MySQL's own clients send it, wherever it comes from; a file's byte order mark is none of
    its characters.
    """
    monkeypatch.delenv("MYSQL_PWD", raising=False)
    file = tmp_path / "password"
    file.write_text(f"{password}\n", encoding="utf-8-sig" if "mark" in by else "utf-8")
    if by == "variable":
        monkeypatch.setenv("METASNAPSHOT_META_STORE_PASSWORD", password)
    more = ["--meta-store-password-file", str(file)] if by.startswith("file") else []
    with refusing_servers.mysql(1049, "right", password.encode()) as port:
        typed = f":{password}" if by == "url" else ""
        query = f"?password={password}" if by == "option" else ""
        assert coverage(f"mysql://u{typed}@127.0.0.1:{port}/d{query}", *more) == 18
        assert coverage(f"mysql://u:wrong{password}@127.0.0.1:{port}/d") == 15 or by == "variable"


def test_a_password_that_cannot_be_encrypted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """caching_sha2_password without TLS and without the package that encrypts: exit 2, both ways
    out, no password.
    """
    monkeypatch.setattr("pymysql._auth._have_cryptography", False)
    with refusing_servers.mysql(1045, "", plugin=refusing_servers.PLUGINS[1]) as port:
        assert coverage(f"mysql://u:hunter2@127.0.0.1:{port}/d") == 2
    said = capsys.readouterr().err
    assert "pymysql[rsa]" in said
    assert "ssl-mode=REQUIRED" in said
    assert "hunter2" not in said
    assert IS_IT_UP not in said


def test_a_number_that_nobody_knows_is_a_servers(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever says a number is up."""
    with refusing_servers.mysql(1234, "etwas anderes") as port:
        assert coverage(f"mysql://u:p@127.0.0.1:{port}/d") == 18
    assert IS_IT_UP not in capsys.readouterr().err
