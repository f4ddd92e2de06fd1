"""Reading the query of a listing: strict, every list repeatable or comma-separated, every mistake named."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from fastapi import Request

from dragoman_server.web.strict import refuse

E = TypeVar("E", bound=StrEnum)
LONGEST_CURSOR = 1000
LONGEST_TEXT = 500


class ListingQuery:
    """The query of one request; raises 400 `invalid_query_params` for what is unknown or cannot be read."""

    def __init__(self, request: Request, known: Iterable[str]) -> None:
        self._values: dict[str, list[str]] = {}
        names = set(known)
        for name, value in request.query_params.multi_items():
            plain = name.removesuffix("[]")
            if plain not in names:
                raise refuse("query", "unrecognized_keys", f"Unrecognized key: {name[:100]!r}")
            if "\0" in value:
                raise refuse("query", "invalid_format", "it holds a NUL", plain)
            self._values.setdefault(plain, []).append(value)

    def one(self, name: str, *, longest: int = LONGEST_TEXT) -> str | None:
        """Return a value given at most once; None when absent or empty."""
        values = self._values.get(name, [])
        if len(values) > 1:
            raise refuse("query", "invalid_type", "expected one value", name)
        if values and len(values[0]) > longest:
            raise refuse("query", "too_big", f"at most {longest} characters", name)
        return (values[0] or None) if values else None

    def many(self, name: str, *, commas: bool = True) -> list[str]:
        """Return values given repeatedly or, unless they may hold commas themselves, with commas."""
        given = self._values.get(name, [])
        found = [part for value in given for part in (value.split(",") if commas else [value]) if part]
        if len(found) > 100 or any(len(part) > 255 for part in found):
            raise refuse("query", "too_big", "at most 100 values of 255 characters", name)
        return found

    def choices(self, name: str, kind: type[E]) -> list[E]:
        """Return values of an enumeration."""
        try:
            return [kind(value) for value in self.many(name)]
        except ValueError:
            raise refuse("query", "invalid_type", f"expected any of {', '.join(kind)}", name) from None

    def number(self, name: str, default: int, *, lowest: int, highest: int) -> int:
        """Return a whole number within bounds."""
        text = self.one(name)
        if text is None:
            return default
        if not re.fullmatch(r"[0-9]{1,9}", text):
            raise refuse("query", "invalid_type", "expected a whole number", name)
        number = int(text)
        if number < lowest:
            raise refuse("query", "too_small", f"at least {lowest}", name)
        if number > highest:
            raise refuse("query", "too_big", f"at most {highest}", name)
        return number

    def time(self, name: str) -> datetime | None:
        """Return an ISO-8601 time; without an offset it is UTC."""
        text = self.one(name, longest=40)
        if text is None:
            return None
        try:
            at = datetime.fromisoformat(text.replace(" ", "+"))
            return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        except (ValueError, OverflowError):
            raise refuse("query", "invalid_format", "expected an ISO-8601 time", name) from None

    def cursor(self, name: str = "cursor") -> str | None:
        """Return the cursor; its listing judges it."""
        return self.one(name, longest=LONGEST_CURSOR)
