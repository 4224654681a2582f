"""What metasnapshot.toml and the environment set, for cyclopts: fills options that nobody typed."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App
from cyclopts.argument import ArgumentCollection, Token

from metasnapshot.cli.settings import DEFAULT, Value, check_environment, read_file, resolve


class Configuration:
    """What metasnapshot.toml sets, for cyclopts: fills options that nobody gave."""

    def __init__(self) -> None:
        self.values: dict[str, Value] = {}
        self.filled: dict[str, str] = {}
        """Options that nobody typed, and where their values come from."""

    def load(self, path: Path | None) -> None:
        """Read the file and look at the environment.

        Raises:
            UsageError: one of them sets what is no setting.
        """
        check_environment()
        self.filled.clear()
        self.values = read_file(path)

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

    def origins(self, text: str) -> list[str]:
        """Where the options that a text names come from, if nobody typed them."""
        named = {word.rstrip(".,:;)") for word in text.split()}
        return [f"{name} is from {origin}" for name, origin in self.filled.items() if name in named]
