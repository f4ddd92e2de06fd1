"""Actions, and deployed functions."""

from typing import Any, Literal, cast

from dragoman.client import _wire
from dragoman.client import types as t
from dragoman.client._async.part import AsyncPart

FUNCTIONS_A_PAGE = 100


class AsyncActions(AsyncPart):
    """Functions you call."""

    async def trigger(self, integration_id: str, connection_id: str, action: str, input: Any = None) -> Any:  # noqa: A002
        """Run it and return its output. `ActionError` in the function arrives as `ApiError` with its `payload`."""
        headers = _wire.target(connection_id, integration_id)
        body = {"action_name": action} if input is None else {"action_name": action, "input": input}
        return await self._call("POST", "/action/trigger", json=body, headers=headers)

    async def trigger_async(
        self,
        integration_id: str,
        connection_id: str,
        action: str,
        input: Any = None,  # noqa: A002 (the wire's name)
        *,
        max_retries: int = 0,
    ) -> t.AsyncAction:
        """Queue it; the webhook `async_action` tells when it is done, `result` gives its output."""
        headers = _wire.target(connection_id, integration_id, X_Async="true", X_Max_Retries=str(max_retries))
        body = {"action_name": action} if input is None else {"action_name": action, "input": input}
        return cast("t.AsyncAction", await self._call("POST", "/action/trigger", json=body, headers=headers))

    async def result(self, action_id: str) -> Any:
        """The output of an async action; `ApiError` 404 while it is pending."""
        return await self._call("GET", _wire.path("/action/{id}", id=action_id))


class AsyncFunctions(AsyncPart):
    """Deployed functions."""

    async def list(
        self,
        integration_id: str,
        *,
        type: Literal["sync", "action"] | None = None,  # noqa: A002 (the wire's name)
    ) -> list[t.Function]:
        path = _wire.path("/integrations/{key}/functions", key=integration_id)
        found: list[t.Function] = []
        while True:
            params = {"type": type, "limit": FUNCTIONS_A_PAGE, "page": len(found) // FUNCTIONS_A_PAGE}
            page = cast("list[t.Function]", (await self._call("GET", path, params=params))["data"])
            found += page
            if len(page) < FUNCTIONS_A_PAGE:
                return found

    async def get(
        self,
        integration_id: str,
        name: str,
        *,
        type: Literal["sync", "action"] | None = None,  # noqa: A002 (the wire's name)
    ) -> t.Function:
        """`type` is needed where a sync and an action share the name."""
        path = _wire.path("/integrations/{key}/functions/{name}", key=integration_id, name=name)
        return cast("t.Function", (await self._call("GET", path, params={"type": type}))["data"])

    async def preview(self, bundle: bytes, manifest: str) -> t.DeploymentDifference:
        """What deploying this bundle would change."""
        answer = await self._call(
            "POST", "/functions/deployments/bundle/preview", files=_bundle_files(bundle, manifest)
        )
        return cast("t.DeploymentDifference", answer["data"])

    async def deploy(self, bundle: bytes, manifest: str) -> dict[str, Any]:
        """Deploy a bundle: every function it holds, and none it does not."""
        answer = await self._call("POST", "/functions/deployments/bundle", files=_bundle_files(bundle, manifest))
        return cast("dict[str, Any]", answer["data"])


def _bundle_files(bundle: bytes, manifest: str) -> dict[str, Any]:
    return {
        "manifest": ("manifest.json", manifest.encode(), "application/json"),
        "archive": ("bundle.tar.gz", bundle, "application/gzip"),
    }
