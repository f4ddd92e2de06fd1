"""`now` in templates: shifting and writing a time with the day.js tokens the catalogue's vocabulary uses. Pure."""

import re
from datetime import UTC, datetime, timedelta

from dragoman_server.providers.errors import TemplateError

_SECONDS = {"millisecond": 0.001, "second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
_MONTHS = {"month": 1, "year": 12}
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTH_NAMES = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
                "November", "December")  # fmt: skip
_TOKEN = re.compile(r"\[([^\]]*)\]|YYYY|YY|M{1,4}|D{1,2}|d{1,4}|H{1,2}|h{1,2}|a|A|m{1,2}|s{1,2}|SSS|Z{1,2}|X|x")


def shift_time(now: datetime, amount: int, unit: str) -> datetime:
    """Return `now` moved by `amount` units; months keep the day where they can."""
    name = unit.lower().removesuffix("s")
    try:
        if name in _SECONDS:
            return now + timedelta(seconds=amount * _SECONDS[name])
        if name in _MONTHS:
            return _add_months(now, amount * _MONTHS[name])
    except (OverflowError, ValueError) as error:
        raise TemplateError(f"now{amount:+d}:{unit} is outside the calendar.") from error
    raise TemplateError(f"`{unit[:50]}` is no unit of time; use one of {', '.join((*_SECONDS, *_MONTHS))}.")


def _add_months(now: datetime, months: int) -> datetime:
    index = now.year * 12 + now.month - 1 + months
    year, month = divmod(index, 12)
    first_of_next = datetime(year + (month == 11), (month + 1) % 12 + 1, 1, tzinfo=UTC)
    last_day = (first_of_next - timedelta(days=1)).day
    return now.replace(year=year, month=month + 1, day=min(now.day, last_day))


def format_time(moment: datetime, layout: str | None) -> str:
    """Return `moment` in UTC: ISO 8601 with milliseconds, or as `layout` says."""
    at = moment.astimezone(UTC)
    if layout is None:
        return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
    return _TOKEN.sub(lambda found: _token(at, found), layout)


def _token(at: datetime, found: "re.Match[str]") -> str:
    token = found[0]
    if token.startswith("["):
        return found[1]
    twelve = at.hour % 12 or 12
    numbers = {"M": at.month, "D": at.day, "H": at.hour, "h": twelve, "m": at.minute, "s": at.second}
    if len(token) <= 2 and token[0] in numbers:
        return f"{numbers[token[0]]:0{len(token)}d}"
    match token:
        case "YYYY":
            return f"{at.year:04d}"
        case "YY":
            return f"{at.year % 100:02d}"
        case "MMM":
            return _MONTH_NAMES[at.month - 1][:3]
        case "MMMM":
            return _MONTH_NAMES[at.month - 1]
        case "d":
            return str((at.weekday() + 1) % 7)
        case "dd" | "ddd" | "dddd":
            return _DAYS[at.weekday()][: {2: 2, 3: 3}.get(len(token))]
        case "SSS":
            return f"{at.microsecond // 1000:03d}"
        case "a" | "A":
            half = "am" if at.hour < 12 else "pm"
            return half.upper() if found[0].isupper() else half
        case "Z":
            return "+00:00"
        case "ZZ":
            return "+0000"
        case "X":
            return str(int(at.timestamp()))
        case _:
            return str(int(at.timestamp() * 1000))
