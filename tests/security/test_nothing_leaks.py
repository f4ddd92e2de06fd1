"""Invariant 5: secrets stay in the vault. Everything the platform writes or starts is searched for known secrets."""

import base64
import contextlib
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from dragoman import ApiError, Client
from tests.support.platform import (
    RunningPlatform,
    make_data_dir,
    poll_until,
    remove_data_dir,
    start_platform,
)
from tests.support.third_party import PROVIDERS, third_party_running

PROJECT = """
from dragoman import ActionContext, action

@action(integration="leak-key")
async def look(ctx: ActionContext) -> list[str]:
    import os
    ctx.log("a line of the function", environment=dict(os.environ))
    await ctx.get("/anything", params={"q": "1"})
    return sorted(os.environ)
"""


class Secrets:
    """Values that must never be seen; each is random, so finding one is no accident."""

    def __init__(self) -> None:
        self.client_secret = secrets.token_hex(20)
        self.access_token = secrets.token_hex(20)
        self.refresh_token = secrets.token_hex(20)
        self.api_key = secrets.token_hex(20)
        self.password = secrets.token_hex(20)
        self.cc_secret = secrets.token_hex(20)
        self.variable = secrets.token_hex(20)
        self.session_token = secrets.token_hex(20)  # the platform makes another

    def forms(self) -> dict[str, bytes]:
        """Each in the encodings it may travel in."""
        found: dict[str, bytes] = {}
        for name, value in vars(self).items():
            found[name] = value.encode()
            found[f"{name} (base64)"] = base64.b64encode(value.encode()).rstrip(b"=")
        found["password (basic)"] = base64.b64encode(f"ada:{self.password}".encode()).rstrip(b"=")
        return found


@pytest.fixture(scope="module")
def story() -> Iterator[tuple[RunningPlatform, Secrets, Path]]:
    """A platform on which everything that touches a secret has happened once, and failed once."""
    known = Secrets()
    folder = make_data_dir()
    with third_party_running() as party:
        platform = start_platform(folder / "data", extra={"DRAGOMAN_PROVIDERS_DIR": str(PROVIDERS)})
        try:
            play(platform, known, party.url, folder)
            yield platform, known, folder
        finally:
            platform.stop()
            remove_data_dir(folder)


def play(platform: RunningPlatform, known: Secrets, url: str, folder: Path) -> None:
    project = folder / "project"
    (project / "functions").mkdir(parents=True)
    (project / "functions" / "__init__.py").write_text("")
    (project / "functions" / "look.py").write_text(PROJECT)
    with platform.client() as api:
        app = {"type": "OAUTH2", "client_id": "an-app", "client_secret": known.client_secret}
        api.integrations.create("leak-oauth", "tp-oauth", credentials=app)
        for key, provider in (("leak-key", "tp-key"), ("leak-basic", "tp-basic"), ("leak-cc", "tp-cc")):
            api.integrations.create(key, provider)
        api.environment.set_variable("SECRET", known.variable)
        given = {
            "leak-oauth": {"type": "OAUTH2", "access_token": known.access_token, "refresh_token": known.refresh_token},
            "leak-key": {"type": "API_KEY", "apiKey": known.api_key},
            "leak-basic": {"type": "BASIC", "username": "ada", "password": known.password},
        }
        for key, credentials in given.items():
            api.connections.create(key, credentials, connection_id="c", connection_config={"url": url})
            for path in ("/status/500", f"/x?token={quote(known.api_key)}"):
                api.proxy("GET", path, connection_id="c", integration_id=key)
            with contextlib.suppress(ApiError):
                api.connections.create(key, {"type": "API_KEY", "apiKey": known.api_key}, connection_id="x")
        cc = {"type": "OAUTH2_CC", "token": known.access_token, "client_id": "cc", "client_secret": known.cc_secret}
        with contextlib.suppress(ApiError):
            api.connections.create("leak-cc", cc, connection_id="c", connection_config={"url": url})
            api.proxy("GET", "/x", connection_id="c", integration_id="leak-cc")
        connect_in_a_browser(platform, known, api, url)
        platform.deploy(project)
        assert "SECRET" not in api.actions.trigger("leak-key", "c", "look")
        poll_until(lambda: list(api.logs.operations(types=["action:run"], states=["success"])), "the action's log")


def connect_in_a_browser(platform: RunningPlatform, known: Secrets, api: Client, url: str) -> None:
    """All a session's token is used for, in addresses, headers and bodies; well and badly."""
    where = {key: {"connection_config": {"url": url}} for key in ("leak-key", "leak-oauth")}
    session = api.connect.create_session(end_user={"id": "u"}, integrations_config_defaults=where)
    known.session_token = session["token"].removeprefix("nango_connect_session_")
    asked = {"connect_session_token": session["token"]}
    bearer = {"Authorization": f"Bearer {session['token']}"}
    with httpx.Client(base_url=platform.url, timeout=20) as browser:
        for path in ("/connect-ui/", "/connect-ui", "/connect-ui/assets/none.js", "/nowhere"):
            browser.get(path, params={"session_token": session["token"]})
        browser.post("/connect/telemetry", json={"token": session["token"], "event": "open", "timestamp": "now"})
        assert browser.get("/connect/session", headers=bearer).status_code == 200
        begun = browser.get("/oauth/connect/leak-oauth", params=asked)
        assert begun.status_code == 302
        browser.get(httpx.get(begun.headers["location"]).headers["location"])
        browser.get("/oauth/connect/leak-none", params=asked)
        typed = {"apiKey": known.api_key}
        assert browser.post("/api-auth/api-key/leak-key", json=typed, headers=bearer).status_code == 200
        browser.post("/api-auth/api-key/leak-key", json=typed | {"more": 1}, params=asked)
        browser.delete("/connect/session", headers=bearer)
        browser.get("/connect/session", params=asked)


def test_no_secret_is_in_the_logs_that_users_read(story: tuple[RunningPlatform, Secrets, Path]) -> None:
    platform, known, _ = story

    with platform.client() as api:
        texts = [json.dumps([o, list(api.logs.messages(o["id"]))]) for o in api.logs.operations(limit=200)]

    assert len(texts) > 8
    told = "\n".join(texts).encode()
    assert [name for name, form in known.forms().items() if form in told] == []


def test_no_secret_is_in_a_processs_output_arguments_or_environment(
    story: tuple[RunningPlatform, Secrets, Path],
) -> None:
    platform, known, folder = story
    password = (folder / "data" / "postgres" / "password").read_text().strip()
    [key] = [line for line in (folder / "data" / "encryption.key").read_text().split() if len(line) == 44]
    forbidden = known.forms() | {"database password": password.encode(), "key-encryption key": key.encode()}

    seen = platform.output().encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _belongs(entry, platform):
            for name in ("cmdline", "environ"):
                with contextlib.suppress(OSError):
                    seen += (entry / name).read_bytes()

    assert [name for name, form in forbidden.items() if form in seen] == []


def test_no_secret_lies_on_disk_outside_the_files_made_for_keys(story: tuple[RunningPlatform, Secrets, Path]) -> None:
    _, known, folder = story
    forms = known.forms()

    found = [
        f"{name} in {path.relative_to(folder)}"
        for path in sorted((folder / "data").rglob("*"))
        if path.is_file() and not path.is_symlink() and path.name not in {"credentials.json", "encryption.key"}
        for content in [path.read_bytes()]
        for name, form in forms.items()
        if form in content
    ]

    assert found == []


def _belongs(entry: Path, platform: RunningPlatform) -> bool:
    """Whether a process is the platform's supervisor or one of its descendants."""
    pid = int(entry.name)
    wanted = platform.commands[0].popen.pid
    for _ in range(12):
        if pid == wanted:
            return True
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return False
        if pid <= 1 or pid == os.getpid():
            return False
    return False
