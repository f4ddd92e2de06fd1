"""Apps that are installed: the install page, the app's own calls with its JWT, the person's list (GitHub's shapes).

A vendor knows where an app's people are sent back and which app a page is for, because its developer typed that in.
Here the app link says both: `<simulator>/authorize/<entry>/installations/new?back=<setup URL>&app_id=<id>`.
"""

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

from dragoman_server.providers.model import AuthMode, Provider
from dragoman_server.simulator import signatures
from dragoman_server.simulator.exchange import Answer, Received, RefusedError
from dragoman_server.simulator.filling import example_of
from dragoman_server.simulator.tokens import ANY_CLIENT, Minted

if TYPE_CHECKING:
    from dragoman_server.simulator.world import World

CODE_SECONDS = 600
_SCALE = 1_000_000
"""An installation's number says when it was made."""


def install(world: "World", provider: Provider, request: Received, *, granted: bool) -> Answer:
    """A person installs the app; the browser goes back with what the mode promises."""
    asked = request.query
    back = urlsplit(asked.get("back", ""))
    state_name = str(provider.get("state_param") or "state")
    if back.scheme not in {"http", "https"} or not asked.get(state_name):
        raise RefusedError(400, "invalid_request", f"The app link lacks `back`, or the browser `{state_name}`.")
    told = {state_name: asked[state_name]}
    if not granted:
        told["error"] = "access_denied"
    elif asked.get("simulate") == "request":  # an owner must approve it first: there is no installation yet
        told["setup_action"] = "request"
        if provider.auth_mode is AuthMode.CUSTOM:
            told["code"] = _code(world, provider, asked, "")
    elif provider.auth_mode is AuthMode.INSTALL_PLUGIN:
        told |= {str(name): example_of(provider, str(name)) for name in provider.get("redirect_uri_metadata") or ()}
    else:
        number = str(world.now() * _SCALE + secrets.randbelow(_SCALE))
        told |= {"installation_id": number, "setup_action": "install"}
        if provider.auth_mode is AuthMode.CUSTOM:
            told["code"] = _code(world, provider, asked, number)
    place = f"{back.scheme}://{back.netloc}{back.path}"
    return Answer(302, headers={"location": f"{place}?{urlencode(told)}"})


def _code(world: "World", provider: Provider, asked: "dict[str, str]", number: str) -> str:
    scope = urlencode({"installation": number, "app": asked.get("app_id", "")})
    until = world.now() + CODE_SECONDS
    family = world.new_family()
    return Minted("code", provider.name, ANY_CLIENT, family, 0, until, asked["back"], scope=scope).text()


def token(world: "World", provider: Provider, request: Received) -> Answer:
    """The app exchanges its JWT for a token of one installation."""
    if request.method != "POST":
        raise RefusedError(405, "invalid_request", "The token of an installation is made with POST.")
    app = _app(world, request)
    number = request.place.rstrip("/").split("/")[-2]
    _made_at(number)
    expires = world.now() + world.life
    text = Minted("access", provider.name, app, world.new_family(), 0, expires, scope=f"installation={number}").text()
    until = datetime.fromtimestamp(expires, UTC).isoformat().replace("+00:00", "Z")
    return Answer(201, {"token": text, "expires_at": until, "repository_selection": "all"})


def read(world: "World", request: Received) -> Answer:
    """The app looks at one installation."""
    app = _app(world, request)
    number = request.place.rstrip("/").split("/")[-1]
    at = datetime.fromtimestamp(_made_at(number), UTC).isoformat().replace("+00:00", "Z")
    return Answer(200, {"id": int(number), "app_id": int(app) if app.isdigit() else app, "created_at": at})


def listed(world: "World", provider: Provider, request: Received) -> Answer:
    """A person's token lists the installations the person has."""
    text = request.headers.get("authorization", "").removeprefix("Bearer ")
    try:
        minted = world.read_token(text, "access", provider)
    except RefusedError as error:
        raise RefusedError(401, "unauthorized", error.why) from None
    said = dict(parse_qsl(minted.scope))
    found = [{"id": int(said["installation"]), "app_id": said.get("app", "")}] if said.get("installation") else []
    return Answer(200, {"total_count": len(found), "installations": found})


def _app(world: "World", request: Received) -> str:
    """Return the app whose JWT this is; raise RefusedError (401)."""
    text = request.headers.get("authorization", "").removeprefix("Bearer ")
    header, claims = signatures.read_jwt(text)
    now, app = world.now(), str(claims.get("iss") or "")
    begins, ends = claims.get("iat"), claims.get("exp")
    lasting = isinstance(begins, int) and isinstance(ends, int) and begins <= now < ends <= begins + 660
    if header.get("alg") != "RS256" or not lasting or world.is_wrong(app):
        raise RefusedError(401, "bad_credentials", "The JWT is no app's, or lasts too long.")
    key = signatures.known(world, app)
    if key is not None:
        signatures.check_jwt(text, key)
    return app


def _made_at(number: str) -> int:
    if not number.isdigit() or len(number) > 18:
        raise RefusedError(404, "not_found", "There is no such installation.")
    return int(number) // _SCALE
