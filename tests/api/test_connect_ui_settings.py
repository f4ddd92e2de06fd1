"""What an environment's Connect UI looks like, who may embed it, and what browsers tell of its use."""

import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.api.calls import Api, Home, places, refusal

PATH = "/environment/connect-ui"
COLOURS = {"light": {"primary": "#0a7d55"}, "dark": {"primary": "#5fd3a5"}}


def test_a_new_environment_has_colours_and_lets_anybody_embed(home: Home) -> None:
    other = Home(home.platform, home.third_party)
    with closing(other.http):
        shown = other.api.get(PATH).json()["data"]

    assert re.fullmatch("#[0-9a-f]{6}", shown["theme"]["light"]["primary"])
    assert shown["defaultTheme"] == "system"
    assert shown["allowed_embedding_origins"] == []


def test_what_is_set_is_what_the_next_session_shows_and_the_rest_stays(api: Api, home: Home) -> None:
    api.put(PATH, {"theme": COLOURS, "defaultTheme": "dark"})
    changed = api.put(PATH, {"showWatermark": True, "allowed_embedding_origins": ["https://APP.example.com:443/"]})
    session = home.session().get("/connect/session").json()["data"]

    assert changed.status_code == 200
    assert session["connectUISettings"] == {"theme": COLOURS, "defaultTheme": "dark", "showWatermark": True}
    assert session["allowed_embedding_origins"] == ["https://app.example.com"]
    assert changed.json()["data"] == api.get(PATH).json()["data"]
    api.put(PATH, {"allowed_embedding_origins": []})
    assert "allowed_embedding_origins" not in home.session().get("/connect/session").json()["data"]


def test_a_short_colour_is_written_out(api: Api) -> None:
    answer = api.put(PATH, {"theme": {"light": {"primary": "#A3F"}, "dark": {"primary": "#5fd3a5"}}})

    assert answer.json()["data"]["theme"]["light"]["primary"] == "#aa33ff"


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"theme": {"light": {"primary": "red"}, "dark": {"primary": "#000"}}}, ["theme", "light", "primary"]),
        ({"theme": {"light": {"primary": "#000"}, "dark": {"primary": "#00g"}}}, ["theme", "dark", "primary"]),
        ({"theme": {"light": {"primary": "#000;}"}, "dark": {"primary": "#000"}}}, ["theme", "light", "primary"]),
        ({"theme": {"light": {"primary": "#000"}}}, ["theme", "dark"]),
        ({"theme": COLOURS | {"sepia": {"primary": "#000"}}}, ["theme"]),
        ({"defaultTheme": "blue"}, ["defaultTheme"]),
        ({"showWatermark": "perhaps"}, ["showWatermark"]),
        ({"allowed_embedding_origins": ["*"]}, ["allowed_embedding_origins", 0]),
        ({"allowed_embedding_origins": ["https://a.example/path"]}, ["allowed_embedding_origins", 0]),
        ({"allowed_embedding_origins": ["https://a.example", "ftp://a.example"]}, ["allowed_embedding_origins", 1]),
        ({"allowed_embedding_origins": ["https://a.example:x"]}, ["allowed_embedding_origins", 0]),
        ({"allowed_embedding_origins": ["https://a.example"] * 51}, ["allowed_embedding_origins"]),
        ({"unknown": 1}, []),
    ],
)
def test_a_bad_setting_is_named_and_changes_nothing(api: Api, body: Any, place: list[str | int]) -> None:
    before = api.get(PATH).json()
    answer = api.put(PATH, body)

    assert refusal(answer) == (400, "invalid_body")
    assert places(answer)[0] == place
    assert api.get(PATH).json() == before


def beacon(session: Api, **more: Any) -> dict[str, Any]:
    return {"token": session.key, "event": "open", "timestamp": datetime.now(UTC).isoformat(), **more}


def counted(home: Home, event: str) -> float:
    found = re.search(
        rf'dragoman_connect_ui_events_total{{event="{event}"}} (\S+)', home.anonymous().get("/metrics").text
    )
    return float(found[1]) if found else 0.0


def test_what_somebody_did_is_counted(home: Home) -> None:
    before = counted(home, "click:doc")
    session = home.session()
    answer = home.anonymous().post(
        "/connect/telemetry", beacon(session, event="click:doc", dimensions={"integration": "x"})
    )

    assert (answer.status_code, answer.content) == (204, b"")
    assert counted(home, "click:doc") == before + 1


@pytest.mark.parametrize(
    "more",
    [
        {"event": "click:everything"},
        {"timestamp": (datetime.now(UTC) - timedelta(hours=3)).isoformat()},
        {"timestamp": (datetime.now(UTC) + timedelta(hours=3)).isoformat()},
        {"timestamp": "yesterday"},
        {"dimensions": {"person": "x"}},
        {"dimensions": {"integration": "x" * 256}},
        {"unknown": 1},
    ],
)
def test_a_beacon_that_says_anything_else_is_refused(home: Home, more: dict[str, Any]) -> None:
    answer = home.anonymous().post("/connect/telemetry", beacon(home.session(), **more))

    assert refusal(answer) == (400, "invalid_body")


def test_a_beacon_without_a_living_session_is_refused(home: Home) -> None:
    session = home.session()
    body = beacon(session)
    session.delete("/connect/session")

    assert refusal(home.anonymous().post("/connect/telemetry", body)) == (401, "unknown_connect_session_token")
    body["token"] = home.api.key
    assert refusal(home.anonymous().post("/connect/telemetry", body)) == (401, "unknown_connect_session_token")
