"""The checks that the wire contract asks for, by number: the plain ones here, and where to find the others.

Seven (the foreign Connect UI bundle) and ten (the foreign command line) are left out: we have our own of both.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.calls import Api, Home, headers_of, refusal
from tests.support.platform import RunningPlatform
from tests.support.third_party import ThirdParty

ROOT = Path(__file__).parent.parent
WHERE = {
    1: "real/test_nango_node.py::test_check_1_every_method_of_the_official_client_is_answered",
    2: "contracts/test_wire_checks.py::test_check_2_what_the_official_client_always_sends_is_taken",
    3: "contracts/test_wire_checks.py::test_check_3_statuses_are_the_ones_clients_compare",
    4: "real/test_nango_frontend.py::test_check_4_refusals_reach_the_browser_with_a_code_and_a_message",
    5: "real/test_nango_node.py::test_check_5_both_helpers_accept_our_deliveries_and_nothing_changed",
    6: "api/test_popups.py::test_check_6_an_outcome_reaches_the_socket_it_names_in_another_process",
    8: "contracts/test_wire_checks.py::test_check_8_the_query_of_records_is_strict",
    9: "records/test_races.py::test_a_reader_with_a_saved_cursor_ends_with_what_is_stored_whatever_two_writers_do",
}


@pytest.fixture(scope="module")
def home(platform: RunningPlatform, third_party: ThirdParty) -> Iterator[Home]:
    made = Home(platform, third_party)
    yield made
    made.http.close()


@pytest.fixture
def api(home: Home) -> Api:
    return home.api


@pytest.mark.parametrize("number", sorted(WHERE))
def test_every_check_has_its_test(number: int) -> None:
    file, _, name = WHERE[number].partition("::")
    tree = ast.parse((ROOT / file).read_text("utf-8"))

    assert name in {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_check_2_what_the_official_client_always_sends_is_taken(home: Home, api: Api) -> None:
    integration = home.integration()
    headers = headers_of(integration, home.connection(integration))
    unset = {
        "Base-Url-Override": "",
        "Nango-Activity-Log-Id": "",
        "Nango-Is-Sync": "false",
        "Nango-Is-Dry-Run": "false",
    }

    assert api.get("/records/?model=Thing", headers=headers).json() == {"records": [], "next_cursor": None}
    assert api.get("/proxy/anything", headers=headers | unset).json()["path"] == "/anything"


def test_check_3_statuses_are_the_ones_clients_compare(home: Home, api: Api) -> None:
    integration = home.integration()
    connection = home.connection(integration)
    metadata: dict[str, Any] = {"connection_id": connection, "provider_config_key": integration, "metadata": {}}
    user = {"end_user": {"id": "u"}}

    assert api.post("/connections/metadata", metadata).status_code == 201
    assert api.patch("/connections/metadata", metadata).status_code == 200
    assert api.post("/connect/sessions", user).status_code == 201
    again = {"connection_id": connection, "integration_id": integration}
    assert api.post("/connect/sessions/reconnect", again).status_code == 201
    assert home.session().delete("/connect/session").status_code == 204


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api-auth/api-key/{key}", {"apiKey": ""}),
        ("/api-auth/api-key/{key}", {"username": "u"}),
        ("/api-auth/api-key/nobodys", {"apiKey": "k"}),
        ("/api-auth/basic/{key}", {"username": "u", "password": "p"}),
        ("/api-auth/basic/{key}", None),
        ("/oauth2/auth/{key}", {"client_id": "i"}),
        ("/auth/unauthenticated/{key}", None),
        ("/auth/unauthenticated/{key}?connection_id=mine", None),
        ("/auth/no-such-mode/{key}", {}),
    ],
)
def test_check_4_every_refusal_of_a_browsers_call_has_a_code_and_a_message(
    home: Home, path: str, body: dict[str, Any] | None
) -> None:
    answer = home.session().post(path.format(key=home.integration("tp-key")), body)

    status, code = refusal(answer)
    assert 400 <= status < 500
    assert code


@pytest.mark.parametrize(
    ("query", "taken"),
    [
        ("filter=ADDED,deleted", True),
        ("limit=10000", True),
        ("limit=10001", False),
        ("limit=0", False),
        ("colour=red", False),
        ("filter=odd", False),
        ("cursor=forged", False),
    ],
)
def test_check_8_the_query_of_records_is_strict(home: Home, api: Api, query: str, *, taken: bool) -> None:
    integration = home.integration()

    answer = api.get(f"/records?model=Thing&{query}", headers=headers_of(integration, home.connection(integration)))

    assert taken or refusal(answer) == (400, "invalid_query_params")
    assert not taken or answer.status_code == 200
