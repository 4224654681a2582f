from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from goldens import SMALL

import metasnapshot
from metasnapshot import Blob, HummockVersion, MetaSnapshot, Timestamp
from metasnapshot_models.layouts import LAYOUTS, RELEASES
from metasnapshot_models.models import Cluster, SerdeSeaqlMigration, User


@pytest.fixture(scope="session")
def small() -> bytes:
    """A small golden snapshot: a 3.0.3 cluster right after its first start."""
    return SMALL.read_bytes()


@pytest.fixture(scope="session")
def tiny() -> bytes:
    """A snapshot of layout 1.9.0 with a user and a cluster, of about a thousand bytes."""
    layout = LAYOUTS["1.9.0"]
    rows: dict[str, list[Any]] = {section: [] for section, _ in layout.sections}
    rows["seaql_migrations"] = [
        SerdeSeaqlMigration(version=name, applied_at=1700000000)
        for name in sorted(RELEASES["1.9.0"].migrations)
    ]
    rows["clusters"] = [
        Cluster(cluster_id=UUID(int=7), created_at=Timestamp("2024-07-01T08:00:00"))
    ]
    rows["users"] = [
        User(
            user_id=1,
            name="root",
            is_super=True,
            can_create_db=True,
            can_create_user=True,
            can_login=True,
            auth_info=Blob(bytes(range(20))),
        )
    ]
    version = HummockVersion("json", [b'{"id":"1"}'], layout.era)
    return metasnapshot.dumps(MetaSnapshot(2, 1, "1.9.0", layout.releases, rows, version))
