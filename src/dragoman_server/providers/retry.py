"""Whether to try a failed call again, and when: the entry's hints, Retry-After, else exponential waiting. Pure.

Only standard `Retry-After` counts on every failure; a header that says when the quota resets is on every answer of most
APIs, so it counts only when the answer says the quota is used up.
"""

import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, cast

from dragoman_server.providers.model import Provider

BASE_SECONDS = 3.0
LONGEST_BACKOFF_SECONDS = 600.0
LONGEST_STATED_SECONDS = 86_400.0
_LONGEST_PATTERN = 300
_LONGEST_BODY = 1_000_000
_LONGEST_SEARCHED = 2_000
_NESTED_REPEAT = re.compile(r"[*+}]\)[*+{]|\)[*+]\)[*+{]|[*+}][^()]*\)[*+{]")
_NUMBER = re.compile(r"\s*[+-]?(?:\d{1,18}(?:\.\d{0,18})?|\.\d{1,18})\s*", re.ASCII)
_DURATION = re.compile(r"(?:(\d{1,9}(?:\.\d{1,9})?)h)?(?:(\d{1,9}(?:\.\d{1,9})?)m)?(?:(\d{1,9}(?:\.\d{1,9})?)s)?"
                       r"(?:(\d{1,9}(?:\.\d{1,9})?)ms)?", re.ASCII)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RetryHeaders:
    """What a caller names itself: headers that say at what time, or after how many seconds, to try again."""

    at: str | None = None
    after: str | None = None


_NO_HEADERS = RetryHeaders()


def wait_before_retry(
    provider: Provider,
    status: int,
    headers: Sequence[tuple[str, str]] | Mapping[str, str],
    body_text: str | None,
    attempt: int,
    now: datetime,
    *,
    retry_on: Collection[int] = (),
    caller: RetryHeaders = _NO_HEADERS,
) -> float | None:
    """Return the seconds to wait before the next try, or None when the answer should stand.

    `attempt` is 0 after the first try. A 401 is no reason to wait: the caller refreshes the credential instead, unless
    the entry or `retry_on` lists it.
    """
    hints = provider.proxy.retry
    named = _by_name(headers)
    used_up = status >= 400 and _quota_used_up(hints, named)
    listed = _listed(hints.get("error_code"), status)
    usual = status == 429 or status >= 500 if hints.get("error_code") is None else False
    in_body = _wait_in_body(hints.get("in_body"), body_text, now) if status >= 400 else _NOT_MATCHED
    if not (usual or listed or used_up or in_body is not _NOT_MATCHED or status in retry_on):
        return None
    limited = status == 429 or used_up or listed
    stated = _stated(hints, named, now, limited=limited, caller=caller)
    if isinstance(in_body, float):
        stated.append(in_body)
    return min(max(stated), LONGEST_STATED_SECONDS) if stated else backoff(attempt)


def backoff(attempt: int) -> float:
    """Return 3 s, 6 s, 12 s ... and never more than ten minutes."""
    return min(BASE_SECONDS * 2.0 ** max(0, min(attempt, 30)), LONGEST_BACKOFF_SECONDS)


def reads_body(provider: Provider) -> bool:
    """Whether the entry's hints look into the body of a failed answer."""
    return "in_body" in provider.proxy.retry


def _by_name(headers: Sequence[tuple[str, str]] | Mapping[str, str]) -> dict[str, list[str]]:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name.lower(), []).append(value)
    return found


def _names(value: Any) -> list[str]:
    if value is None:
        return []
    items = cast("list[Any]", value) if isinstance(value, list | tuple) else [value]
    return [str(item).lower() for item in items]


def _quota_used_up(hints: Mapping[str, Any], named: Mapping[str, list[str]]) -> bool:
    for name in _names(hints.get("remaining")):
        for text in named.get(name, ()):
            number = _number(text)
            if number is not None and number <= 0:
                return True
    return False


def _listed(codes: Any, status: int) -> bool:
    """Whether `status` is among exact codes, classes like `5xx` and ranges like `500-502`."""
    return any(_is_code(piece.strip(), status) for code in _names(codes) for piece in code.split(","))


def _is_code(code: str, status: int) -> bool:
    if re.fullmatch(r"[1-9]xx", code):
        return status // 100 == int(code[0])
    low, dash, high = code.partition("-")
    if not (low.strip().isdecimal() and len(low) < 8 and (not dash or (high.strip().isdecimal() and len(high) < 8))):
        return False
    return int(low) <= status <= int(high if dash else low)


def _stated(
    hints: Mapping[str, Any], named: Mapping[str, list[str]], now: datetime, *, limited: bool, caller: RetryHeaders
) -> list[float]:
    """Return every wait the headers state, in seconds from `now`."""
    after, at = ["retry-after"], _names(caller.at)
    after += [*_names(caller.after), *_names(hints.get("after"))]
    if limited:
        at += _names(hints.get("at"))
    waits = [seconds_after(text, now) for name in dict.fromkeys(after) for text in named.get(name, ())]
    waits += [seconds_until(text, now) for name in dict.fromkeys(at) for text in named.get(name, ())]
    return [wait for wait in waits if wait is not None]


def seconds_after(text: str, now: datetime) -> float | None:
    """Read a delay: seconds, a duration like `1m30s`, or an HTTP date (RFC 9110 section 10.2.3)."""
    number = _number(text)
    if number is not None:
        return max(0.0, number)
    duration = _duration(text.strip())
    return duration if duration is not None else _until_date(text, now)


def seconds_until(text: str, now: datetime) -> float | None:
    """Read a time: epoch seconds or milliseconds, ISO 8601, or an HTTP date; a small number is a delay in seconds."""
    number = _number(text)
    if number is None:
        return _until_date(text, now)
    if number > 100_000_000_000:
        number /= 1000
    return max(0.0, number - now.timestamp()) if number > 1_000_000_000 else max(0.0, number)


def _number(text: str) -> float | None:
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def _duration(text: str) -> float | None:
    found = _DURATION.fullmatch(text) if text else None
    if found is None:
        return None
    hours, minutes, seconds, milliseconds = (float(piece or 0) for piece in found.groups())
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000


def _until_date(text: str, now: datetime) -> float | None:
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            when = read(text.strip()[:100])
            when = when if when.tzinfo else when.replace(tzinfo=UTC)
            return max(0.0, (when - now).total_seconds())
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


class _NotMatched:
    """The body says nothing about trying again."""


_NOT_MATCHED = _NotMatched()


def _wait_in_body(hint: Any, body_text: str | None, now: datetime) -> float | _NotMatched | None:
    """Return the wait the body states, None when it asks without stating one, `_NOT_MATCHED` when it does not ask."""
    if not hint or body_text is None or len(body_text) > _LONGEST_BODY:
        return _NOT_MATCHED
    text = _text_at(body_text, str(hint["path"]))
    found = _compiled(str(hint["value"])).search(text[:_LONGEST_SEARCHED]) if text is not None else None
    if found is None:
        return _NOT_MATCHED
    captured = next((group for group in found.groups() if group), None)
    if captured is None:
        return None
    return seconds_until(captured, now) if hint.get("strategy") == "at" else seconds_after(captured, now)


def _text_at(body_text: str, path: str) -> str | None:
    try:
        value: Any = json.loads(body_text)
    except (ValueError, RecursionError):
        return None
    for key in path.split("."):
        if isinstance(value, Mapping):
            value = cast("Mapping[str, Any]", value).get(key)
        elif isinstance(value, list) and key.isdecimal() and len(key) < 6:
            items = cast("list[Any]", value)
            value = items[int(key)] if int(key) < len(items) else None
        else:
            return None
    return value if isinstance(value, str) else (None if value is None else json.dumps(value))


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> "re.Pattern[str]":
    return re.compile(pattern)


def check_pattern(pattern: str) -> str | None:
    """Return why a pattern for `in_body` is refused, or None: it must compile, be short and repeat no repetition."""
    if len(pattern) > _LONGEST_PATTERN:
        return f"the pattern is longer than {_LONGEST_PATTERN} characters"
    if _NESTED_REPEAT.search(pattern) or re.search(r"\\[1-9]", pattern):
        return "the pattern repeats a repetition or refers back, which can take for ever"
    try:
        re.compile(pattern)
    except re.error as error:
        return f"the pattern is no regular expression: {error.msg}"
    return None
