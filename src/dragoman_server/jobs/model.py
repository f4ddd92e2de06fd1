"""The nouns of a run under way."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from dragoman_server.control.model import Connection, Environment, FunctionVersion, Integration
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.logs import Operation
from dragoman_server.providers.model import Provider
from dragoman_server.records import Fence
from dragoman_server.runners.port import BundleRef


@dataclass(frozen=True, slots=True)
class Prepared:
    """A function with everything a run of it needs, but no credential."""

    environment: Environment
    integration: Integration
    connection: Connection
    provider: Provider
    function: FunctionVersion
    bundle: BundleRef

    @property
    def environment_id(self) -> EnvironmentId:
        return self.environment.id


StillHeld = Callable[[], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class RunTarget:
    """Whom a run acts for: what the gate needs to answer its calls. `fence` None: the run saves nothing (an action)."""

    prepared: Prepared
    run_id: UUID
    operation: Operation
    variant: str = "base"
    fence: Fence | None = None
    still_held: StillHeld | None = None
    """Asked where there is no fence: whether this attempt still has its task."""
    repeatable: bool = False
    """Whether there may be another attempt: then it is asked before the first call, else from half a second on."""
    depth: int = 0
    """How many actions called each other to get here."""
