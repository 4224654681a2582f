"""Days since 1970 and dates of the proleptic Gregorian calendar, of any year: Python's own end at
the years 1 and 9999.
"""

from __future__ import annotations

ERA_DAYS = 146_097
"""Of 400 years."""
ERA_YEARS = 400
TO_MARCH_0 = 719_468
"""Days from 0000-03-01 to 1970-01-01."""
MARCH = 3


def date_of(days: int) -> tuple[int, int, int]:
    """Year (0 is 1 BC), month and day. Years are counted from March, so that the leap day is the
    last.
    """
    era, of_era = divmod(days + TO_MARCH_0, ERA_DAYS)
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    month = month + MARCH if month + MARCH <= 12 else month + MARCH - 12  # noqa: PLR2004
    return year + era * ERA_YEARS + (month < MARCH), month, day


def days_of(year: int, month: int, day: int) -> int:
    """Days since 1970 of a date."""
    year -= month < MARCH
    era, of_era = divmod(year, ERA_YEARS)
    of_year = (153 * ((month - MARCH) % 12) + 2) // 5 + day - 1
    return era * ERA_DAYS + of_era * 365 + of_era // 4 - of_era // 100 + of_year - TO_MARCH_0
