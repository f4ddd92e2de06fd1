"""Run a function of a local project against a real connection: calls go through the server, nothing is saved.

The function runs in this process, so a debugger works. Reads (the provider by GET, HEAD, the connection, variables)
are real; what would be stored is collected. Calls that change something at the provider are made only when allowed.
"""

import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from dragoman.authoring.errors import DefinitionError, PlatformError
from dragoman.authoring.functions import FunctionDefinition
from dragoman.authoring.transport import Reply
from dragoman.client import ApiError, Client

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass
class Collected:
    """What a run would have left behind."""

    saved: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    deleted: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    checkpoint: Any = None
    metadata: Any = None
    tracked: set[str] = field(default_factory=set[str])


class DryRunTransport:
    """The context's calls over HTTP; `say` gets the log lines."""

    def __init__(
        self,
        api: Client,
        *,
        connection_id: str,
        integration_id: str,
        allow_writes: bool,
        say: Callable[[str, str], None],
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        self._api = api
        self._connection_id = connection_id
        self._integration_id = integration_id
        self._allow_writes = allow_writes
        self._say = say
        self._metadata = metadata
        self._connection: dict[str, Any] | None = None
        self.collected = Collected()

    def check(self) -> None:
        """Raise `ApiError` when there is no such connection."""
        self._shown()

    def base_url(self, provider: Mapping[str, Any]) -> str | None:
        """Where the provider's paths start, for links relative to it; None if the connection's config does not say."""
        found: Any = dict(provider.get("proxy") or {}).get("base_url") or ""
        template = str(cast("list[Any]", found)[0] if isinstance(found, list) else found)
        config: dict[str, Any] = self._shown().get("connection_config") or {}
        made = re.sub(r"\$\{connectionConfig\.(\w+)\}", lambda m: str(config.get(m[1], m[0])), template)
        return made if made and "${" not in made else None

    async def call(
        self,
        method: str,
        params: Mapping[str, Any],
        body: bytes = b"",
        *,
        upload: AsyncIterator[bytes] | None = None,
        stream: bool = False,
    ) -> Reply:
        if upload is not None:
            body += b"".join([piece async for piece in upload])
        try:
            return getattr(self, f"_do_{method}")(params, body)
        except ApiError as error:
            raise PlatformError(error.code, error.message, status=error.status, payload=error.payload) from None

    def log(self, level: str, message: str, meta: Mapping[str, Any] | None) -> None:
        self._say(level, message + (f" {json.dumps(dict(meta), default=str)}" if meta else ""))

    # -- what can be asked -------------------------------------------------------------------------------------------

    def _do_proxy(self, params: Mapping[str, Any], body: bytes) -> Reply:
        method = str(params["method"])
        if method not in SAFE_METHODS and not self._allow_writes:
            raise PlatformError(
                "dry_run",
                f"{method} {params['endpoint']} would change something; allow it with --allow-writes.",
                status=400,
            )
        headers = dict(cast("list[tuple[str, str]]", params["headers"]))
        query: dict[str, list[str]] = {}
        for name, value in cast("list[tuple[str, str]]", params["query"]):
            query.setdefault(name, []).append(value)
        answer = self._api.proxy(
            method,
            str(params["endpoint"]),
            connection_id=self._connection_id,
            integration_id=self._integration_id,
            params=query or None,
            content=body if params.get("has_body") else None,
            headers=headers,
            retries=int(params["retries"]),
            base_url_override=params.get("base_url"),
        )
        return Reply({"status": answer.status_code, "headers": list(answer.headers.multi_items())}, answer.content)

    def _do_save(self, params: Mapping[str, Any], body: bytes) -> Reply:
        length = int(params.get("checkpoint") or 0)
        if length:
            self.collected.checkpoint = json.loads(body[-length:])
            body = body[:-length]
        model = str(params["model"])
        kept = self.collected.saved.setdefault(model, {})
        for identifier, record in zip(params["ids"], json.loads(body), strict=True):
            kept[str(identifier)] = record
        return Reply({"added": len(params["ids"]), "updated": 0, "unchanged": 0})

    def _do_delete(self, params: Mapping[str, Any], _body: bytes) -> Reply:
        self.collected.deleted.setdefault(str(params["model"]), []).extend(params["ids"])
        return Reply({"deleted": len(params["ids"])})

    def _do_open_tracking(self, params: Mapping[str, Any], _body: bytes) -> Reply:
        self.collected.tracked.add(str(params["model"]))
        return Reply()

    def _do_close_tracking(self, _params: Mapping[str, Any], _body: bytes) -> Reply:
        return Reply({"deleted": 0})

    def _do_records(self, params: Mapping[str, Any], _body: bytes) -> Reply:
        kept = self.collected.saved.get(str(params["model"]), {})
        wanted = [str(i) for i in params["ids"]]
        found = {i: kept[i] for i in wanted if i in kept}
        missing = [i for i in wanted if i not in found]
        for start in range(0, len(missing), 100):
            page = self._api.records.page(
                str(params["model"]),
                connection_id=self._connection_id,
                integration_id=self._integration_id,
                ids=missing[start : start + 100],
                filter=["added", "updated"],
            )
            for record in page["records"]:
                record.pop("_nango_metadata", None)
                found[str(record["id"])] = record
        pieces = {i: json.dumps(r).encode() for i, r in found.items()}
        return Reply({"found": [(i, len(p)) for i, p in pieces.items()]}, b"".join(pieces.values()))

    def _do_save_checkpoint(self, _params: Mapping[str, Any], body: bytes) -> Reply:
        self.collected.checkpoint = json.loads(body)
        return Reply()

    def _do_clear_checkpoint(self, _params: Mapping[str, Any], _body: bytes) -> Reply:
        self.collected.checkpoint = None
        return Reply()

    def _metadata_now(self) -> Any:
        if self.collected.metadata is not None:
            return self.collected.metadata
        return self._metadata if self._metadata is not None else (self._shown()["metadata"] or {})

    def _do_metadata(self, _params: Mapping[str, Any], _body: bytes) -> Reply:
        return Reply({}, json.dumps(self._metadata_now()).encode())

    def _do_write_metadata(self, params: Mapping[str, Any], body: bytes) -> Reply:
        given = json.loads(body)
        self.collected.metadata = {**self._metadata_now(), **given} if params["merge"] else given
        return Reply()

    def _do_connection(self, _params: Mapping[str, Any], _body: bytes) -> Reply:
        return Reply(self._shown())

    def _do_variables(self, _params: Mapping[str, Any], _body: bytes) -> Reply:
        return Reply({v["name"]: v["value"] for v in self._api.environment.variables()})

    def _do_trigger_action(self, params: Mapping[str, Any], body: bytes) -> Reply:
        if not self._allow_writes:
            raise PlatformError("dry_run", "An action may change something; allow it with --allow-writes.", status=400)
        given = json.loads(body) if body else None
        output = self._api.actions.trigger(self._integration_id, self._connection_id, str(params["name"]), given)
        return Reply({}, json.dumps(output).encode())

    def _shown(self) -> dict[str, Any]:
        if self._connection is None:
            found = cast("dict[str, Any]", dict(self._api.connections.get(self._connection_id, self._integration_id)))
            self._connection = {k: v for k, v in found.items() if k != "credentials"}
        return self._connection


def find_definition(project: Path, name: str, *, integration: str | None) -> FunctionDefinition:
    """The project's function of that name; raise DefinitionError when there is none, or several."""
    from dragoman.authoring.discovery import add_to_path, load_definitions

    add_to_path(project)
    every = load_definitions(project)
    found = [d for d in every if d.name == name and integration in (None, d.integration)]
    if not found:
        raise DefinitionError(f"No function `{name}`; there are {', '.join(sorted(d.name for d in every)) or 'none'}.")
    if len(found) > 1:
        where = ", ".join(f"{d.kind} of {d.integration}" for d in found)
        raise DefinitionError(f"`{name}` is the name of several functions ({where}): add --integration-id.")
    return found[0]


def run_locally(
    definition: FunctionDefinition,
    transport: DryRunTransport,
    *,
    run: Mapping[str, Any],
    input_: bytes | None,
) -> bytes | None:
    """Run the function to its end; return an action's output as JSON. Whatever it raises passes through."""
    from dragoman.authoring.running import run_function

    return run_function(definition, transport, run, input_)
