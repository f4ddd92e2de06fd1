"""JupyterHub's own configuration file: 2,000 people sign in with one password; one OAuth client, which is Dragoman."""

import json
import os
from pathlib import Path
from typing import Any, cast

told: dict[str, Any] = json.loads(os.environ["HUB_TOLD"])
c = cast("Any", get_config())  # noqa: F821  # pyright: ignore[reportUndefinedVariable]

c.JupyterHub.bind_url = told["url"]
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{told['hub_port']}"
c.JupyterHub.db_url = "sqlite:///:memory:"
c.JupyterHub.cookie_secret = os.urandom(32)
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.admin_access = False
c.JupyterHub.load_groups = {"night-shift": {"users": []}}
c.Authenticator.admin_users = {told["admin"]}
c.Authenticator.allow_all = True
c.DummyAuthenticator.password = told["password"]
c.ConfigurableHTTPProxy.command = [str(Path(__file__).parent / "node_modules" / ".bin" / "configurable-http-proxy")]
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{told['proxy_port']}"
c.ConfigurableHTTPProxy.auth_token = os.urandom(16).hex()
c.ConfigurableHTTPProxy.pid_file = f"{told['folder']}/proxy.pid"
c.JupyterHub.services = [
    {
        "name": "dragoman",
        "api_token": told["client_secret"],
        "oauth_client_id": told["client_id"],
        "oauth_redirect_uri": told["redirect_uri"],
        "oauth_client_allowed_scopes": ["admin:users", "list:users"],
    },
    {"name": "tests", "api_token": told["token"]},
]
c.JupyterHub.load_roles = [
    {"name": "tests", "scopes": ["admin:users", "admin:groups", "list:users"], "services": ["tests"]},
]
