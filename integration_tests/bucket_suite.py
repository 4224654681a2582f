"""What every bucket over the network must do beside the suite of all stores."""

from __future__ import annotations

import os
from collections.abc import Callable
from time import monotonic

import pytest
import stress
from exhaustive import WHOLE
from servers import free_port
from store.test_stores import StoreSuite

from metasnapshot.cli.app import main
from metasnapshot.errors import AuthenticationError, ConflictError, StorageError
from metasnapshot.store import upload
from metasnapshot.store.clients import connector
from metasnapshot.store.location import parse_location
from metasnapshot.store.port import Store
from metasnapshot.store.remote import RemoteStore
from metasnapshot.store.retry import RetryPolicy
from metasnapshot.store.trial import try_store
from metasnapshot.store.url import open_store

OPERATIONS = 4 if WHOLE else 2
"""Of each process."""
PROCESSES = 4
STRESS_S = 300.0
PROMISES = 8
SECRET = "s3cret"
"""Part of every key."""
HASTE = RetryPolicy(retries=2, backoff_s=0.01, timeout_s=1)
HASTE_S = 60.0
"""More than such a policy may take, whatever the machine does meanwhile."""


def open_bucket(url: str, policy: RetryPolicy | None = None) -> RemoteStore:
    """The bucket as it is, whatever its promises."""
    place = parse_location(url)
    return RemoteStore(connector(place), place.url, place.root, policy)


class LargeObjectSuite(StoreSuite):
    """A store whose large objects go up in parts."""

    def test_a_large_object_goes_up_in_parts(
        self, store: Store, raw: Callable[[str], bytes]
    ) -> None:
        """Nobody sees it before its end; it is there whole, and a reader seeks in it."""
        data = os.urandom(2 * upload.PART_SIZE + 17)
        with store.open_writer("d/large") as file:
            for start in range(0, len(data), 1 << 20):
                file.write(data[start : start + (1 << 20)])
            assert store.head("d/large") is None
        assert raw("d/large") == data
        with store.open_reader("d/large") as file:
            assert file.read() == data
            file.seek(upload.PART_SIZE + 5)
            assert file.read(10) == data[upload.PART_SIZE + 5 :][:10]

    def test_a_large_object_that_fails_is_forgotten(self, store: Store) -> None:
        """No list has it."""
        self.fail_at_a_large_object(store)
        assert store.head("d/large") is None
        assert list(store.list("")) == []

    def fail_at_a_large_object(self, store: Store) -> None:
        """Write two parts, then give up."""

        def fail() -> None:
            with store.open_writer("d/large") as file:
                file.write(bytes(2 * upload.PART_SIZE))
                raise RuntimeError("no")

        with pytest.raises(RuntimeError, match="no"):
            fail()


class BucketSuite(LargeObjectSuite):
    """`url` is one of a new bucket, which the environment says how to reach.

    Attributes:
        endpoint: the variable that has the server's address.
        wrong: a variable, and a key for it that the server does not take.
    """

    endpoint: str
    wrong: tuple[str, str]

    @pytest.fixture
    def url(self) -> str:
        raise AssertionError("a subclass says where")

    @pytest.fixture
    def store(self, url: str) -> Store:
        return open_store(url)

    @pytest.fixture
    def refused(self, url: str, monkeypatch: pytest.MonkeyPatch) -> str:
        """A bucket's URL, with keys around that do not open it."""
        monkeypatch.setenv(*self.wrong)
        return url

    def test_every_promise_is_kept(self, url: str) -> None:
        """What `storage test` tries holds, by the service's own means and without a lease."""
        found = try_store(open_bucket(url), "backup")
        assert [item for item in found if not item.held] == []
        assert len(found) == PROMISES
        assert main(["storage", "test", "--backup-storage-url", url]) == 0

    def test_storage_test_tells_by_its_exit_code(
        self, url: str, refused: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """15 where the keys are not taken; neither stream has them."""
        assert main(["storage", "test", "--backup-storage-url", refused]) == 15
        said = capsys.readouterr()
        assert parse_location(url).service in said.err
        assert SECRET not in said.out + said.err

    def test_a_large_object_overwrites_nothing(self, store: Store, url: str) -> None:
        """What got the name while it went up keeps it."""

        def lose() -> None:
            with store.open_writer("d/large") as file:
                file.write(bytes(upload.PART_SIZE + 1))
                open_bucket(url).put("d/large", b"first")

        with pytest.raises(ConflictError):
            lose()
        assert store.read("d/large").data == b"first"

    def test_what_urls_escape_is_a_name(self, store: Store, raw: Callable[[str], bytes]) -> None:
        """Spaces, percent signs and letters beyond ASCII come back as they went."""
        store.put_if_absent("a b/50%25+ä.snapshot", b"1")
        assert [head.path for head in store.list("a b/")] == ["a b/50%25+ä.snapshot"]
        assert store.read("a b/50%25+ä.snapshot").data == raw("a b/50%25+ä.snapshot") == b"1"

    def test_a_wrong_key_is_15(self, refused: str) -> None:
        """Reading, listing and writing alike; the message names the bucket and no key."""
        store = open_bucket(refused)
        asked = (
            lambda: store.read("x"),
            lambda: store.head("x"),
            lambda: list(store.list("")),
            lambda: store.put_if_absent("x", b"1"),
        )
        for ask in asked:
            with pytest.raises(AuthenticationError) as caught:
                ask()
            assert caught.value.exit_code == 15
            said = str(caught.value) + caught.value.hint
            assert store.url in said
            assert SECRET not in said

    def test_no_bucket_is_17(self, url: str) -> None:
        """And not an empty directory."""
        store = open_bucket(url.replace(parse_location(url).bucket, "nobucket"))
        for ask in (lambda: store.read("manifest.json"), lambda: list(store.list(""))):
            with pytest.raises(StorageError, match="no such bucket") as caught:
                ask()
            assert caught.value.exit_code == 17

    def test_nobody_there_is_17_in_time(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """After the tries that were allowed; the message names the bucket and no key."""
        address = f"http://127.0.0.1:{free_port()}"
        monkeypatch.setenv(self.endpoint, address)
        store = open_bucket(url, HASTE)
        start = monotonic()
        for ask in (lambda: store.put_if_absent("x", b"1"), lambda: store.read("x")):
            with pytest.raises(StorageError) as caught:
                ask()
            assert caught.value.exit_code == 17
            assert store.url in str(caught.value)
            assert SECRET not in str(caught.value) + caught.value.hint
        assert monotonic() - start < HASTE_S

    def test_no_snapshot_is_lost_and_none_is_a_phantom(self, url: str) -> None:
        """Processes create and delete in one directory, by compare-and-swap and without locks."""
        stress.expect(url, stress.run(url, PROCESSES, OPERATIONS, STRESS_S))
