"""Every setting, read once. Environment names start with DRAGOMAN_; an unknown one is refused."""

import difflib
import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from dragoman_server.kit.errors import InvalidInputError, Issue

PREFIX = "DRAGOMAN_"
_FRAME_SOURCE = re.compile(r"\*|'none'|'self'|https?://(?:\*\.)?[A-Za-z0-9._-]+(?::[0-9]{1,5})?")
CLIENT_NAMES = frozenset({"DRAGOMAN_URL", "DRAGOMAN_API_KEY", "DRAGOMAN_WEBHOOK_SIGNING_KEY", "DRAGOMAN_DATA_DIR"})
"""Names the client and the command line read; the server knows them and leaves them alone."""


class Settings(BaseSettings):
    """The server's settings. Parts receive values, never this."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    database_url: SecretStr | None = Field(
        None, description="Postgres 15 or newer. Unset: an embedded Postgres in the data folder."
    )
    database_direct_url: SecretStr | None = Field(
        None, description="The same database past a pooler, for LISTEN and migrations. Default: DRAGOMAN_DATABASE_URL."
    )
    orchestrator_database_url: SecretStr | None = Field(
        None,
        description="The orchestrator's own database. Default: the main one's name followed by `_orchestrator`, "
        "made at start where the role may.",
    )
    database_pool_size: int = Field(12, ge=2, le=200, description="Connections per process to the main database.")
    public_url: str = Field(
        "", description="How browsers and providers reach this server: redirect URIs and links. Default: bind and port."
    )
    bind: str = Field("127.0.0.1", description="The address to listen on.")
    trusted_proxies: str = Field(
        "", description="Addresses or CIDRs, comma-separated, whose X-Forwarded-For and -Proto are believed."
    )
    connect_frame_ancestors: str = Field(
        "*",
        description="Who may embed the Connect UI, as in a Content-Security-Policy: origins separated by blanks, "
        "`*` (anyone) or `'none'`. An environment may narrow it further.",
    )
    edition: Literal["auth", "full"] = Field(
        "full", description="`auth`: API and control plane only; `full`: everything."
    )
    providers_dir: Path | None = Field(None, description="A folder of your own catalogue entries, one YAML file each.")
    egress_allow: str = Field(
        "", description="CIDRs, comma-separated, that outbound calls may reach although they are not public."
    )
    sandbox: Literal["auto", "sealed", "contained", "off"] = Field(
        "auto", description="How functions are isolated. `auto`: the best there is; `off`: development only."
    )
    blob_url: str = Field(
        "", description="Where deployed bundles live: a file, s3, gs or az URL. Default: the data folder."
    )
    encryption_key: SecretStr | None = Field(
        None, description="The key-encryption key, 32 bytes in base64; else the key file. Never a built-in default."
    )
    previous_encryption_keys: SecretStr | None = Field(
        None, description="Retired key-encryption keys, comma-separated, still needed while `keys rotate` runs."
    )
    rate_limit_per_minute: int = Field(600_000, ge=60, description="Calls per API key and minute, in each API process.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Of the server's own output.")
    logs_retention_days: int = Field(15, ge=1, le=365, description="How long operations and messages are kept.")
    erase_logs_with_connection: bool = Field(
        False, description="True: deleting a connection erases its operations and messages too."
    )
    records_prune_after_days: int = Field(
        0, ge=0, description="Empty the payload of records unchanged for so many days (0: never)."
    )
    sync_slots: int = Field(16, ge=1, le=500, description="Syncs a worker runs at once.")
    action_slots: int = Field(16, ge=1, le=500, description="Actions a worker runs at once.")
    environment_concurrency: int = Field(500, ge=1, description="Tasks of one environment that run at once.")
    connection_concurrency: int = Field(32, ge=1, description="Tasks of one connection that run at once.")
    run_memory_mb: int = Field(512, ge=64, description="Memory of one run.")
    sync_timeout_seconds: int = Field(24 * 3600, ge=10, description="Wall time of one sync run.")
    action_timeout_seconds: int = Field(15 * 60, ge=1, description="Wall time of one action.")
    runner_idle_seconds: int = Field(900, ge=1, description="A deployment's zygote leaves after so long without a run.")
    metrics_token: SecretStr | None = Field(
        None,
        min_length=16,
        description="What a scraper of `/metrics` sends as `Authorization: Bearer …`. Unset: only callers on the "
        "machine itself, not through a proxy, may read them.",
    )
    drain_seconds: int = Field(20, ge=0, description="How long SIGTERM waits for what is running.")
    package_index_url: SecretStr | None = Field(
        None, description="Where a deployment's wheels come from. Default: what pip is configured with."
    )

    @field_validator("public_url")
    @classmethod
    def _absolute(cls, value: str) -> str:
        if value:
            parts = urlsplit(value)
            if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
                raise ValueError(
                    "expected an absolute http(s) URL without query, e.g. https://integrations.example.com"
                )
        return value.rstrip("/")

    @field_validator("connect_frame_ancestors")
    @classmethod
    def _sources(cls, value: str) -> str:
        sources = value.split()
        for one in sources:
            if not _FRAME_SOURCE.fullmatch(one) or (one in {"*", "'none'"} and len(sources) > 1):
                raise ValueError("expected origins such as https://app.example.com separated by blanks, `*`, or 'none'")
        return " ".join(sources) or "'none'"

    @field_validator("egress_allow", "trusted_proxies")
    @classmethod
    def _networks(cls, value: str) -> str:
        for part in (p.strip() for p in value.split(",")):
            if part:
                ipaddress.ip_network(part, strict=False)
        return value

    def networks(self, name: Literal["egress_allow", "trusted_proxies"]) -> list[str]:
        """The CIDRs of a comma-separated setting."""
        return [p.strip() for p in str(getattr(self, name)).split(",") if p.strip()]


class InvalidSettingsError(InvalidInputError):
    """One or more settings cannot be taken; the message names each."""

    code = "invalid_settings"


def read_settings(environment: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """Read DRAGOMAN_* from `environment` (default: the process's); raise `InvalidSettingsError` naming each bad one."""
    environment = os.environ if environment is None else environment
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    given = {name: value for name, value in environment.items() if name.startswith(PREFIX)}
    issues = [
        Issue("unrecognized_keys", _unknown(name, known), (name,)) for name in given if name not in known | CLIENT_NAMES
    ]
    values: dict[str, object] = {n[len(PREFIX) :].lower(): v for n, v in given.items() if n in known and v != ""}
    values |= {k: v for k, v in overrides.items() if v is not None}
    settings: Settings | None = None
    try:
        settings = _Explicit.model_validate(values)
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False):
            name = PREFIX + str(one["loc"][0]).upper() if one["loc"] else PREFIX
            issues.append(Issue("custom", str(one["msg"]), (name,)))
    if issues or settings is None:
        raise InvalidSettingsError("; ".join(f"{i.path[0]}: {i.message}" for i in issues), issues=issues)
    return settings


class _Explicit(Settings):
    """Takes only what it is given: the environment was read above."""

    @classmethod
    def settings_customise_sources(  # type: ignore[override]  # the base names every source; only one is used
        cls, _settings_cls: object, init_settings: object, **_: object
    ) -> tuple[object, ...]:
        return (init_settings,)


def _unknown(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name.removeprefix(PREFIX), [k.removeprefix(PREFIX) for k in known], 1)
    return "unknown setting" + (f"; did you mean {PREFIX}{near[0]}?" if near else "")
