"""`docs/reference/providers.md`, written from the catalogue. Pure: the caller reads and writes files."""

from collections.abc import Sequence

from dragoman_server.providers.catalogue import Catalogue
from dragoman_server.providers.model import Field, Provider

_OPENING = """\
# Providers

<!-- Generated from the catalogue by scripts/generate_docs.py; do not edit. -->

{count} providers are built in. Each is one YAML file; [add your own](../howto/add-a-provider.md) in a folder named by
`DRAGOMAN_PROVIDERS_DIR`, without touching the server. *Asks for* lists what a person fills in to connect an account
(beside the consent page of OAuth), *pages* how lists are walked, *verified* whether a credential is tried before it is
saved.

Left out, because we could not check their public documentation: Slack's and Google Calendar's MCP servers (connect them
as `mcp-generic` by their address) and SAP's OData services with client credentials.

| Provider | Name | Mode | Asks for | Pages | Verified | Categories |
|---|---|---|---|---|---|---|
"""


def providers_markdown(catalogue: Catalogue) -> str:
    """Return the page that lists every provider of `catalogue`."""
    providers = catalogue.all()
    rows = [_row(provider) for provider in providers]
    return _OPENING.format(count=len(rows)) + "".join(rows) + _by_mode(providers)


def _row(provider: Provider) -> str:
    fields = [*provider.connection_config.values(), *provider.credentials.values()]
    cells = [
        f"[{_cell(provider.display_name)}]({provider.docs})",
        f"`{provider.name}`",
        provider.auth_mode.value,
        ", ".join(_field(field) for field in fields if field.asked) or "-",
        str(provider.proxy.paginate.get("type", "-")),
        "yes" if provider.proxy.verification else "-",
        ", ".join(provider.categories),
    ]
    return "| " + " | ".join(cells) + " |\n"


def _field(field: Field) -> str:
    return _cell(field.title) + (" (optional)" if field.optional else "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _by_mode(providers: Sequence[Provider]) -> str:
    modes = sorted({provider.auth_mode.value for provider in providers})
    counts = [f"| {mode} | {sum(p.auth_mode.value == mode for p in providers)} |\n" for mode in modes]
    return "\n## By mode\n\n| Mode | Providers |\n|---|---|\n" + "".join(counts)
