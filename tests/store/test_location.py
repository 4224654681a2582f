"""Object store URLs, RisingWave's and ordinary ones, and that no message shows a key."""

from __future__ import annotations

import pytest

from metasnapshot.errors import UsageError
from metasnapshot.store.location import (
    Location,
    find_overlap,
    is_below,
    parse_location,
    same_place,
)
from metasnapshot.store.services import SERVICES
from metasnapshot.store.shown_url import shown_url
from metasnapshot.store.url import open_store

OF_RISINGWAVE = {
    "s3://bucket": Location("s3", "bucket"),
    "gcs://bucket": Location("gcs", "bucket"),
    "gcs://bucket@root": Location("gcs", "bucket", "root"),
    "gcs://bucket@a/b": Location("gcs", "bucket", "a/b"),
    "azblob://container": Location("azblob", "container"),
    "azblob://container@root": Location("azblob", "container", "root"),
    "oss://bucket@root": Location("oss", "bucket", "root"),
    "obs://bucket@root": Location("obs", "bucket", "root"),
    "webhdfs://host:9870@root": Location("webhdfs", "host:9870", "root"),
    "hdfs://namenode:9000@/a//b/": Location("hdfs", "namenode:9000", "a/b"),
    "fs:///srv/x": Location("fs", root="/srv/x"),
    "fs://relative": Location("fs", root="relative"),
    "memory": Location("memory"),
    "memory-shared": Location("memory"),
}
ORDINARY = {
    "s3://bucket/a/b/": Location("s3", "bucket", "a/b"),
    "s3a://bucket/root": Location("s3", "bucket", "root"),
    "gs://bucket/root": Location("gcs", "bucket", "root"),
    "gs://bucket/a@b": Location("gcs", "bucket", "a@b"),
    "az://container/root": Location("azblob", "container", "root"),
    "abfs://container@account/root": Location("azblob", "container", "root", account="account"),
    "abfss://c@account.dfs.core.windows.net/a/b": Location("azblob", "c", "a/b", account="account"),
    "abfs://container/root": Location("azblob", "container", "root"),
    "file:///srv/x": Location("fs", root="/srv/x"),
    "local:///srv/x": Location("fs", root="/srv/x"),
    "webhdfs://host:9870/root": Location("webhdfs", "host:9870", "root"),
    "sftp://host/a/b": Location("sftp", "host", "a/b"),
    "ftp://user:pw@host:21/a@b": Location("ftp", "user:pw@host:21", "a@b"),
}


@pytest.mark.parametrize("prefix", ["", "hummock+"])
@pytest.mark.parametrize(
    ("url", "expected"), (OF_RISINGWAVE | ORDINARY).items(), ids=(OF_RISINGWAVE | ORDINARY).keys()
)
def test_every_form(prefix: str, url: str, expected: Location) -> None:
    """With and without what state_store has in front."""
    assert parse_location(f"{prefix}{url}") == expected


@pytest.mark.parametrize(
    ("url", "endpoint", "keys"),
    [
        ("minio://key:geheim@host:9000/bucket", "http://host:9000", "key:geheim"),
        ("minio://key:geheim@http://host:9000/bucket", "http://host:9000", "key:geheim"),
        ("minio://key:geheim@https://host:9000/bucket", "https://host:9000", "key:geheim"),
        ("minio://key:geh@eim@host:9000/bucket", "http://host:9000", "key:geh@eim"),
        ("minio://key:a%2Fb/c@host:9000/bucket", "http://host:9000", "key:a%2Fb/c"),
    ],
)
def test_minio(url: str, endpoint: str, keys: str) -> None:
    """Its keys are taken literally, as upstream; http is the default."""
    found = parse_location(f"hummock+{url}")
    assert found == Location("minio", "bucket", credentials=keys, endpoint=endpoint)
    assert parse_location(f"{url}/a//b").root == "a/b"


@pytest.mark.parametrize(
    ("url", "message", "hint"),
    [
        ("", "not an object store URL", "fs://ROOT"),
        ("hummock+", "not an object store URL", "s3://BUCKET"),
        ("/srv/backups", "not an object store URL", "fs://ROOT"),
        ("s3:bucket", "not an object store URL", "s3://BUCKET"),
        ("s3://", "not an object store URL", "s3://BUCKET"),
        ("S3://bucket", "not an object store URL", "s3://BUCKET"),
        ("memory-isolated", "not an object store URL", "memory"),
        ("disk:///x", "'disk'", "fs:// since RisingWave 0.19"),
        ("hummock+disk:///x", "'disk'", "fs://"),
        ("s3-compatible://bucket", "'s3-compatible'", "RW_S3_ENDPOINT"),
        ("minio://host:9000/bucket", "not a minio URL", "USER:PASSWORD@"),
        ("minio://key@host:9000/bucket", "not a minio URL", "USER:PASSWORD@"),
        ("minio://key:geheim@host:9000", "not a minio URL", "/BUCKET"),
        ("minio://key:geheim@host:9000/", "not a minio URL", "/BUCKET"),
        ("minio://key:geheim@ftp://host:9000/bucket", "not a minio URL", "https://"),
    ],
)
def test_what_is_none_says_what_to_write(url: str, message: str, hint: str) -> None:
    """A usage error with the next step, and without the keys."""
    with pytest.raises(UsageError, match=message) as caught:
        parse_location(url)
    assert hint in caught.value.hint
    assert "geheim" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("url", ["cos://bucket", "hummock+s4://bucket"])
def test_a_scheme_that_nobody_knows_is_refused_when_opened(url: str) -> None:
    """With all forms there are."""
    with pytest.raises(UsageError, match="no object store for scheme") as caught:
        open_store(url)
    assert all(form in caught.value.hint for row in SERVICES for form in row.forms)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://bucket/a", "s3://bucket@a"),
        ("gs://bucket", "gcs://bucket"),
        ("abfs://container@account/root", "azblob://container@root"),
        ("file:///srv/x", "fs:///srv/x"),
        ("local:///srv/x", "fs:///srv/x"),
        ("memory-shared", "memory"),
        ("memory://a/b", "memory://a/b"),
        ("ftp://user:geheim@host:21/a/b", "ftp://host:21/a/b"),
        ("minio://key:geheim@https://host:9000/bucket/a", "minio://host:9000/bucket@a"),
    ],
)
def test_a_location_is_shown_without_keys(url: str, shown: str) -> None:
    """In one form, whatever it was written in."""
    assert parse_location(f"hummock+{url}").url == shown


def test_keys_stay_out_of_a_location_that_is_printed_for_people() -> None:
    """Even if the secret has the characters that part a URL."""
    found = parse_location("minio://key:ge@he/im@host:9000/bucket")
    assert found.credentials == "key:ge@he/im"
    assert found.url == "minio://host:9000/bucket"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("minio://key:geheim@host:9000/bucket", "minio://****@host:9000/bucket"),
        ("minio://key:geh@eim@host:9000/bucket", "minio://****@host:9000/bucket"),
        ("minio://key:geheim@https://h:1/b", "minio://****@https://h:1/b"),
        ("hummock+minio://key:geheim@h:1/b", "hummock+minio://****@h:1/b"),
        ("sftp://user:geheim@host/x", "sftp://****@host/x"),
        ("postgresql://user:geheim@host/db", "postgresql://****@host/db"),
        ("gcs://bucket@root", "gcs://bucket@root"),
        ("hummock+oss://bucket@root", "hummock+oss://bucket@root"),
        ("s3://bucket", "s3://bucket"),
        ("memory", "memory"),
        ("a@b", "a@b"),
    ],
)
def test_a_url_is_shown_without_keys(url: str, shown: str) -> None:
    """Where @ parts bucket and root there is nothing to hide."""
    assert shown_url(url) == shown


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (("s3://b", "x/y"), ("hummock+s3://b/x", "y"), True),
        (("gcs://b@x", "y"), ("gs://b/x/", "/y"), True),
        (("minio://k:s@h:1/b", "y"), ("minio://other:k@http://h:1/b", "y"), True),
        (("fs:///srv/../srv/x", "y"), ("file:///srv", "x/y"), True),
        (("minio://h:1/b@x/z", "y"), ("minio://k:s/e@h:1/b", "x/z/y"), True),
        (("minio://h:1/b", "y"), ("minio://k:s@https://h:1/b", "y"), True),
        (("minio://h:1/b", "y"), ("minio://k:s@h:1/c", "y"), False),
        (("not a url", "y"), ("not a url", "y"), True),
        (("s3://b", "x"), ("s3://b", "y"), False),
        (("s3://b", "x"), ("gcs://b", "x"), False),
        (("minio://k:s@h:1/b", "y"), ("minio://k:s@https://h:1/b", "y"), False),
        (("minio://k:s@h:1/b", "y"), ("minio://k:s@h:2/b", "y"), False),
        (("minio://k:s@HOST:1/b", "y"), ("minio://x:z@host:1/b", "y"), True),
        (("webhdfs://h:1@x", "y"), ("webhdfs://h:2@x", "y"), False),
    ],
)
def test_two_spellings_of_one_place(
    one: tuple[str, str], other: tuple[str, str], *, expected: bool
) -> None:
    """Keys and where the root ends are of no importance; service, host and bucket are."""
    assert same_place(*one, *other) is expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (("s3://b", "x/y"), ("s3://b", "x"), True),
        (("s3://b", "x"), ("s3://b", "x"), True),
        (("s3://b", "x"), ("s3://b", ""), True),
        (("s3://b/x", "y"), ("s3://b", "x"), True),
        (("minio://h:1/b@x", "y/z"), ("minio://k:s@h:1/b", "x"), True),
        (("fs:///srv", "x/y"), ("fs:///srv/x", ""), True),
        (("fs:///srv/x", "y"), ("fs:///", ""), True),
        (("s3://b", "xy"), ("s3://b", "x"), False),
        (("s3://b", "x"), ("s3://b", "x/y"), False),
        (("s3://c", "x/y"), ("s3://b", "x"), False),
        (("fs:///srv/xy", ""), ("fs:///srv/x", ""), False),
    ],
)
def test_what_lies_below_a_place(
    one: tuple[str, str], other: tuple[str, str], *, expected: bool
) -> None:
    """A directory is below itself and every one above it; a name that only begins alike is not."""
    assert is_below(*one, *other) is expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("s3://b", "x"), ("s3://b/x", "")),
        (("s3://b", "x"), ("S3://b", "/x/")),
        (("s3://b", "x"), ("s3a://b", "x/y/z")),
        (("s3://b", "a/../x"), ("s3://b", "x")),
        (("gcs://b@r", "x"), ("gs://b/r", "x")),
        (("minio://a:b@h:80/b", "x"), ("minio://c:d@http://H/b", "x")),
        (("minio://a:b@https://h:443/b", "x"), ("minio://c:d@https://h/b", "x")),
        (("fs:///srv/a", "x"), ("file:///srv//a/", "x/y")),
        (("fs:///srv/a", "x"), ("fs:///srv/b/../a", "x")),
        (("fs:///srv", ""), ("fs:///srv/b", "x")),
    ],
)
def test_an_overlap_is_found(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Of two places among many, whichever is above; the first of the two is named first."""
    others = [("s3://other", "x"), ("fs:///elsewhere", "x"), ("s3://b", "xy")]
    assert find_overlap([one, *others, other]) == (0, 4)
    assert find_overlap([*others, other, one]) == (3, 4)


def test_places_apart_do_not_overlap() -> None:
    """Neither does a name that begins as another one does."""
    places = [
        *(("s3://b", "x"), ("s3://b", "xy"), ("s3://b", "x-y"), ("s3://b", "y/x"), ("gs://b", "x")),
        *(("minio://a:b@h:81/b", "x"), ("minio://a:b@https://h/b", "x"), ("fs:///x", "b")),
        *(("minio://a:b@h/b", "x"), ("nonsense", "x"), ("nonsense", "y")),
    ]
    assert find_overlap(places) is None
    assert find_overlap([]) is None
