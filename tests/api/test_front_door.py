"""What every caller meets first: keys, envelopes, limits, unknown paths."""

import httpx
import pytest

from tests.support.platform import RunningPlatform


def call(platform: RunningPlatform, method: str, path: str, **options: object) -> httpx.Response:
    return httpx.request(method, platform.url + path, timeout=10, **options)  # type: ignore[arg-type]  # keywords of httpx


def bearer(platform: RunningPlatform) -> dict[str, str]:
    return {"Authorization": f"Bearer {platform.environment()['api_key']}"}


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "missing_auth_header"),
        ("Basic abc", "invalid_secret_key_format"),
        ("Bearer nonsense", "invalid_secret_key_format"),
        ("Bearer 6185e58a-542c-4896-afd2-90b15e2322ab", "unknown_account"),
    ],
)
def test_a_wrong_key_is_refused_by_name(platform: RunningPlatform, header: str | None, code: str) -> None:
    answer = call(platform, "GET", "/connections", headers={"Authorization": header} if header else {})

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == code


def test_an_unknown_path_answers_the_envelope(platform: RunningPlatform) -> None:
    answer = call(platform, "GET", "/no/such/thing", headers=bearer(platform))

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_a_body_that_is_not_json_is_refused(platform: RunningPlatform) -> None:
    wrong_type = call(
        platform, "POST", "/integrations", headers=bearer(platform) | {"Content-Type": "text/plain"}, content=b"{}"
    )
    broken = call(
        platform, "POST", "/integrations", headers=bearer(platform) | {"Content-Type": "application/json"}, content=b"{"
    )

    assert (wrong_type.status_code, wrong_type.json()["error"]["code"]) == (415, "invalid_content_type")
    assert (broken.status_code, broken.json()["error"]["code"]) == (400, "invalid_json")


def test_every_answer_says_where_the_caller_stands(platform: RunningPlatform) -> None:
    answer = call(platform, "GET", "/integrations", headers=bearer(platform))

    assert int(answer.headers["X-RateLimit-Remaining"]) < int(answer.headers["X-RateLimit-Limit"])
    assert int(answer.headers["X-RateLimit-Reset"]) > 0


def test_an_unknown_key_in_a_body_is_named(platform: RunningPlatform) -> None:
    answer = call(
        platform,
        "POST",
        "/integrations",
        headers=bearer(platform),
        json={"unique_key": "x", "provider": "github", "colour": 1},
    )

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "invalid_body")
    assert [e["code"] for e in error["errors"]] == ["unrecognized_keys"]
