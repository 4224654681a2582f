"""`--all-clusters`: a process for each cluster, what becomes of each, and one summary."""

from __future__ import annotations

import json
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from shell import Shell

from metasnapshot.cli.clusters import crew, fleet
from metasnapshot.cli.clusters.crew import Crew
from metasnapshot.cli.clusters.fit import FIT, REASONS, words_of
from metasnapshot.cli.clusters.summary import code_of
from metasnapshot.cli.verbs import find_verbs

OK = 'print("fine")'
FAIL = 'import sys; print("half"); print("error: no store", file=sys.stderr); sys.exit(17)'
KILLED = 'import os, signal; print("first", flush=True); os.kill(os.getpid(), signal.SIGKILL)'
CRASHED = "import os, signal; signal.signal(signal.SIGABRT, signal.SIG_DFL); os.abort()"
HANGS = """
import os, signal, time
signal.signal(signal.SIGINT, signal.SIG_DFL)
open(f"{os.getpid()}.pid", "w").close()
print("begun", flush=True)
time.sleep(600)
"""
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{HANGS}"
Act = Callable[..., None]


def script(text: str) -> list[str]:
    """A process that starts quickly."""
    return [sys.executable, "-I", "-S", "-c", text]


@pytest.fixture
def act(monkeypatch: pytest.MonkeyPatch) -> Act:
    """Lets each cluster's process be a script, by its name; others are fine."""

    def acting(**scripts: str) -> None:
        def command(words: list[str], *, is_live: bool = False) -> list[str]:
            assert not is_live
            return script(scripts.get(words[1].replace("-", "_"), OK))

        monkeypatch.setattr(fleet, "own_command", command)

    return acting


def test_one_line_of_summary_for_each_cluster(three: Shell, act: Act) -> None:
    """In the order of the file, after the lines of each, which name it; 3 as one of them failed."""
    act(prod=OK, test=FAIL, old_1=OK)
    ran = three.run("list", "--all-clusters")
    lines = ran.out.splitlines()
    assert ran.code == 3
    assert sorted(lines[:3]) == ["old-1: fine", "prod: fine", "test: half"]
    shown = [re.sub(r"\s+", " ", re.sub(r"\d+\.\d s", "T", line)).strip() for line in lines[3:]]
    assert shown == [
        "cluster result time",
        "prod ok T",
        "test exit 17 T no store",
        "old-1 ok T",
        "3 clusters, 1 failed",
    ]
    assert ran.err == "test: error: no store\n"


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ([0, 0, 0], 0),
        ([0], 0),
        ([17], 17),
        ([0, 17], 3),
        ([17, 17], 17),
        ([17, 18], 1),
        ([0, 3], 3),
        ([3, 3], 3),
        ([5, 5, 0], 3),
        ([137, 137], 137),
        ([2, 2, 2], 2),
        ([70, 5, 17], 1),
    ],
)
def test_the_exit_code_of_all(codes: list[int], code: int) -> None:
    """0 if all went well, 3 if some failed; if all did, the code that all have, or else 1."""
    assert code_of(codes) == code


def test_each_failure_is_its_own(three: Shell, act: Act) -> None:
    """One is killed, one crashes, one goes well: each is told, in text and in JSON."""
    act(prod=KILLED, test=CRASHED, old_1='print("{}")')
    ran = three.run("check", "--all-clusters")
    assert ran.code == 3
    assert "prod: first" in ran.out
    assert re.search(r"prod +exit 137 .* killed by SIGKILL\n", ran.out)
    assert re.search(r"test +exit 134 .* killed by SIGABRT\n", ran.out)
    code, found = three.answer("check", "--all-clusters")
    assert (code, found["exit_code"], found["verb"]) == (3, 3, "check")
    killed, crashed, fine = found["clusters"]
    assert (killed["exit_code"], killed["document"]) == (137, None)
    assert killed["error"]["message"] == "cluster prod: killed by SIGKILL"
    assert (crashed["error"]["exit_code"], crashed["cluster"]) == (134, "test")
    assert (fine["exit_code"], fine["document"], fine["error"]) == (0, {}, None)


ERROR = {"kind": "StorageError", "message": "away", "hint": "wait", "exit_code": 17}


@pytest.mark.parametrize(
    ("text", "document", "kind", "message"),
    [
        (
            f"print({json.dumps({'error': ERROR})!r}); raise SystemExit(17)",
            None,
            "StorageError",
            "away",
        ),
        (
            f"print({json.dumps({'a': 1, 'error': ERROR})!r}); raise SystemExit(17)",
            dict,
            "StorageError",
            "away",
        ),
        ("print('{\"a\": 1}'); raise SystemExit(5)", dict, None, None),
        (
            "import sys; print('error: bad word', file=sys.stderr); raise SystemExit(2)",
            None,
            "UsageError",
            "cluster prod: bad word",
        ),
        (
            "raise SystemExit(9)",
            None,
            "MetasnapshotError",
            "cluster prod: it ended with exit code 9, and said",
        ),
        ("print('{\"a\": '); raise SystemExit(1)", None, "MetasnapshotError", "exit code 1"),
    ],
)
def test_each_cluster_has_its_document_or_its_error(
    text: str, document: object, kind: str | None, message: str, three: Shell, act: Act
) -> None:
    """As its verb prints it; who could print none has an error all the same."""
    act(prod=text)
    found = three.answer("coverage", "--all-clusters")[1]["clusters"][0]
    assert (found["document"] is not None) is (document is dict)
    if kind is None:
        assert found["error"] is None
    else:
        assert (found["error"]["kind"], found["error"]["exit_code"]) == (kind, found["exit_code"])
        assert message in found["error"]["message"]


def test_a_cluster_that_hangs_stops_nobody(three: Shell, act: Act) -> None:
    """The others are done and told; it is ended after its time, or killed if it does not end."""
    act(prod=HANGS)
    ran = three.run("list", "--all-clusters", "--parallel", "2", "--cluster-timeout", "300ms")
    assert ran.code == 3
    assert "test: fine" in ran.out
    assert re.search(r"prod +exit 143 .* took too long, and was ended: killed by SIGTERM", ran.out)


def test_one_that_does_not_end_is_killed(
    three: Shell, act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it had its time to clean up."""
    act(prod=DEAF)
    monkeypatch.setattr(crew, "GRACE_S", 0.1)
    ran = three.run("list", "--all-clusters", "--cluster-timeout", "300ms")
    assert re.search(r"prod +exit 137 .* took too long, and was ended: killed by SIGKILL", ran.out)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130)])
def test_a_signal_ends_them_all(
    number: int, code: int, three: Shell, act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes between two looks: each of ours is asked, and gone when the command ends; what did
    not start is told.
    """
    act(prod=HANGS, test=HANGS)
    seen = list[str]()

    def look(self: Crew, ended: object) -> None:
        looked(self, ended)  # pyright: ignore[reportArgumentType]
        found = [path.stem for path in three.path.glob("*.pid")]
        if not seen and len(found) == 2:
            seen.extend(found)
            signal.raise_signal(number)

    looked = Crew._look  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(Crew, "_look", look)
    ran = three.run("list", "--all-clusters", "--parallel", "2")
    assert ran.code == code
    assert [name for name in seen if Path(f"/proc/{name}").exists()] == []
    assert len(re.findall(r" +exit 1\d\d .* killed by SIG(?:INT|TERM)", ran.out)) == 2
    assert re.search(r"old-1 +exit 130 +- +was not started", ran.out)
    assert ran.err == "error: interrupted\n"


def test_as_many_at_a_time_as_is_said(three: Shell, act: Act) -> None:
    """One after the other with --parallel 1: no two are there together."""
    busy = "import os; os.mkdir('busy'); __import__('time').sleep(0.05); os.rmdir('busy')"
    act(prod=busy, test=busy, old_1=busy)
    assert three.run("list", "--all-clusters", "--parallel", "1").code == 0


@pytest.mark.parametrize("number", ["0", "-1", "x", "", "1001", "99999999999999999999", "1.5", "²"])
def test_a_number_that_cannot_be_is_refused(number: str, three: Shell) -> None:
    """As any other option."""
    ran = three.run("list", "--all-clusters", f"--parallel={number}")
    assert (ran.code, ran.out) == (2, "")
    assert "--parallel" in ran.err


@pytest.mark.parametrize("time", ["0s", "x", "5"])
def test_a_time_that_cannot_be_is_refused(time: str, three: Shell) -> None:
    """As any other duration; no time at all would end everything."""
    assert three.run("list", "--all-clusters", "--cluster-timeout", time).code == 2


def test_every_verb_works_on_all_or_has_a_reason() -> None:
    """None is forgotten, and none is in both lists."""
    assert sorted([*FIT, *REASONS]) == sorted(find_verbs())


@pytest.mark.parametrize("verb", sorted(REASONS))
def test_a_verb_that_is_not_for_all_is_refused(verb: str, three: Shell, act: Act) -> None:
    """With its reason, before a process starts."""
    act(prod="open('started', 'w')")
    ran = three.run(verb, "1", "--all-clusters")
    assert (ran.code, ran.out) == (2, "")
    assert REASONS[verb] in ran.err
    assert not Path("started").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("check", "--nagios"), "METASNAPSHOT UNKNOWN - --nagios does not go with --all-clusters"),
        (("coverage", "--scaffold", "9.9.9"), "--scaffold does not go with --all-clusters"),
        (("report", "--to", "r.html"), "--to r.html would be the file of every cluster"),
        (("support", "--to=b.zip"), "such as support-{cluster}.zip"),
        (("report", "--to", "{cluster}/r.html"), "would be the file of every cluster"),
        (("drill", "--against=sqlite:///x"), "one database would take the rows of every cluster"),
        (("timeline", "--html", "t.html"), "such as timeline-{cluster}.html"),
        ((), "--all-clusters needs a verb"),
    ],
)
def test_an_option_that_is_not_for_all_is_refused(
    words: tuple[str, ...], message: str, three: Shell
) -> None:
    """With its reason."""
    ran = three.run(*words, "--all-clusters")
    assert ran.code == (3 if "--nagios" in words else 2)
    assert message in ran.err + ran.out


def test_a_file_without_clusters_is_refused(shell: Shell) -> None:
    """Whether it is there or not."""
    ran = shell.run("list", "--all-clusters")
    assert (ran.code, "has no clusters" in ran.err) == (2, True)


def test_the_file_of_each_is_its_own() -> None:
    """Its name has the cluster's; colours are ours, and what stands behind -- is no option."""
    words = ["report", "--to", "r-{cluster}.html", "--color", "always", "--json", "--", "{cluster}"]
    assert words_of("report", words, "a") == [
        *("--cluster", "a", "report", "--to", "r-a.html", "--json", "--", "{cluster}")
    ]
    assert words_of("support", ["support", "--to={cluster}.zip", "--color=never"], "b") == [
        *("--cluster", "b", "support", "--to=b.zip")
    ]
    words = ["timeline", "--to", "2h", "--html", "{cluster}.html"]
    assert words_of("timeline", words, "b")[2:] == [*words[:-1], "b.html"]
    assert words_of("list", ["list", "--x", "{cluster}"], "b")[-1] == "{cluster}"


def test_bytes_that_are_no_text_do_no_harm(three: Shell, act: Act) -> None:
    """Neither do those that move a cursor: they are shown, not sent."""
    act(prod="import os; os.write(1, b'\\xff\\x1b[2J\\r\\n'); os.write(2, b'\\x00\\n')")
    ran = three.run("list", "--all-clusters")
    assert ran.code == 0
    assert "prod: \\xff?[2J\n" in ran.out
    assert ran.err == "prod: ?\n"
