"""--via-meta: backups that a running meta node makes and deletes, and what it refuses."""

from __future__ import annotations

import json

import pytest
from meta_node import RUNNING, SNAPSHOTS_MAX, FakeMetaNode, message
from schemas import check_output
from servers import free_port

from metasnapshot.cli.app import main
from metasnapshot.live import meta_node as client


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    shown = capsys.readouterr()
    check_output(arguments, shown.out)
    return code, shown.out, shown.err


def test_a_backup_is_waited_for(
    node: FakeMetaNode, node_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Polled until it has ended; its id is the job's, its remarks go with it."""
    node.polls_to_go = 3
    code, out, _ = run(capsys, "backup", "--via-meta", node_url, "--remarks", "before", "--json")
    assert (code, json.loads(out)["snapshot_id"]) == (0, 1)
    assert (node.snapshots[0].id, node.snapshots[0].remarks) == (1, "before")


def test_a_list_is_the_nodes_memory(
    node: FakeMetaNode, node_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Id, release and remarks, and the manifest's id."""
    main(["backup", "--via-meta", node_url])
    capsys.readouterr()
    code, out, _ = run(capsys, "list", "--via-meta", node_url, "--json")
    found = json.loads(out)
    assert (code, found["manifest_id"]) == (0, node.manifest_id)
    assert found["snapshots"] == [
        {
            "id": 1,
            "hummock_version_id": 101,
            "format_version": 2,
            "state_tables": 0,
            "rw_version": "3.0.3",
            "remarks": None,
        }
    ]
    code, out, _ = run(capsys, "list", "--via-meta", node_url)
    assert (code, "1 snapshot, manifest 1" in out) == (0, True)


def test_a_delete_asks_the_node(
    node: FakeMetaNode, node_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """After asking the operator."""
    main(["backup", "--via-meta", node_url])
    capsys.readouterr()
    assert run(capsys, "delete", "1", "--via-meta", node_url)[0] == 2  # nobody is there to ask
    assert len(node.snapshots) == 1
    assert run(capsys, "delete", "1", "--via-meta", node_url, "--yes")[0] == 0
    assert node.snapshots == []


def test_risectls_own_command_is_not_asked_about(
    node: FakeMetaNode, node_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """risectl deletes at once on the meta node of RW_META_ADDR."""
    node.snapshots = [message("MetaSnapshotMetadata", id=number) for number in (1, 2, 3)]
    monkeypatch.setenv("RW_META_ADDR", node_url)
    assert main(["meta", "delete-meta-snapshots", "--snapshot-ids", "1,3"]) == 0
    assert [snapshot.id for snapshot in node.snapshots] == [2]


def test_ids_that_it_never_had_are_said_to_be_unknown(
    node: FakeMetaNode, node_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are no error there, and nothing that was deleted either."""
    node.snapshots = [message("MetaSnapshotMetadata", id=number) for number in (1, 2, 3)]
    options = ("--via-meta", node_url, "--yes")
    code, out, _ = run(capsys, "delete", "77", "2", *options, "--json")
    assert code == 0
    assert json.loads(out) == {"deleted_ids": [2], "unknown_ids": [77], "via_meta": node_url}
    code, out, err = run(capsys, "delete", "2", "3", *options)
    assert (code, "no snapshot 2" in err) == (0, True)
    assert out == "deleted 3; 1 snapshot left\n"
    code, out, _ = run(capsys, "delete", "3", *options)
    assert (code, out) == (0, "deleted nothing; 1 snapshot left\n")


@pytest.mark.parametrize("text", ["1" * 23, "9" * 20, "latest", "-1", "1.5", ""])
def test_what_is_no_id_is_2(
    text: str, node: FakeMetaNode, node_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the node is not asked, not even for the others."""
    code, _, err = run(capsys, "delete", "--via-meta", node_url, "--yes", "--", "1", text)
    assert (code, "not a snapshot id" in err) == (2, True)
    assert node.calls == []


@pytest.mark.parametrize(
    "option",
    [
        "--dry-run",
        "--allow-unknown-tables",
        "--into-cluster-directory",
        "--meta-node-stopped",
    ],
)
def test_what_a_meta_node_cannot_do_is_2(
    option: str, node: FakeMetaNode, node_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody is called: a dry run above all makes no backup."""
    code, out, err = run(capsys, "backup", "--via-meta", node_url, option)
    assert (code, out, f"{option}: not with --via-meta" in err) == (2, "", True)
    assert (node.calls, node.snapshots) == ([], [])


def test_one_job_at_a_time(
    node: FakeMetaNode, node_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another job that runs is 11, with its id."""
    node.latest = (5, RUNNING, "")
    code, _, err = run(capsys, "backup", "--via-meta", node_url)
    assert (code, "existent job 5" in err) == (11, True)


def test_too_many_snapshots(
    node: FakeMetaNode, node_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The limit is the node's; the hint says what to do."""
    node.snapshots = [message("MetaSnapshotMetadata", id=n) for n in range(SNAPSHOTS_MAX + 1)]
    code, _, err = run(capsys, "backup", "--via-meta", node_url)
    assert (code, "expect at most 100" in err, "delete --via-meta" in err) == (1, True, True)


def test_a_job_that_failed(
    node: FakeMetaNode, node_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the node's own words."""
    node.failure = "BackupStorage error: no space"
    code, _, err = run(capsys, "backup", "--via-meta", node_url)
    assert (code, "failed backup job 1: BackupStorage error: no space" in err) == (1, True)


def test_a_node_that_restarted(
    node: FakeMetaNode,
    node_url: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A job that it forgot is no success."""
    node.polls_to_go = 1000
    monkeypatch.setattr(client.time, "sleep", lambda _: node.restart())
    code, _, err = run(capsys, "backup", "--via-meta", node_url)
    assert (code, "knows nothing of backup job 1" in err) == (1, True)


def test_a_job_that_takes_too_long(node: FakeMetaNode, node_url: str) -> None:
    """It goes on, and the hint says so."""
    node.polls_to_go = 1000
    with (
        client.open_meta_node(node_url) as found,
        pytest.raises(client.MetaNodeError, match="still runs after") as caught,
    ):
        found.backup(None, 0.05)
    assert "the job goes on" in caught.value.hint


def test_nobody_there_is_18(capsys: pytest.CaptureFixture[str]) -> None:
    """With the address."""
    address = f"http://127.0.0.1:{free_port()}"
    code, _, err = run(capsys, "list", "--via-meta", address)
    assert (code, address in err) == (18, True)


@pytest.mark.parametrize("address", ["meta:5690", "ftp://meta:5690", "http://", "http://a/b"])
def test_a_bad_address_is_2(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With the form that it has."""
    code, _, err = run(capsys, "list", "--via-meta", address)
    assert (code, "http://host:5690" in err) == (2, True)


def test_without_it_a_store_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Each of the three verbs says what is missing."""
    for arguments in (("backup",), ("list",), ("delete", "1")):
        code, _, err = run(capsys, *arguments)
        assert (code, "--via-meta" in err) == (2, True)
