"""Where objects are: a store that is open, and the rule by which each of them has its path there.

The rule and the place are plain data, which may go to another machine; what opens the store, and
may hold credentials, never goes. A machine takes that from its own environment.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from metasnapshot.catalogue import area
from metasnapshot.catalogue.full_header import AREA
from metasnapshot.contents.ownership import CLUSTER_ID_NAME
from metasnapshot.hummock.objects import NeededObject
from metasnapshot.hummock.paths import object_path
from metasnapshot.store.local import LocalStore
from metasnapshot.store.port import Store, join
from metasnapshot.store.shown_url import shown_url

Role = Literal["state", "backup", "copy", "output"]
VARIABLES: dict[Role, str] = {
    "state": "METASNAPSHOT_HUMMOCK_STORAGE_URL",
    "backup": "METASNAPSHOT_BACKUP_STORAGE_URL",
    "copy": "METASNAPSHOT_COPY_STORAGE_URL",
    "output": "",
}
"""Where a machine says how it reaches the state store, the backups, and the target of a copy. What
it writes files into has one path everywhere.
"""


class Place(NamedTuple):
    """A directory of objects, without what opens its store.

    Attributes:
        role: what it is to the cluster.
        url: of the store, without credentials.
        directory: the data directory, or the directory of a backup's objects.
        prefixed: whether a data directory has directories named after a hash of the ids.
    """

    role: Role
    url: str
    directory: str
    prefixed: bool = True

    def path_of(self, item: NeededObject) -> str:
        """The path of an object."""
        if self.role == "state":
            return object_path(self.directory, item.id, item.suffix, prefixed=self.prefixed)
        return f"{self.directory}/{area.object_name(item)}"

    @property
    def identity_path(self) -> str:
        """The document that says which place it is."""
        name = CLUSTER_ID_NAME if self.role == "state" else area.AREA_NAME
        return join(self.directory, name)

    @property
    def variable(self) -> str:
        """Where a machine says how it reaches the store."""
        return VARIABLES[self.role]

    @property
    def hint(self) -> str:
        """What a machine needs that does not see it."""
        if not self.variable:
            return f"every worker needs {self.url} under the same path"
        return f"say in its environment how it reaches that place: {self.variable}"


class Side(NamedTuple):
    """A store, and the place in it."""

    store: Store
    place: Place

    def path_of(self, item: NeededObject) -> str:
        """The path of an object."""
        return self.place.path_of(item)


def url_of(store: Store) -> str:
    """The URL of a store as other machines may know it: without credentials, and a local directory
    by its whole path.
    """
    local = getattr(store, "local", None)
    if not isinstance(local, LocalStore):
        return shown_url(store.url)
    return f"fs://{local.root.absolute()}"


def state_side(store: Store, directory: str, *, prefixed: bool) -> Side:
    """A data directory.

    Args:
        store: the state store.
        directory: the data directory.
        prefixed: whether objects lie in directories named after a hash of their id.
    """
    return Side(store, Place("state", url_of(store), directory, prefixed))


def area_side(store: Store, directory: str, role: Role = "backup") -> Side:
    """The area of a backup directory.

    Args:
        store: where it is.
        directory: the backup directory.
        role: the backups, or the target of a copy.
    """
    return Side(store, Place(role, url_of(store), join(directory, AREA)))
