"""A secret an operation was told to hide is in nothing it stores; secret names are masked without being told."""

import base64
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from hypothesis import example, given
from hypothesis import strategies as st

from dragoman_server.db import Database
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.logs import Logs
from dragoman_server.logs.operation import MESSAGE_LIMIT, MessageRow, Operation, new_operation_id
from dragoman_server.logs.redact import MASK, Redactor, is_sensitive_name, redact, redact_headers, redact_url
from tests.logs.reading import read_messages, read_operations

ENV = EnvironmentId(7)
SECRETS = (
    st.text(st.characters(exclude_categories=("Cs",)), min_size=8, max_size=60)
    .filter(lambda s: s.isascii() is False or any(c.isalnum() for c in s))
    .filter(lambda s: s.strip("*… []cut") != "" and len(set(s)) > 3)
)


class Kept:
    """A sink that keeps rows in memory."""

    def __init__(self) -> None:
        self.rows: list[MessageRow] = []

    def now(self) -> datetime:
        return datetime(2030, 1, 1, tzinfo=UTC)

    def changed(self, operation: Operation) -> None:
        pass

    def add(self, row: MessageRow) -> None:
        self.rows.append(row)

    def stored(self) -> str:
        return "\n".join(f"{row[8]}\n{row[9]}" for row in self.rows)


def _operation(sink: Kept) -> Operation:
    return Operation(sink, ENV, new_operation_id(sink.now()), "proxy:call")


def _ways_to_leak(secret: str, before: str, after: str) -> list[str]:
    raw = secret.encode()
    joined = before + secret + after
    return [
        joined,
        before + quote(secret) + after,
        before + quote(secret, safe="") + after,
        before + quote_plus(secret) + after,
        before + raw.hex() + after,
        before + "".join(f"%{b:02x}" for b in raw) + after,
        quote(quote(joined)),
        json.dumps(joined),
        json.dumps(joined, ensure_ascii=False),
        f"Basic {base64.b64encode(joined.encode()).decode()}",
        f"Basic {base64.urlsafe_b64encode(joined.encode()).decode()}",
    ]


def _found(secret: str, stored: str) -> bool:
    """Look for it with decoders, independently of how the code under test looks."""
    raw = secret.encode()
    if secret in stored or secret in unquote(stored) or secret in unquote_plus(stored):
        return True
    for token in re.findall(r"[A-Za-z0-9+/_-]{8,}", stored):
        plain = token.replace("-", "+").replace("_", "/")
        if any(raw in base64.b64decode(plain[k:] + "A" * (-len(plain[k:]) % 4)) for k in range(4)):
            return True
        digits = token[: len(token) // 2 * 2]
        if re.fullmatch(r"[0-9a-fA-F]+", digits) and raw in bytes.fromhex(digits):
            return True
    return any(secret in _text_of(line) for line in stored.splitlines())


def _text_of(line: str) -> str:
    try:
        return "\n".join(_strings(json.loads(line)))
    except ValueError:
        return ""


def _strings(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        value = cast("Mapping[str, Any]", value)
        return [t for k, v in value.items() for t in (k, *_strings(v))]
    if isinstance(value, list):
        value = cast("list[Any]", value)
        return [t for v in value for t in _strings(v)]
    return [str(value)]


@given(SECRETS, st.text(max_size=10), st.text(max_size=10))
@example("0123456789abcdef", "a", "")
@example("0123456789abcdef", "ab", "")
@example("pa\"ss'word\\1", "user:", "")
@example("ключ-от-дома", "user:", "@host")
@example("a b+c/d=e&f", "", "")
def test_a_hidden_secret_is_in_nothing_stored_however_it_travels(secret: str, before: str, after: str) -> None:
    sink = Kept()
    operation = _operation(sink)
    operation.hide([secret])
    before, after = (t.encode("utf-8", "ignore").decode() for t in (before, after))

    for leak in _ways_to_leak(secret, before, after):
        operation.info(leak, text=leak, nested=[{"deep": {"deeper": leak, leak: 1}}])
        operation.http(
            request={
                "method": "POST",
                "url": f"https://x.test/{leak}?a={leak}",
                "headers": {"x-other": leak},
                "body": leak,
            },
            response={"status": 200, "headers": [("x-echo", leak)], "body": leak.encode()},
        )
        operation.custom("info", leak, {"said": leak})
        operation.finish("failed", {"type": "x", "message": leak})
        operation.about(connection=leak, meta={"m": leak})

    everything = sink.stored() + repr([operation.connection, operation.meta_json, operation.error_json])
    assert not _found(secret, everything)


@given(SECRETS, st.integers(min_value=98_000, max_value=100_000))
def test_a_cut_never_leaves_half_a_secret(secret: str, where: int) -> None:
    sink = Kept()
    operation = _operation(sink)
    operation.hide([secret])

    operation.info("." * where + secret + "." * 3000)

    text = sink.rows[0][8]
    assert len(text.encode()) <= MESSAGE_LIMIT
    assert set(text) <= set("." + MASK + " … [cut]")


@given(st.text(min_size=1, max_size=5), st.dictionaries(st.text(max_size=5), st.text(max_size=20)))
def test_a_message_never_exceeds_its_limit_and_says_that_it_was_cut(text: str, meta: dict[str, str]) -> None:
    sink = Kept()

    _operation(sink).custom("info", text.replace("\0", "0") * 100_000, meta)

    [row] = sink.rows
    assert len(row[8].encode()) + len((row[9] or "").encode()) <= MESSAGE_LIMIT
    assert row[8].endswith("… [cut]")


def test_a_large_body_is_cut_with_its_size() -> None:
    sink = Kept()

    _operation(sink).info("big", rows=["x" * 1000] * 200)

    body = json.loads(sink.rows[0][9] or "")
    assert body["cut"] is True
    assert body["bytes"] > 200_000


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.datetimes(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.sets(st.integers()),
)


@given(JSONISH, st.text())
def test_anything_a_function_logs_can_be_stored_as_json_text(value: Any, text: str) -> None:
    sink = Kept()

    _operation(sink).custom("odd", text, {"value": value})

    [row] = sink.rows
    json.loads(row[9] or "")
    assert "\0" not in row[8] + (row[9] or "")
    (row[8] + (row[9] or "")).encode()


def test_secret_names_are_known_in_many_spellings() -> None:
    for name in (
        "Authorization",
        "X-Api-Key",
        "client_secret",
        "accessToken",
        "Set-Cookie",
        "refresh-token",
        "PASSWORD",
    ):
        assert is_sensitive_name(name), name
    for name in ("content-type", "x-request-id", "cursor", "tokens_used", "author", "monkey", "url"):
        assert not is_sensitive_name(name), name


def test_headers_keep_their_names_and_lose_their_secrets() -> None:
    clean = redact_headers(
        [("Authorization", "Bearer abc"), ("Accept", "a"), ("accept", "b"), ("Location", "https://u:p@h/?code=1")]
    )

    assert clean == {"authorization": MASK, "accept": "a, b", "location": "https://h/?code=***"}


def test_a_url_loses_user_info_and_secret_parameters() -> None:
    assert redact_url("https://user:pw@x.test/a?access_token=1&page=2") == "https://x.test/a?access_token=***&page=2"
    assert redact_url("https://x.test/cb#access_token=1") == "https://x.test/cb#***"
    assert redact_url("https://x.test/plain") == "https://x.test/plain"


def test_json_and_form_bodies_lose_their_secret_keys() -> None:
    sink = Kept()

    _operation(sink).http(
        request={"url": "/t", "body": b'{"client_secret":"s3","page":1}'},
        response={
            "status": 200,
            "headers": {"content-type": "application/x-www-form-urlencoded"},
            "body": "access_token=s4&code=s5&ok=yes",
        },
    )

    body = json.loads(sink.rows[0][9] or "")
    assert body["request"]["body"] == {"client_secret": MASK, "page": 1}
    assert body["response"]["body"] == {"access_token": MASK, "code": MASK, "ok": "yes"}


def test_a_secret_inside_another_does_not_uncover_the_rest() -> None:
    assert redact("key=abcdefgh-12345678", ["abcdefgh", "abcdefgh-12345678"]) == "key=***"


async def test_no_secret_is_in_any_stored_row(database: Database) -> None:
    logs = Logs(database=database)
    secret = "sk_live_9f8e7d6c5b4a"
    operation = logs.start(ENV, "proxy:call", meta={"note": "n"})
    operation.hide([secret])
    basic = base64.b64encode(f"me:{secret}".encode()).decode()

    operation.http(
        request={"method": "GET", "url": f"https://x.test/?q={secret}", "headers": {"authorization": f"Basic {basic}"}},
        response={"status": 500, "headers": {}, "body": f"bad key {secret}"},
    )
    operation.custom("error", f"{basic} was refused", {"tried": [secret]})
    operation.finish("failed", {"type": "x", "message": f"{secret} did not work"})
    await logs.flush()

    everything = repr(await read_operations(database)) + repr(await read_messages(database))
    assert "was refused" in everything
    assert not Redactor([secret]).shows(everything)
