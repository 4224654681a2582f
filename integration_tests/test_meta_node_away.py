"""--via-meta while a meta node is away: during a job, for good, and of several the first one."""

from __future__ import annotations

import json
from contextlib import ExitStack
from itertools import cycle, repeat
from time import sleep

import pytest
from clock import Clock
from meta_node import FakeMetaNode, serve
from servers import free_port

from metasnapshot.cli.app import main
from metasnapshot.errors import MetaNodeUnavailable
from metasnapshot.live import meta_node as client

WAIT_S = 600.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The client's clock, which only its pauses move; ten of them are the longest silence."""
    made = Clock()
    monkeypatch.setattr(client, "time", made)
    monkeypatch.setattr(client, "POLL_S", client.SILENCE_MAX_S / 10)
    return made


def test_a_node_that_is_away_for_a_while(
    node: FakeMetaNode, node_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """During a job that goes on all the same: whoever waits goes on waiting."""
    node.absences, node.polls_to_go = iter([True] * 5), 2
    assert main(["backup", "--via-meta", node_url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["snapshot_id"] == 1
    assert node.calls == ["BackupMeta", *["GetBackupJobStatus"] * 7]


def test_a_node_that_is_away_again_and_again(
    node: FakeMetaNode, node_url: str, clock: Clock
) -> None:
    """Each silence counts for itself; all together may be longer."""
    node.absences, node.polls_to_go = cycle([False, True]), 15
    with client.open_meta_node(node_url) as found:
        assert found.backup(None, 10 * client.SILENCE_MAX_S) == 1
    assert sum(clock.pauses) > 2 * client.SILENCE_MAX_S


def test_a_node_that_stays_away_is_18(
    node: FakeMetaNode, node_url: str, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """After some silence, with the job's id: it may go on, and what it makes is in the list."""
    node.absences = repeat(object=True)
    assert main(["backup", "--via-meta", node_url]) == 18
    assert sum(clock.pauses) >= client.SILENCE_MAX_S
    said = capsys.readouterr().err
    assert "the node restarts" in said
    assert "backup job 1 may go on; `list --via-meta`" in said
    assert (node.calls.count("BackupMeta"), len(node.calls) > 2) == (1, True)


def test_a_node_that_dies_during_a_job_is_unavailable(node: FakeMetaNode, clock: Clock) -> None:
    """Its server takes no more connections; the hint has the job."""
    node.polls_to_go = 1000
    with ExitStack() as running:
        node_url = running.enter_context(serve(node))
        clock.meanwhile = running.close
        with (
            client.open_meta_node(node_url) as found,
            pytest.raises(MetaNodeUnavailable, match=node_url) as caught,
        ):
            found.backup(None, WAIT_S)
    assert "backup job 1 may go on" in caught.value.hint
    assert caught.value.exit_code == 18


def test_a_server_that_comes_back_is_found_again(
    node: FakeMetaNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the same connection, after it was refused for a while."""
    node.polls_to_go = 3
    with ExitStack() as running:
        node_url = running.enter_context(serve(node))
        address = node_url.partition("://")[2]
        pauses: list[float] = []

        def restart(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 1:
                running.close()
            if len(pauses) == 4:
                running.enter_context(serve(node, address))
            sleep(0.05)

        monkeypatch.setattr(client.time, "sleep", restart)
        with client.open_meta_node(node_url) as found:
            assert found.backup(None, WAIT_S) == 1
    assert len(pauses) > 4
    assert len(node.snapshots) == 1


def test_a_node_that_was_never_there_is_not_waited_for(clock: Clock) -> None:
    """It has no job that may go on."""
    with (
        client.open_meta_node(f"http://127.0.0.1:{free_port()}") as found,
        pytest.raises(MetaNodeUnavailable) as caught,
    ):
        found.backup(None, WAIT_S)
    assert clock.pauses == []
    assert "job" not in caught.value.hint


def test_of_two_addresses_the_first_that_answers_is_asked(
    node: FakeMetaNode, node_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As RW_META_ADDR has them, with commas between; whichever of them is up."""
    monkeypatch.setattr(client, "PROBE_TIMEOUT_S", 0.5)
    nobody, other = f"http://127.0.0.1:{free_port()}", FakeMetaNode()
    with serve(other) as second:
        for addresses in (f"{nobody},{node_url}", f"{node_url},{nobody}", f"{node_url},{second}"):
            with client.open_meta_node(addresses) as found:
                assert found.url == node_url
                found.manifest()
    assert node.calls == ["GetMetaSnapshotManifest"] * 3
    assert other.calls == []


def test_of_addresses_where_nobody_answers_the_last_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 18."""
    monkeypatch.setattr(client, "PROBE_TIMEOUT_S", 0.1)
    first, last = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    assert main(["list", "--via-meta", f"{first},{last}"]) == 18
    assert last in capsys.readouterr().err


def test_one_bad_address_of_several_is_2(
    node: FakeMetaNode, node_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Though another is good, which is not asked."""
    for addresses in (f"{node_url},meta:5690", f"meta:5690,{node_url}", f"{node_url},"):
        assert main(["list", "--via-meta", addresses]) == 2
        assert "http://host:5690" in capsys.readouterr().err
    assert node.calls == []
