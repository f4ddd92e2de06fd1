"""What the rest of the system sees of runners: a run, its limits, the calls it may make, and how it ended.

No credential ever passes here: the guest names a request, the gate's side authorizes and sends it.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Protocol

from dragoman_server.kit.ids import DeploymentId, EnvironmentId, RunId

FunctionKind = Literal["sync", "action"]


@dataclass(frozen=True, slots=True)
class BundleRef:
    """A deployed project, unpacked: `folder` is read-only and holds what the archive held."""

    environment_id: EnvironmentId
    deployment_id: DeploymentId
    folder: Path


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may use. Whatever passes a limit is killed, its siblings are not."""

    wall: timedelta = timedelta(minutes=15)
    cpu: timedelta = timedelta(minutes=10)
    memory_bytes: int = 512 * 1024 * 1024
    """Address space on top of what the warm process already maps."""
    output_bytes: int = 2 * 1024 * 1024
    """Size of an action's answer."""
    log_bytes: int = 8 * 1024 * 1024
    """Log text of a run; what comes after is dropped with one warning."""
    file_bytes: int = 64 * 1024 * 1024
    """Size of any one file in the run's scratch folder."""
    open_files: int = 256
    threads: int = 256
    """Per environment; a function may start threads but no processes."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """What a function learns about where it runs; no credential."""

    environment_name: str
    integration: str
    provider: str
    connection_id: str
    variant: str = "base"
    paginate: Mapping[str, Any] | None = None
    """The catalogue entry's `proxy.paginate`, raw."""
    base_url: str | None = None


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One attempt of one run. `checkpoint` is what `begin_attempt` read: the guest starts from it without asking."""

    run_id: RunId
    attempt: int
    kind: FunctionKind
    function: str
    bundle: BundleRef
    context: RunContext
    input: bytes | None = None
    checkpoint: bytes | None = None
    limits: Limits = field(default_factory=Limits)
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class RunError:
    """Why a run failed, as the wire names it (`wire-contract.md` section 2)."""

    code: str
    message: str
    payload: Any = None
    """What an ActionError carried."""
    upstream: Mapping[str, Any] | None = None
    """`{status, headers, body}` of the provider's answer behind a `script_http_error`."""
    issues: Sequence[Mapping[str, Any]] = ()
    traceback: str | None = None
    """The author's own frames; for logs, never for an answer."""
    retryable: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """What a run took."""

    wall_ms: float
    cpu_ms: float = 0.0
    max_memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The function returned. `output` is JSON (an action's answer) or None."""

    output: bytes | None
    usage: Usage


@dataclass(frozen=True, slots=True)
class Failed:
    """The function, or a limit, ended it."""

    error: RunError
    usage: Usage


@dataclass(frozen=True, slots=True)
class Interrupted:
    """Nobody can say how far it came: cancelled, the runner lost, or the host shutting down. Never a success."""

    reason: Literal["cancelled", "runner_lost", "shutdown"]
    usage: Usage


RunOutcome = Succeeded | Failed | Interrupted


# ---- what a guest may ask for


@dataclass(frozen=True, slots=True)
class ProxyCall:
    """A request to the connection's provider. `endpoint` is a path, or a URL the gate checks against its origins."""

    method: str
    endpoint: str
    query: Sequence[tuple[str, str]] = ()
    headers: Sequence[tuple[str, str]] = ()
    body: bytes | AsyncIterator[bytes] | None = None
    base_url_override: str | None = None
    retries: int = 0
    retry_on: Sequence[int] = ()
    timeout: float | None = None
    decompress: bool = False
    forward_headers_on_redirect: bool = False


@dataclass(frozen=True, slots=True)
class ProxyAnswer:
    """The provider's answer as it comes in; `body` is read at the guest's pace."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class SaveBatch:
    """Up to 1000 records of one model. `batch` is the run's own count over everything it writes: a repeat of a number
    is answered with what was stored the first time. `checkpoint` commits with the records.
    """

    batch: int
    model: str
    records: Sequence[tuple[str, bytes]]
    checkpoint: bytes | None = None


@dataclass(frozen=True, slots=True)
class SaveCounts:
    added: int = 0
    updated: int = 0
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class LogLine:
    level: Literal["debug", "info", "warn", "error"]
    message: str
    meta: Mapping[str, Any] | None
    at: datetime


class GuestCalls(Protocol):
    """What a running function may ask of the platform; one object per run, made and fenced by `gate`.

    Several may be under way at once. A DragomanError becomes the guest's PlatformError (code, message, status,
    payload); any other exception becomes `server_error` without its text.
    """

    def proxy(self, call: ProxyCall) -> AbstractAsyncContextManager[ProxyAnswer]: ...
    async def save(self, batch: SaveBatch) -> SaveCounts: ...
    async def delete(self, batch: int, model: str, ids: Sequence[str]) -> int:
        """Mark records deleted; returns how many were live."""
        ...

    async def open_tracking(self, batch: int, model: str) -> None:
        """From here on, what this stream does not see again is deleted by `close_tracking`."""
        ...

    async def close_tracking(self, batch: int, model: str, *, allow_empty: bool) -> int:
        """Delete what was not seen; returns how many. Only called when the block ended well."""
        ...

    async def records(self, model: str, ids: Sequence[str]) -> Sequence[tuple[str, bytes]]: ...
    async def save_checkpoint(self, batch: int, checkpoint: bytes | None) -> None:
        """Store (None: clear) the checkpoint without records."""
        ...

    async def metadata(self) -> bytes:
        """The connection's metadata as a JSON object."""
        ...

    async def write_metadata(self, value: bytes, *, merge: bool) -> None: ...
    async def connection(self) -> Mapping[str, Any]:
        """The connection without credentials."""
        ...

    async def variables(self) -> Mapping[str, str]: ...
    async def trigger_action(self, name: str, input: bytes | None) -> bytes | None: ...  # noqa: A002 - the wire's word
    def log(self, lines: Sequence[LogLine]) -> None:
        """Buffered; never fails and never waits."""
        ...


# ---- the sandbox, as /ready shows it


class Tier(StrEnum):
    """How functions are shut in, best first."""

    SEALED = "sealed"
    CONTAINED = "contained"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class TierReport:
    """The tier in use, and why a better one is not; `tier` is None when functions are refused."""

    tier: Tier | None
    details: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        return {"tier": self.tier.value if self.tier else None, "details": dict(self.details)}


class RunnerHost(Protocol):
    """The driver of a machine's (or a cluster's) runners."""

    @property
    def tier(self) -> TierReport: ...
    async def prepare(self, bundle: BundleRef) -> None:
        """Install the deployment's dependencies; never under a run's deadline."""
        ...

    async def describe(self, bundle: BundleRef) -> dict[str, Any]:
        """The manifest, recomputed inside the sandbox; raises BundleError when the project does not import."""
        ...

    async def run(self, spec: RunSpec, calls: GuestCalls) -> RunOutcome:
        """Run one attempt to its end. Cancelling the awaiting task kills the run."""
        ...

    def cancel(self, run_id: RunId) -> bool:
        """Kill a run; its `run` returns Interrupted("cancelled"). False when it is not here."""
        ...

    async def evict(self, environment_id: EnvironmentId, deployment_id: DeploymentId | None = None) -> None: ...
