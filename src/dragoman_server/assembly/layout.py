"""What lies where in a data folder, and which databases a process talks to. Light: the supervisor imports it."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

if TYPE_CHECKING:
    from pydantic import SecretStr

    from dragoman_server.assembly.settings import Settings

ORCHESTRATOR_SUFFIX = "_orchestrator"
MAIN_PARTS = (
    "dragoman_server.outbox",
    "dragoman_server.vault",
    "dragoman_server.control",
    "dragoman_server.records",
    "dragoman_server.logs",
    "dragoman_server.connect",
    "dragoman_server.webhooks",
)
"""The parts with tables in the main database, in the order their migrations run."""
ORCHESTRATOR_PARTS = ("dragoman_server.orchestrator",)
ROLES = ("api", "orchestrator", "jobs", "relay")
"""api: the doors. orchestrator: schedules, repairs. jobs: runs functions. relay: outbox, webhooks, refresh ahead."""
SIMULATOR_ROLE = "simulator"
"""`up --simulate` alone: a process that plays the vendors. It has no database, no key and no other role."""


@dataclass(frozen=True, slots=True)
class DataFolder:
    """The paths below one data folder."""

    root: Path

    @property
    def credentials(self) -> Path:
        return self.root / "credentials.json"

    @property
    def simulated(self) -> Path:
        """There when what the folder holds belongs to the simulator's world (`up --simulate`)."""
        return self.root / "simulated"

    @property
    def key_file(self) -> Path:
        return self.root / "encryption.key"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def blobs(self) -> Path:
        return self.root / "blobs"

    @property
    def spill(self) -> Path:
        """Answers of token endpoints that could not be stored before the process ended, sealed."""
        return self.root / "spill"

    @property
    def runtime(self) -> Path:
        """Unpacked bundles and installed dependencies; safe to delete."""
        return self.root / "runtime"

    def lock(self) -> int:
        """Hold the folder for this process until it ends; raise BlockingIOError when another one does."""
        import fcntl
        import os

        descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise
        return descriptor

    def make(self) -> None:
        """Make the folders; private to their owner (as root the database's and functions' users may pass through)."""
        import os

        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o711 if os.geteuid() == 0 else 0o700)
        for path, mode in ((self.blobs, 0o700), (self.spill, 0o700), (self.runtime, 0o711)):
            path.mkdir(exist_ok=True)
            path.chmod(mode)


@dataclass(frozen=True, slots=True)
class Databases:
    """The URLs a process uses; `direct` ones are for LISTEN and migrations, past any pooler."""

    main: str
    main_direct: str
    orchestrator: str
    orchestrator_direct: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def databases_of(settings: "Settings", *, embedded: str | None = None) -> Databases:
    """The databases a process uses; `embedded` is the embedded server's URL where none is set."""

    def revealed(secret: "SecretStr | None") -> str | None:
        return None if secret is None else secret.get_secret_value()

    main = revealed(settings.database_url) or embedded
    if main is None:
        raise ValueError("DRAGOMAN_DATABASE_URL is not set and no embedded Postgres runs")
    return resolve_databases(
        main,
        direct=revealed(settings.database_direct_url),
        orchestrator=revealed(settings.orchestrator_database_url),
    )


def with_database(url: str, name: str) -> str:
    """Return `url` with another database name."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, "/" + quote(name, safe=""), parts.query, parts.fragment))


def database_name(url: str) -> str:
    """The database `url` names; `postgres` when it names none."""
    return unquote(urlsplit(url).path.lstrip("/")) or "postgres"


def resolve_databases(main: str, *, direct: str | None = None, orchestrator: str | None = None) -> Databases:
    """Fill in what is not given: the orchestrator's database sits beside the main one."""
    main_direct = direct or main
    name = database_name(main) + ORCHESTRATOR_SUFFIX
    return Databases(
        main=main,
        main_direct=main_direct,
        orchestrator=orchestrator or with_database(main, name),
        orchestrator_direct=orchestrator or with_database(main_direct, name),
    )
