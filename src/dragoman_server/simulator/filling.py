"""Values a vendor or a person could have given for a field of an entry. Pure."""

from dragoman_server.providers.model import Field, Provider

_BY_FORMAT = {
    "uri": "https://acme.example.com",
    "hostname": "acme.example.com",
    "uuid": "1324a887-45db-4bf4-8e99-ef0ff456d421",
    "email": "jane@acme.example",
}


def fill(field: Field) -> str:
    """Return a value the field takes."""
    if field.enum:
        return str(field.enum[0])
    return field.default_value or field.example or _BY_FORMAT.get(field.format or "", "acme")


def example_of(provider: Provider, name: str) -> str:
    """Return what the vendor tells us under `name`, which may be a path."""
    field = provider.connection_config.get(name) or provider.connection_config.get(name.rpartition(".")[2])
    return fill(field) if field is not None else f"sim-{name}"


def config_of(provider: Provider) -> dict[str, str]:
    """Return what a person fills in to connect an account: every field that is asked for."""
    return {name: fill(field) for name, field in provider.connection_config.items() if not field.automated}
