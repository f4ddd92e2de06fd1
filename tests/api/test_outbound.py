"""An app installed in the provider's own store, on the whole platform: pending, told, complete."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from typing import Any

import httpx

from tests.api.calls import Api, Home, refusal
from tests.support.third_party import ThirdParty

SECRET = "hook-secret"


def begin(home: Home, integration: str, account: str) -> Any:
    preset = {"url": home.third_party.url, "account": account}
    body = {
        "end_user": {"id": "u-1"},
        "allowed_integrations": [integration],
        "integrations_config_defaults": {integration: {"connection_config": preset}},
    }
    token = home.api.post("/connect/sessions", body).json()["data"]["token"]
    answer = home.anonymous()("POST", f"/auth/oauth-outbound/{integration}?connect_session_token={token}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def tell(home: Home, path: str, account: str, code: str) -> httpx.Response:
    raw = json.dumps({"type": "installed", "account": {"id": account}, "code": code}).encode()
    signature = base64.b64encode(hmac.digest(SECRET.encode(), raw, hashlib.sha256)).decode()
    return home.http.post(path, content=raw, headers={"x-hook-signature": signature})


def test_an_installation_completes_its_connection(api: Api, home: Home, third_party: ThirdParty) -> None:
    app = {"type": "OAUTH2", "client_id": "id", "webhook_secret": SECRET}
    integration = home.integration("tp-outbound", credentials=app)
    address = api.get(f"/integrations/{integration}?include=webhook").json()["data"]["webhook_url"]
    account, code = uuid.uuid4().hex, uuid.uuid4().hex
    third_party.codes[code] = ""

    made = begin(home, integration, account)
    where = f"/connections/{made['connectionId']}?provider_config_key={integration}"
    pending = api.get(where).json()
    assert made["isPending"] is True
    assert pending["credentials"] == {}
    assert pending["connection_config"]["pending"] is True
    listed = api.get("/connections", params={"integrationId": integration}).json()["connections"]
    assert [c["connection_id"] for c in listed] == [made["connectionId"]]

    assert tell(home, httpx.URL(address).path, account, code).status_code == 200
    deadline = time.monotonic() + 20
    while not (complete := api.get(where).json())["credentials"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)  # another process completes it

    assert complete["credentials"]["access_token"].startswith("access-")
    assert "pending" not in complete["connection_config"]
    assert complete["end_user"]["id"] == "u-1"


def test_a_wrong_signature_and_an_unknown_address_read_the_same(home: Home) -> None:
    app = {"type": "OAUTH2", "client_id": "id", "webhook_secret": "another"}
    integration = home.integration("tp-outbound", credentials=app)
    address = home.api.get(f"/integrations/{integration}?include=webhook").json()["data"]["webhook_url"]
    path = httpx.URL(address).path

    forged, unknown = tell(home, path, "1", "c"), tell(home, path + "x", "1", "c")

    assert refusal(forged) == refusal(unknown) == (401, "webhook_invalid_signature")
    assert forged.text == unknown.text
