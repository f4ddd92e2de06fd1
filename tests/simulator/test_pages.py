"""The simulator's pages for browsers: found where a server names them, and what each choice on them leads to."""

from urllib.parse import parse_qsl, urlencode, urlsplit

from dragoman_server.providers.model import Provider
from dragoman_server.simulator import SimulatorApp, World, moved_page
from dragoman_server.simulator.discovery import metadata
from dragoman_server.simulator.exchange import Received

ORIGIN = "http://127.0.0.1:4100"
HUB = {
    "display_name": "Hub", "docs": "https://hub.example/docs", "auth_mode": "CUSTOM",
    "authorization_url": "https://hub.example/authorize", "token_url": {"OAUTH2": "https://hub.example/token"},
    "proxy": {"base_url": "https://api.hub.example"},
}  # fmt: skip


def test_a_page_that_was_discovered_is_found_at_the_simulator() -> None:
    named = str(metadata("https://mcp.example.com", "mcp-generic")["authorization_endpoint"])

    assert moved_page(f"{named}?state=s&scope=a+b", ORIGIN) == f"{ORIGIN}/authorize/mcp-generic?state=s&scope=a+b"


def test_every_other_page_stays_where_it_is() -> None:
    for url in ("https://acme.example/authorize?state=s", "https://acme.example/simulated-login/token"):
        assert moved_page(url, ORIGIN) == url


def test_an_owner_who_is_asked_leaves_no_installation_behind() -> None:
    app = SimulatorApp(World([Provider.read("hub", HUB)]))
    asked = {"back": "http://127.0.0.1/oauth/callback", "state": "s", "app_id": "1"}

    def arrived(choice: str) -> dict[str, str]:
        query = urlencode({**asked, "simulate": choice})
        url = f"{ORIGIN}/authorize/hub?{query}"
        answer = app.browse("/authorize/hub", query, Received("GET", url))
        return dict(parse_qsl(urlsplit(answer.headers["location"]).query))

    assert set(arrived("allow")) == {"state", "code", "installation_id", "setup_action"}
    assert arrived("request").keys() == {"state", "code", "setup_action"}
    assert arrived("deny") == {"state": "s", "error": "access_denied"}
    assert "Ask an owner" in str(app.browse("/authorize/hub", "", Received("GET", ORIGIN)).body)
