"""`dragoman up --simulate`: the whole platform, and every vendor, on this machine."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.platform import (
    RunningPlatform,
    clean_environment,
    make_data_dir,
    remove_data_dir,
    start_platform,
)


@pytest.fixture(scope="module")
def simulated() -> Iterator[RunningPlatform]:
    folder = make_data_dir()
    running = start_platform(folder / "data", arguments=["--simulate"], extra={"DRAGOMAN_EGRESS_ALLOW": ""})
    try:
        yield running
    finally:
        running.stop()
        remove_data_dir(folder)


def headers_of(platform: RunningPlatform) -> dict[str, str]:
    return {"Authorization": f"Bearer {platform.environment()['api_key']}"}


def make_integration(platform: RunningPlatform, key: str, provider: str, credentials: dict[str, str] | None) -> None:
    made = httpx.post(
        f"{platform.url}/integrations",
        headers=headers_of(platform),
        json={"unique_key": key, "provider": provider, **({"credentials": credentials} if credentials else {})},
    )
    assert made.status_code in {200, 201}, made.text


def session_of(platform: RunningPlatform, key: str) -> str:
    made = httpx.post(
        f"{platform.url}/connect/sessions",
        headers=headers_of(platform),
        json={"end_user": {"id": "u1"}, "allowed_integrations": [key]},
    )
    return made.json()["data"]["token"]


def called(platform: RunningPlatform, key: str, connection_id: str, path: str) -> httpx.Response:
    return httpx.get(
        f"{platform.url}/proxy{path}",
        headers={**headers_of(platform), "Provider-Config-Key": key, "Connection-Id": connection_id},
    )


def test_ready_says_that_the_world_is_simulated(simulated: RunningPlatform) -> None:
    assert httpx.get(f"{simulated.url}/ready").json()["simulated"] is True


def test_a_browser_consents_at_the_simulator_and_the_connection_works(simulated: RunningPlatform) -> None:
    app = {"type": "OAUTH2", "client_id": "app", "client_secret": "secret", "scopes": "repo"}
    make_integration(simulated, "gh", "github", app)
    token = session_of(simulated, "gh")
    with httpx.Client(follow_redirects=False) as browser:
        begun = browser.get(f"{simulated.url}/oauth/connect/gh", params={"connect_session_token": token})
        page = browser.get(begun.headers["location"])
        assert "plays GitHub" in page.text
        allow = re.search(r'class="yes" href="([^"]+)"', page.text)
        assert allow is not None
        back = browser.get(page.url.join(allow[1].replace("&amp;", "&")))
        done = browser.get(back.headers["location"])
    assert done.status_code == 200

    listed = httpx.get(f"{simulated.url}/connections", headers=headers_of(simulated)).json()["connections"]
    [connection] = [c for c in listed if c["provider_config_key"] == "gh"]
    answer = called(simulated, "gh", connection["connection_id"], "/user/repos")

    assert answer.status_code == 200
    assert answer.json()[0] == {"id": 1}
    assert "https://api.github.com/user/repos" in answer.headers["link"]


def test_a_typed_credential_is_tried_at_the_simulator(simulated: RunningPlatform) -> None:
    make_integration(simulated, "linear-key", "openai", None)

    def connect(key: str) -> httpx.Response:
        return httpx.post(
            f"{simulated.url}/api-auth/api-key/linear-key",
            params={"connect_session_token": session_of(simulated, "linear-key")},
            json={"apiKey": key},
        )

    assert connect("an invalid key").status_code == 400
    assert connect("a fine key").status_code == 200


def test_what_no_vendor_has_is_answered_here_too(simulated: RunningPlatform) -> None:
    """An origin the integration allows itself would be left alone by the catalogue, and still goes nowhere."""
    made = httpx.post(
        f"{simulated.url}/integrations",
        headers=headers_of(simulated),
        json={"unique_key": "free", "provider": "unauthenticated", "allowed_origins": ["https://example.com"]},
    )
    assert made.status_code in {200, 201}, made.text
    connected = httpx.post(
        f"{simulated.url}/auth/unauthenticated/free",
        params={"connect_session_token": session_of(simulated, "free")},
    ).json()
    answer = httpx.get(
        f"{simulated.url}/proxy/hello",
        headers={
            **headers_of(simulated),
            "Provider-Config-Key": "free",
            "Connection-Id": connected["connectionId"],
            "Base-Url-Override": "https://example.com",
        },
    )

    assert answer.status_code in {401, 404}
    assert set(answer.json()) == {"error", "error_description"}, "not the simulator's words"


def refused(data_dir: Path, *arguments: str, **extra: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "dragoman.cli", "up", "--data-dir", str(data_dir), "--port", "0", *arguments],
        env=clean_environment(extra), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    return done.stderr


def test_simulated_and_real_platforms_never_share_their_data(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "credentials.json").write_text("{}")
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / "credentials.json").write_text("{}")
    (tmp_path / "fake" / "simulated").touch()

    assert "real platform" in refused(tmp_path / "real", "--simulate")
    assert "simulated platform" in refused(tmp_path / "fake")
    assert "unset DRAGOMAN_DATABASE_URL" in refused(
        tmp_path / "new", "--simulate", DRAGOMAN_DATABASE_URL="postgres://u:p@127.0.0.1/db"
    )
