"""What can be wrong with an entry, a template or a request made from them."""

from pathlib import Path

from dragoman_server.kit.errors import DragomanError, InvalidInputError, NotFoundError, Reaction


class UnknownProviderError(NotFoundError):
    """No entry of that name in the catalogue."""

    def __init__(self, name: str, near: str | None = None) -> None:
        hint = f" Did you mean `{near}`?" if near else ""
        super().__init__(f"There is no provider `{name[:100]}` in the catalogue.{hint}")
        self.name = name


class CatalogueError(InvalidInputError):
    """An entry that cannot be used. Names the file, the line and the keys down to the mistake."""

    code = "invalid_catalogue"
    default_status = 500

    def __init__(self, file: Path, reason: str, *, line: int | None = None, keys: tuple[str | int, ...] = ()) -> None:
        place = f"{file}:{line}" if line else str(file)
        where = f" at `{'.'.join(map(str, keys))}`" if keys else ""
        super().__init__(f"{place}{where}: {reason}")
        self.file, self.line, self.keys, self.reason = file, line, keys, reason


class TemplateError(DragomanError):
    """A template that cannot be read, or a value that cannot stand where the template puts it."""

    code = "invalid_template"
    default_status = 400
    reaction = Reaction.FIX


class UnresolvedTemplateError(TemplateError):
    """A placeholder names a value that is not there."""

    code = "unresolved_template"

    def __init__(self, template: str) -> None:
        super().__init__(f"`{template[:200]}` needs a value that is missing.")


class BaseUrlNotAllowedError(DragomanError):
    """A base URL or absolute URL outside the origins of the entry and those the integration lists."""

    code = "base_url_override_not_allowed"
    default_status = 400
    reaction = Reaction.FIX

    def __init__(self, origin: str) -> None:
        super().__init__(
            f"`{origin[:200]}` is not an origin of this provider. Add it to the integration's allowed origins to send "
            "credentials there."
        )


class InvalidEndpointError(DragomanError):
    """A path, query or header that could make the request leave the place it is meant for."""

    code = "invalid_uri_params"
    default_status = 400
    reaction = Reaction.FIX


class InvalidHeaderError(DragomanError):
    """A header name or value no HTTP message may carry."""

    code = "invalid_headers"
    default_status = 400
    reaction = Reaction.FIX


class MissingBaseUrlError(DragomanError):
    """The entry has no base URL that resolves for this connection, and the caller gave none."""

    code = "missing_api_url"
    default_status = 400
    reaction = Reaction.FIX

    def __init__(self, provider: str) -> None:
        super().__init__(
            f"No base URL of `{provider}` resolves for this connection; check its connection_config or pass a base URL."
        )


class UnsupportedAuthError(DragomanError):
    """We cannot authorize a request in this mode."""

    code = "unsupported_auth"
    default_status = 400
    reaction = Reaction.GIVE_UP

    def __init__(self, provider: str, mode: str) -> None:
        super().__init__(
            f"Requests of `{provider}` cannot be authorized: mode {mode} needs the integration's client id and secret."
        )
