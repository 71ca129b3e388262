"""The proleptic Gregorian calendar on plain integers, for any int64 moment."""

DAY = 86_400_000_000
"""Microseconds of a day."""

_FIXED = {"second": 1_000_000, "minute": 60_000_000, "hour": 3_600_000_000, "day": DAY}
_QUARTER = 3


def civil(days: int) -> tuple[int, int, int]:
    """Return year, month and day of a date given in days since 1970-01-01 (Hinnant's algorithm)."""
    shifted = days + 719_468  # days since 0000-03-01, so that the leap day comes last in its year
    era, day_of_era = divmod(shifted, 146_097)
    year_of_era = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted_month = (5 * day_of_year + 2) // 153
    month = (shifted_month + 2) % 12 + 1
    return year_of_era + era * 400 + (month <= 2), month, day_of_year - (153 * shifted_month + 2) // 5 + 1  # noqa: PLR2004 - January and February


def days_before(year: int, month: int) -> int:
    """Return the days from 1970-01-01 to the first of a month."""
    shifted = year - (month <= 2)  # noqa: PLR2004 - January and February belong to the year before
    era, year_of_era = divmod(shifted, 400)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5
    return era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468


def truncated(unit: str, ts: int) -> int:
    """Return the moment at which the unit around `ts` began, in microseconds."""
    if (size := _FIXED.get(unit)) is not None:
        return ts // size * size
    days = ts // DAY
    if unit == "week":
        return (days - (days + 3) % 7) * DAY
    year, month, _ = civil(days)
    first = {"month": month, "quarter": (month - 1) // _QUARTER * _QUARTER + 1, "year": 1}[unit]
    return days_before(year, first) * DAY
