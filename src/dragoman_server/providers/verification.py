"""The calls that tell whether a credential works, as the entry describes them. Pure: somebody else sends them."""

import json
from dataclasses import dataclass

from dragoman_server.providers.model import Provider
from dragoman_server.providers.rendering import OutboundRequest, build_request, inject_body
from dragoman_server.providers.scope import RequestScope, template_scope
from dragoman_server.providers.templating import Moment, render_tree
from dragoman_server.providers.urls import render_path, render_url


@dataclass(frozen=True, slots=True)
class VerificationCall:
    """One call to send; any 2xx of any of them proves the credential."""

    request: OutboundRequest
    body: bytes | None = None


def verification_calls(
    provider: Provider, scope: RequestScope, *, moment: Moment | None = None
) -> list[VerificationCall]:
    """Return the calls to try in order; none when the entry has no verification."""
    verification = provider.proxy.verification
    if verification is None:
        return []
    values = template_scope(scope)
    base = verification.base_url_override and render_url(verification.base_url_override, values, moment=moment)
    data = inject_body(provider, scope, render_tree(verification.data, values, moment=moment), moment=moment)
    body = None if verification.data is None else data.encode() if isinstance(data, str) else json.dumps(data).encode()
    headers = [("content-type", "application/json")] if body is not None and not isinstance(data, str) else []
    return [
        VerificationCall(
            build_request(
                provider,
                scope,
                method=verification.method,
                endpoint=render_path(endpoint, values, moment=moment),
                headers=[h for h in headers if h[0] not in verification.headers],
                base_url_override=base or None,
                body=body or b"",
                extra_headers=verification.headers,
                moment=moment,
            ),
            body,
        )
        for endpoint in verification.endpoints
    ]
