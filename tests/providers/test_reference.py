"""The generated page of providers."""

from dragoman_server.providers.catalogue import load_catalogue
from dragoman_server.providers.reference import providers_markdown


def test_every_provider_has_its_row_and_the_counts_add_up() -> None:
    catalogue = load_catalogue()

    page = providers_markdown(catalogue)

    assert all(f"| `{name}` |" in page for name in catalogue.names())
    assert f"{len(catalogue.names())} providers are built in" in page
    assert (
        "| [Zendesk](https://developer.zendesk.com/api-reference/) | `zendesk` | OAUTH2 | Subdomain | cursor | yes |"
        in page
    )
    assert page.endswith("\n")
    assert page == providers_markdown(load_catalogue())
