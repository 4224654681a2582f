"""Values that Python has no exact type for: blobs, timestamps with nanoseconds, parallelism."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import total_ordering
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from metasnapshot_models.definitions import ColumnType

if TYPE_CHECKING:
    from google.protobuf.message import Message

U64_MAX = (1 << 64) - 1
NANOSECONDS = 1_000_000_000

TIMESTAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{3}|\d{6}|\d{9}))?", re.ASCII
)
SECOND = len("2024-07-01T08:00:00")


class Blob:
    """Bytes of a row; equal to another blob of the same bytes.

    Attributes:
        bytes: the bytes.
        type: the column type they stand in, if they came out of a row or a table.
        era: the state of the protobuf messages that their release speaks.
    """

    __slots__ = ("bytes", "era", "type")

    def __init__(
        self,
        data: bytes,
        type: ColumnType | None = None,  # noqa: A002
        era: str = "",
    ) -> None:
        self.bytes = data
        self.type = type
        self.era = era

    @property
    def message(self) -> Message | list[Message] | dict[str, Message] | None:
        """The protobuf message that the bytes hold, or a list or dict of them as the type wraps it;
        None for raw bytes.

        Raises:
            RowError: the bytes do not decode as that message.
        """
        if self.type is None or not self.type.message:
            return None
        from metasnapshot.format.messages import decode  # noqa: PLC0415 - loads protobuf

        return decode(self.bytes, self.type.message, self.type.wrapper, self.era)

    @property
    def json(self) -> Any:
        """A value for display: the message as proto3 JSON, or the list of integers of raw bytes."""
        message = self.message
        if message is None:
            return list(self.bytes)
        from metasnapshot.format import messages  # noqa: PLC0415 - loads protobuf

        if isinstance(message, dict):
            return {key: messages.to_json(value) for key, value in message.items()}
        if isinstance(message, list):
            return [messages.to_json(value) for value in message]
        return messages.to_json(message)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Blob) and self.bytes == other.bytes

    def __hash__(self) -> int:
        return hash(self.bytes)

    def __repr__(self) -> str:
        name = self.type.name if self.type else "bytes"
        return f"Blob({name}, {len(self.bytes)} bytes)"


def plain_text(text: str) -> str:
    """A row's timestamp without zeros that say nothing."""
    return as_chrono(text) if text.endswith("000") else text


def as_chrono(text: str) -> str:
    """Zero, three, six or nine digits behind the second, as few as hold them."""
    second, point, digits = text.partition(".")
    if not point:
        return text
    fraction = digits.ljust(9, "0")
    while fraction.endswith("000"):
        fraction = fraction[:-3]
    return f"{second}.{fraction}" if fraction else second


def described(value: Any) -> str:
    """A value for messages: what it is, never what it says. It may be a secret."""
    size = f" of {len(value)}" if isinstance(value, (str, bytes)) else ""
    return f"a {type(value).__name__}{size}"


@total_ordering
class Timestamp:
    """A point in time without zone, exact to the nanosecond and to its text:
    `2024-07-01T08:00:00.123456789`.

    Zero, three, six or nine digits follow the second, as chrono prints them. Python's datetime
    would cut the last three.
    """

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        """Take the text of a row.

        Raises:
            ValueError: it is no such timestamp.
        """
        if TIMESTAMP.fullmatch(text) is None:
            raise ValueError(f"{described(text)} is not a timestamp as 2024-07-01T08:00:00.123456")
        try:
            datetime.fromisoformat(text[:SECOND])
        except ValueError as error:
            raise ValueError("a timestamp of a day or time that there is not") from error
        self.text = text

    @classmethod
    def parse(cls, text: str) -> Timestamp:
        """Take a database's text, with a space or a T and up to nine digits, in chrono's form."""
        return cls(as_chrono(text.replace(" ", "T", 1)))

    @property
    def plain(self) -> str:
        """The text without zeros that say nothing: what a database gives back."""
        return as_chrono(self.text)

    @property
    def nanoseconds(self) -> int:
        """Nanoseconds since 1970-01-01, in UTC."""
        match = TIMESTAMP.fullmatch(self.text)
        assert match is not None, "checked by the constructor"
        second = datetime(*(int(part) for part in match.groups()[:6]), tzinfo=UTC)
        return int(second.timestamp()) * NANOSECONDS + int((match[7] or "").ljust(9, "0"))

    def datetime(self) -> datetime:
        """The same point, cut to microseconds, in UTC."""
        return datetime.fromtimestamp(self.nanoseconds // 1000 / 1_000_000, UTC)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Timestamp({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Timestamp) and self.text == other.text

    def __lt__(self, other: Timestamp) -> bool:
        return self.nanoseconds < other.nanoseconds

    def __hash__(self) -> int:
        return hash(self.text)


class Fixed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parallelism of exactly n actors, n a u64: `{"Fixed":4}`."""

    n: Annotated[int, msgspec.Meta(ge=0)] = msgspec.field(name="Fixed")

    def __post_init__(self) -> None:
        """Hold n to 64 bits, a bound that msgspec cannot express."""
        if not 0 <= self.n <= U64_MAX:
            raise ValueError(f"{self.n} actors are not a u64")


Parallelism = Literal["Adaptive", "Custom"] | Fixed
"""StreamingParallelism as RisingWave's models have it."""
