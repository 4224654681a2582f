"""What metasnapshot.toml and the environment set, for cyclopts: fills options that nobody typed."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App
from cyclopts.argument import ArgumentCollection, Token

from metasnapshot.cli.settings import (
    DEFAULT,
    LOCATIONS,
    Value,
    check_environment,
    read_file,
    resolve,
    setting_of,
)


class Configuration:
    """What metasnapshot.toml sets, for cyclopts: fills options that nobody gave."""

    def __init__(self) -> None:
        self.is_asked = False
        """Whether the command line was understood so far that settings were wanted."""
        self.values: dict[str, Value] = {}
        self.cluster: str | None = None
        """Name of the cluster whose table of the file holds, if one is meant."""
        self.clusters: tuple[str, ...] = ()
        """Names of the clusters that the file has."""
        self.filled: dict[str, str] = {}
        """Options that nobody typed, and where their values come from."""

    def load(self, path: Path | None) -> None:
        """Read the file and look at the environment.

        Raises:
            UsageError: one of them sets what is no setting, or the file has no table of the
                cluster that is meant.
        """
        self.is_asked = True
        check_environment()
        self.filled.clear()
        file = read_file(path)
        self.clusters = tuple(file.clusters)
        self.values = file.values
        if self.cluster is not None:
            from metasnapshot.cli.clusters.tables import values_of  # noqa: PLC0415 - few have them

            self.values = values_of(file, self.cluster)

    def __call__(self, app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
        """Fill in what nobody typed; the environment wins over the file."""
        del app, commands
        known = {item.option: value for item, value in resolve(self.values).items()}
        for argument in arguments:
            value = known.get(argument.name)
            if value is None or value.text is None or value.origin == DEFAULT or argument.tokens:
                continue
            self.filled[argument.name] = value.origin
            argument.append(Token(keyword=argument.name, value=value.text, source=value.origin))

    def or_elsewhere(self, option: str) -> str:
        """What to add to an option that is needed: where else it can be said, if it is a setting;
        of a cluster with a table, there and nowhere else.
        """
        setting = setting_of(option)
        if setting is None:
            return ""
        if self.cluster is None or option not in LOCATIONS:
            return f" (or {setting.variable})"
        return f", as cluster.{self.cluster}.{setting.table}.{setting.key} of the settings file"

    def directory(self) -> str:
        """The backup directory as the settings have it, without credentials; empty if not."""
        found = {item.option: value.text or "" for item, value in resolve(self.values).items()}
        url = found["--backup-storage-url"]
        from metasnapshot import shown_url  # noqa: PLC0415 - only what is told of a run needs it

        return f"{shown_url(url)}/{found['--backup-storage-directory']}" if url else ""

    def which_cluster(self) -> str:
        """A hint for who left a location out; empty if the file has no clusters."""
        if self.cluster is not None or not self.clusters:
            return ""
        known = ", ".join(self.clusters)
        return f"--cluster NAME takes it from the settings file, which has {known}"

    def origins(self, text: str) -> list[str]:
        """Where the options that a text names come from, if nobody typed them."""
        named = {word.rstrip(".,:;)") for word in text.split()}
        return [f"{name} is from {origin}" for name, origin in self.filled.items() if name in named]
