"""Tokens bound to a key (RFC 9449): every request has a proof of its own, and nobody else sees the key."""

import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey

from dragoman_server.api.shapes import credential_shape
from dragoman_server.connect.grants import dpop as grants
from dragoman_server.connect.grants.model import TokenAnswer, TokenRefusal
from dragoman_server.providers import dpop
from dragoman_server.providers.model import AuthMode, Credential
from dragoman_server.proxy import ProxyRequest
from tests.egress.servers import serving
from tests.proxy.world import SECRET, World, world

KEY = dpop.new_key()
BOUND = Credential(
    AuthMode.OAUTH2, {"access_token": SECRET, "refresh_token": "r-0123456789", "dpop_key": KEY, "token_type": "DPoP"}
)


class Resource:
    """Demands `nonce` in each proof; remembers the claims it accepted."""

    def __init__(self, nonce: str | None = "nonce-1", *, never: bool = False) -> None:
        self.nonce = nonce
        self.never = never
        self.calls = 0
        self.proofs: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.calls += 1
        body = await request.read()
        proofs = request.headers.getall("DPoP", [])
        header = jwt.decode(proofs[0], ECKey.import_key(_jwk(proofs[0])), algorithms=["ES256"])
        claims = dict(header.claims)
        headers = {"DPoP-Nonce": self.nonce} if self.nonce else {}
        if self.never or (self.nonce and claims.get("nonce") != self.nonce):
            headers["WWW-Authenticate"] = 'DPoP error="use_dpop_nonce"'
            return web.Response(status=401, headers=headers)
        self.proofs.append({**claims, "count": len(proofs), "scheme": request.headers["Authorization"]})
        self.bodies.append(body)
        if request.path == "/away":
            return web.Response(status=302, headers={"Location": "/elsewhere"})
        return web.Response(text="ok", headers=headers)


def _jwk(proof: str) -> dict[str, Any]:
    part = proof.split(".", maxsplit=1)[0]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert found["typ"] == "dpop+jwt"
    assert "d" not in found["jwk"]
    return found["jwk"]


async def sent(w: World, request: ProxyRequest) -> int:
    w.credentials.fixed = BOUND
    async with w.proxy.call(w.target, request) as answer:
        await answer.read(1000)
        return answer.status


async def test_a_proof_is_for_one_request_and_the_nonce_is_learned_at_the_first(tmp_path: Path) -> None:
    api = Resource()
    async with serving(api.answer) as base, world(tmp_path, base, entry={"dpop": True}) as w:
        first = await sent(w, ProxyRequest("GET", "/items?a=1"))
        second = await sent(w, ProxyRequest("POST", "/items", body=b"x", headers=[("DPoP", "the caller's own")]))

    one, two = api.proofs
    assert (first, second, api.calls) == (200, 200, 3)
    assert one["scheme"] == f"DPoP {SECRET}"
    assert (one["htm"], one["htu"]) == ("GET", f"{base}/items")
    assert (two["htm"], two["htu"]) == ("POST", f"{base}/items")
    assert one["jti"] != two["jti"]
    assert one["ath"] == two["ath"]
    assert two["count"] == 1
    assert not [s for s in (SECRET, KEY) if s in w.logs.text]


async def test_a_nonce_that_changes_is_followed_and_one_that_never_fits_is_asked_twice_only(tmp_path: Path) -> None:
    api = Resource()
    async with serving(api.answer) as base, world(tmp_path, base, entry={"dpop": True}) as w:
        await sent(w, ProxyRequest("GET", "/a"))
        api.nonce = "nonce-2"
        moved = await sent(w, ProxyRequest("GET", "/a"))
        calls, api.never = api.calls, True
        refused = await sent(w, ProxyRequest("GET", "/a"))

    assert (moved, calls) == (200, 4)
    assert refused == 401
    assert api.calls - calls <= 3


async def test_a_body_goes_again_with_the_nonce_and_a_stream_does_not(tmp_path: Path) -> None:
    async def long() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 65536

    api = Resource()
    async with serving(api.answer) as base, world(tmp_path, base, entry={"dpop": True}) as w:
        streamed = await sent(w, ProxyRequest("POST", "/a", body=long()))
        again = await sent(w, ProxyRequest("POST", "/a", body=b"held"))

    assert (streamed, again) == (401, 200)
    assert api.bodies == [b"held"]


async def test_a_redirect_is_the_callers_because_a_proof_is_for_one_address(tmp_path: Path) -> None:
    api = Resource(nonce=None)
    async with serving(api.answer) as base, world(tmp_path, base, entry={"dpop": True}) as w:
        assert await sent(w, ProxyRequest("GET", "/away")) == 302

    assert api.calls == 1


async def test_an_ordinary_token_of_such_an_entry_is_a_bearer_token(tmp_path: Path) -> None:
    seen: list[web.Request] = []

    async def api(request: web.Request) -> web.Response:
        seen.append(request)
        return web.Response()

    async with serving(api) as base, world(tmp_path, base, entry={"dpop": True}) as w:
        w.credentials.fixed = Credential(AuthMode.OAUTH2, {**BOUND.values, "token_type": "Bearer"})
        async with w.proxy.call(w.target, ProxyRequest("GET", "/a")) as answer:
            assert answer.status == 200

    assert seen[0].headers["Authorization"] == f"Bearer {SECRET}"
    assert "DPoP" not in seen[0].headers


def test_the_key_is_shown_to_nobody_not_even_the_owner_of_the_connection() -> None:
    shape = credential_shape(BOUND, refresh_token=True)

    assert shape["dpop_jkt"] == dpop.thumbprint(KEY)
    assert shape["token_type"] == "DPoP"
    assert KEY not in repr(shape)
    assert KEY not in repr(BOUND)
    assert KEY in BOUND.secrets()


def test_a_first_token_must_be_bound_and_a_renewed_one_may_turn_ordinary() -> None:
    bearer = TokenAnswer("a", None, None, None, {"token_type": "Bearer"})
    bound = TokenAnswer("a", None, None, None, {"token_type": "dpop"})

    assert isinstance(grants.bind(KEY, bearer), TokenRefusal)
    assert grants.kept(KEY, bound) == {"dpop_key": KEY, "token_type": "DPoP"}
    assert grants.kept(KEY, bearer)["token_type"] == "Bearer"


def test_nonces_are_kept_by_key_and_server_and_strange_ones_not_at_all() -> None:
    nonces, other = dpop.Nonces(), dpop.new_key()
    nonces.learn(KEY, "https://a.example/x", "n1")
    nonces.learn(KEY, "https://b.example/x", "line\nbreak")
    nonces.learn(KEY, "https://c.example/x", "n" * 5000)

    assert nonces.of(KEY, "https://a.example/other?q") == "n1"
    assert nonces.of(other, "https://a.example/x") is None
    assert nonces.of(KEY, "https://b.example/x") is None
    assert nonces.of(KEY, "https://c.example/x") is None


def test_each_algorithm_makes_a_proof_its_public_key_verifies() -> None:
    for algorithm in ("ES256", "ES384", "ES512"):
        proof = dpop.proof(dpop.new_key(algorithm), method="GET", url="https://a.example/b?c#d", now=datetime.now(UTC))
        decoded = jwt.decode(proof, ECKey.import_key(_jwk(proof)), algorithms=[algorithm])
        assert decoded.claims["htu"] == "https://a.example/b"
