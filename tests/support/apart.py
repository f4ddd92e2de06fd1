"""The platform apart: a Postgres of the test's, and each role a process with a data folder of its own."""

import base64
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dragoman_server.db.embedded import EmbeddedPostgres
from tests.support.platform import LOOPBACK, Command, RunningPlatform, start_command, wait_ready

FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "48MB"}


@dataclass
class Apart:
    """Roles that share nothing but Postgres and the blob store. `start` adds a process, `stop` ends all."""

    folder: Path
    extra: Mapping[str, str] = field(default_factory=dict[str, str])
    settings: dict[str, str] = field(default_factory=dict[str, str])
    commands: dict[str, Command] = field(default_factory=dict[str, Command])
    url: str = ""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        (self.folder / "blobs").mkdir()
        self.postgres = EmbeddedPostgres(self.folder / "pg", settings=FAST)
        self.postgres.start()
        self.settings = {
            **LOOPBACK,
            "DRAGOMAN_DRAIN_SECONDS": "5",
            "DRAGOMAN_DATABASE_URL": self.postgres.url("dragoman"),
            "DRAGOMAN_ENCRYPTION_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
            "DRAGOMAN_BLOB_URL": f"file://{self.folder / 'blobs'}",
            **self.extra,
        }
        keys = str(self.folder / "keys")
        command, _ = start_command(
            "migrate", ["migrate", "--first-account", keys], folder=self.folder, extra=self.settings, says="keys are in"
        )
        assert command.popen.wait(30) == 0

    def start(self, *roles: str, name: str = "") -> Command:
        """`dragoman serve ROLE...`; with the role `api` returns when it is ready."""
        name = name or "-".join(roles)
        arguments = ["serve", *roles, "--data-dir", str(self.folder / name), "--port", "0"]
        says = (
            r"listens on (http://\S+)" if "api" in roles else r"" if "jobs" not in roles else r"\"event\": \"sandbox\""
        )
        command, match = start_command(name, arguments, folder=self.folder, extra=self.settings, says=says)
        self.commands[name] = command
        if match is not None and "api" in roles:
            self.url = match[1]
            wait_ready(self.url)
        return command

    def start_all(self) -> RunningPlatform:
        """`serve api`, `serve orchestrator relay`, `serve jobs`."""
        self.start("api")
        self.start("orchestrator", "relay")
        self.start("jobs")
        return self.platform()

    def platform(self) -> RunningPlatform:
        """The same face as `dragoman up` has."""
        return RunningPlatform(self.url, self.folder / "keys", list(self.commands.values()))

    def stop(self) -> None:
        for command in self.commands.values():
            if command.popen.poll() is None:
                os.kill(command.popen.pid, 18)  # SIGCONT: a stopped process cannot drain
                command.stop()
        self.postgres.stop()
