"""AWS as a vendor: STS gives keys for a role, and every call must be signed with them. The keys carry themselves."""

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING

from dragoman_server.providers.model import Provider
from dragoman_server.simulator import signatures
from dragoman_server.simulator.exchange import Answer, Received, RefusedError
from dragoman_server.simulator.tokens import Minted

if TYPE_CHECKING:
    from dragoman_server.simulator.world import World

_KEY = b"dragoman simulator of aws"
STS = "https://sts.${connectionConfig.region}.amazonaws.com/"


def assume_role(world: "World", provider: Provider, request: Received) -> Answer:
    """AssumeRole of version 2011-06-15, as JSON."""
    scope, _, _ = signatures.aws_fields(request)
    secret = signatures.known(world, scope.partition("/")[0])
    if secret is not None:
        signatures.check_aws(request, secret)
    form = request.form
    if form.get("Action") != "AssumeRole" or form.get("Version") != "2011-06-15" or not form.get("RoleSessionName"):
        raise RefusedError(400, "InvalidAction", "`Action` must be `AssumeRole`, of version 2011-06-15.")
    role, external = form.get("RoleArn", ""), form.get("ExternalId", "")
    if world.is_wrong(role) or world.is_wrong(external):
        raise RefusedError(403, "AccessDenied", "The role's trust policy does not allow this.")
    expires = world.now() + int(form.get("DurationSeconds") or 3600)
    session = Minted("access", provider.name, role, world.new_family(), 0, expires).text()
    key, hidden = keys_of(session)
    given = {"AccessKeyId": key, "SecretAccessKey": hidden, "SessionToken": session, "Expiration": expires}
    return Answer(200, {"AssumeRoleResponse": {"AssumeRoleResult": {"Credentials": given}}})


def check_call(world: "World", provider: Provider, request: Received) -> str:
    """Return the session a call is signed with; raise RefusedError (401) where it is wrong."""
    session = request.headers.get("x-amz-security-token", "")
    scope, names, _ = signatures.aws_fields(request)
    try:
        world.read_token(session, "access", provider)
    except RefusedError as error:
        raise RefusedError(401, "ExpiredToken", error.why) from None
    key, secret = keys_of(session)
    if scope.partition("/")[0] != key or "x-amz-security-token" not in names:
        raise RefusedError(401, "InvalidClientTokenId", "The key is another session's, or the session is not signed.")
    signatures.check_aws(request, secret)
    return session


def keys_of(session: str) -> tuple[str, str]:
    """Return key id and secret that belong to a session token."""
    digest = hmac.digest(_KEY, session.encode(), hashlib.sha256)
    return f"ASIA{base64.b32encode(digest[:10]).decode()}", base64.b64encode(digest[:30]).decode()
