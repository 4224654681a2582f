"""Which clusters a command line means, taken out of its words before all else; and that no location
and no password comes from anywhere but the cluster's own table.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from metasnapshot import client_variables
from metasnapshot.cli.aliases import META_ADDRESS, OPTIONS, SQL, translate
from metasnapshot.cli.run import current
from metasnapshot.cli.settings import LOCATIONS, PASSWORD_VARIABLE, setting_of
from metasnapshot.errors import UsageError

NAME, ALL = "--cluster", "--all-clusters"
PARALLEL, TIMEOUT = "--parallel", "--cluster-timeout"
OURS = (NAME, ALL, PARALLEL, TIMEOUT)
CLUSTER_ID = "--cluster-id"
UUID = r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
"""The id of a cluster, which --cluster took before it took names; no table is named so."""
VIA_META = "--via-meta"
ELSEWHERE = "or leave out --cluster, and give every location"


class Choice(NamedTuple):
    """What a command line says of clusters.

    Attributes:
        words: the rest of it.
        name: of the cluster that is meant, if one is.
        is_all: whether all are.
        parallel: how many at a time, as it was typed.
        timeout: how long each may take, as it was typed.
    """

    words: list[str]
    name: str | None = None
    is_all: bool = False
    parallel: str | None = None
    timeout: str | None = None

    @property
    def is_made(self) -> bool:
        """Whether a table of the file is meant."""
        return self.is_all or self.name is not None


def take_clusters(arguments: Sequence[str]) -> list[str]:
    """Let what a command line says of clusters hold for the run; returns the rest of it, in our
    words. Who asks for help has it all parsed with the other options.

    Raises:
        UsageError: it says too much of them, or a location.
    """
    if "--help" in arguments or "-h" in arguments:
        return translate(arguments)
    choice = choose(arguments)
    if not choice.is_made:
        return translate(choice.words)
    cluster = "NAME" if choice.name is None else choice.name
    require_no_location(choice.words, cluster)
    words = translate(choice.words)
    if VIA_META in words:  # nobody typed it
        raise _refused(f"environment variable {META_ADDRESS}", _place(VIA_META, cluster))
    current().configuration.cluster = choice.name
    current().clusters = choice if choice.is_all else None
    return words


def choose(words: Sequence[str]) -> Choice:
    """Take the options of clusters out of a command line.

    Raises:
        UsageError: they contradict each other, or lack a value.
    """
    rest, said = list[str](), dict[str, str]()
    pending = iter(words)
    for word in pending:
        option, equals, value = word.partition("=")
        if word == "--":
            rest += [word, *pending]
        elif option not in OURS:
            rest.append(word)
        else:
            given = _value(option, value if equals or option == ALL else next(pending, ""), equals)
            if option == NAME and re.fullmatch(UUID, given):
                rest += [CLUSTER_ID, given]
            elif option in said:
                raise UsageError(f"{option} is given twice", hint=f"{ALL} means every cluster")
            else:
                said[option] = given
    if NAME in said and ALL in said:
        raise UsageError(f"{NAME} and {ALL} exclude each other", hint="give one of the two")
    for option in (PARALLEL, TIMEOUT):
        if option in said and ALL not in said:
            raise UsageError(f"{option} means nothing without {ALL}")
    return Choice(rest, said.get(NAME), ALL in said, said.get(PARALLEL), said.get(TIMEOUT))


def _value(option: str, given: str, equals: str) -> str:
    """The value that an option has, with or without a sign between.

    Raises:
        UsageError: it needs one, or takes none.
    """
    if option == ALL and equals:
        raise UsageError(f"{ALL} takes no value", hint=f"{NAME} NAME means one")
    if option != ALL and (not given or (given.startswith("--") and not equals)):
        raise UsageError(f"{option} needs a value")
    return given


def require_no_location(words: Iterable[str], cluster: str) -> None:
    """Refuse locations on a command line and in the environment: one would be that of every
    cluster, and one store would go into every directory.

    Args:
        words: as they were typed.
        cluster: name of the cluster that is meant, or NAME if all are.

    Raises:
        UsageError: there is one.
    """
    for word in words:
        if word == "--":
            break
        option = word.partition("=")[0]
        ours = OPTIONS.get(option, option)
        if ours in LOCATIONS or option in SQL or ours == VIA_META:
            raise _refused(option, _place(ours, cluster))
    for option in LOCATIONS:
        setting = setting_of(option)
        if setting is not None and setting.variable in os.environ:
            raise _refused(f"environment variable {setting.variable}", _place(option, cluster))
    if PASSWORD_VARIABLE in os.environ:
        place = _place("--meta-store-password-file", cluster)
        raise _refused(f"environment variable {PASSWORD_VARIABLE}", place)


def require_no_client_variable(url: str, cluster: str) -> None:
    """Refuse variables of a database's own client that say which server it is, or its password.

    Args:
        url: the meta store of the cluster.
        cluster: its name.

    Raises:
        UsageError: there is one.
    """
    places, password = client_variables(url)
    for name in (*places, password):
        if name is not None and name in os.environ:
            option = "--meta-store-password-file" if name == password else "--meta-store"
            raise _refused(f"environment variable {name}", _place(option, cluster))


def _place(option: str, cluster: str) -> str:
    """Where a location belongs, as a hint says it."""
    if option == VIA_META:
        return f"a meta node has no place in a table; leave out {NAME}, and give every location"
    setting = setting_of("--meta-store" if option in SQL else option)
    assert setting is not None
    key = f"cluster.{cluster}.{setting.table}.{setting.key}"
    return f"it belongs into the cluster's table, as {key}; {ELSEWHERE}"


def _refused(what: str, hint: str) -> UsageError:
    return UsageError(f"{what}: a location or password of one cluster, for no other", hint=hint)
