"""Seconds of 60: RisingWave takes `23:59:60` and stores it as 59 with nanoseconds that go on."""

from __future__ import annotations

from metasnapshot.sst.place import Place

NANOS = 1_000_000_000
MINUTE_S = 60


class Leap(int):
    """Nanoseconds that end in a second of 60. As a number it is that of the second after, which is
    another one: a column that cannot hold the difference has to refuse it.
    """


def nanoseconds(seconds: int, nanos: int, place: Place) -> int:
    """Seconds and nanoseconds as nanoseconds (chrono's NaiveTime, as RisingWave uses it).

    Raises:
        SstDamage: there are more nanoseconds than that second has.
    """
    if nanos < NANOS:
        return seconds * NANOS + nanos
    if nanos < 2 * NANOS and seconds % MINUTE_S == MINUTE_S - 1:
        return Leap(seconds * NANOS + nanos)
    raise place.damaged(f"{nanos} nanoseconds in the second {seconds}")
