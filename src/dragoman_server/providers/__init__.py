"""The catalogue of providers: data, templating, and rendering an authorized request.

Every door and story that talks to a provider asks here what its entry says: the proxy for the request to send, connect
for the URLs and parameters of a grant, the API for what to show. Pure: stores nothing, opens no connection, runs in
whichever process calls it. Reading entries happens only in `load_catalogue`; importing reads no file.
"""

from dragoman_server.providers.catalogue import Catalogue, load_catalogue
from dragoman_server.providers.model import AuthMode, Credential, Field, Provider, ProxyHints, Verification
from dragoman_server.providers.rendering import OutboundRequest, RequestScope, build_request

__all__ = [
    "AuthMode",
    "Catalogue",
    "Credential",
    "Field",
    "OutboundRequest",
    "Provider",
    "ProxyHints",
    "RequestScope",
    "Verification",
    "build_request",
    "load_catalogue",
]
