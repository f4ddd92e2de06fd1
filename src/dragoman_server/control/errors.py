"""The control plane's branch of the error tree. Doors override status and code where a route answers differently."""

from collections.abc import Sequence

from dragoman_server.kit.errors import ConflictError, DragomanError, InvalidInputError, Issue, NotFoundError, Reaction


class ControlError(DragomanError):
    """A request the control plane refuses."""

    code = "invalid_body"
    default_status = 400
    reaction = Reaction.FIX


class InvalidValueError(InvalidInputError):
    """Values that break the rules; `issues` name each one."""

    def __init__(self, issues: Sequence[Issue]) -> None:
        super().__init__(issues[0].message if issues else "The request is not valid.", issues=issues)


class UnknownConnectionError(ControlError):
    """There is no such connection in this environment."""

    code = "unknown_connection"

    def __init__(self, connection_id: str, integration_key: str | None = None, *, status: int | None = None) -> None:
        place = f" of integration `{integration_key}`" if integration_key else ""
        super().__init__(f"There is no connection `{connection_id}`{place} in this environment.", status=status)


class UnknownIntegrationError(ControlError):
    """There is no such integration in this environment."""

    code = "unknown_provider_config"
    default_status = 404

    def __init__(self, unique_key: str, *, status: int | None = None) -> None:
        super().__init__(f"There is no integration `{unique_key}` in this environment.", status=status)


class IntegrationKeyTakenError(InvalidValueError):
    """Another integration of this environment has that unique key."""

    def __init__(self, unique_key: str) -> None:
        super().__init__([Issue("custom", f"There is an integration `{unique_key}` already.", ("unique_key",))])


class IntegrationInUseError(InvalidValueError):
    """An integration cannot be renamed while it has connections."""

    def __init__(self) -> None:
        message = "This integration has connections, so its key cannot change."
        super().__init__([Issue("custom", message, ("unique_key",))])


class UnknownEnvironmentError(NotFoundError):
    """There is no such environment in this account."""

    def __init__(self) -> None:
        super().__init__("There is no such environment.")


class EnvironmentExistsError(ConflictError):
    """The account has an environment of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is an environment `{name}` already.")


class ProductionEnvironmentError(ControlError):
    """A production environment is not deleted."""

    code = "cannot_delete_prod_environment"

    def __init__(self) -> None:
        super().__init__("A production environment cannot be deleted. Make it a non-production one first.")


class UnknownFunctionError(NotFoundError):
    """No such function is deployed."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no function `{name}`.")


class AmbiguousFunctionError(ConflictError):
    """Several functions of different types have that name."""

    code = "ambiguous_function"

    def __init__(self, name: str, types: Sequence[str]) -> None:
        super().__init__(
            f"Several functions are named `{name}`: say which `type` you mean.",
            payload={"matches": [{"name": name, "type": kind} for kind in types]},
        )


class ConcurrentDeploymentError(ConflictError):
    """Another deployment to this environment is under way."""

    code = "concurrent_deployment"
    reaction = Reaction.RETRY

    def __init__(self) -> None:
        super().__init__("Another deployment to this environment is under way. Try again when it is done.")


class UnknownSyncError(ControlError):
    """The connection has no such sync."""

    code = "unknown_sync"

    def __init__(self, name: str, variant: str = "base") -> None:
        suffix = "" if variant == "base" else f"::{variant}"
        super().__init__(f"There is no sync `{name}{suffix}` for this connection.")


class InvalidVariantError(ControlError):
    """That variant name cannot be used."""

    code = "invalid_variant"

    def __init__(self, variant: str) -> None:
        super().__init__(f"`{variant}` cannot be a variant's name.")


class SyncVariantExistsError(ControlError):
    """The connection has that variant of the sync."""

    code = "sync_variant_already_exists"

    def __init__(self, name: str, variant: str) -> None:
        super().__init__(f"There is a variant `{variant}` of sync `{name}` already.")


class TooManyVariantsError(ControlError):
    """The connection has as many variants of the sync as one may have."""

    code = "resource_capped"
    reaction = Reaction.GIVE_UP

    def __init__(self, limit: int) -> None:
        super().__init__(f"A sync may have at most {limit} variants per connection.")


class InvalidFrequencyError(ControlError):
    """A frequency that cannot be read."""

    def __init__(self, text: str) -> None:
        message = f"`{text[:50]}` is not a frequency. Write for example `every 5 minutes` or `every half hour`."
        super().__init__(message, issues=[Issue("custom", message, ("frequency",))])


class SyncIntervalTooShortError(ControlError):
    """Syncs run every 30 seconds at most."""

    code = "sync_interval_too_short"

    def __init__(self, seconds: int) -> None:
        super().__init__(f"A sync may run every {seconds} seconds at most.")
