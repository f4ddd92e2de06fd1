"""How an API pages."""

from typing import Any

import pytest

from dragoman_server.kit.errors import InvalidInputError
from dragoman_server.providers.pagination import pagination_of
from tests.providers.samples import provider

CURSOR = {
    "type": "cursor",
    "cursor_path_in_response": "next",
    "cursor_name_in_request": "after",
    "limit": 50,
    "limit_name_in_request": "n",
}


def test_the_callers_settings_lie_over_the_entrys() -> None:
    settings = pagination_of(
        provider(proxy={"paginate": CURSOR}), {"limit": 10, "response_path": "data", "on_page": "ignored"}
    )

    assert settings.as_json() == {
        **CURSOR,
        "limit": 10,
        "response_path": "data",
        "in_body": False,
        "offset_start_value": 0,
        "offset_calculation_method": "by-response-size",
    }


def test_another_kind_of_paging_forgets_what_the_entry_says_of_its_own() -> None:
    settings = pagination_of(provider(proxy={"paginate": CURSOR}), {"type": "offset", "offset_name_in_request": "skip"})

    assert settings.cursor_path_in_response is None
    assert settings.limit == 50


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({}, "type"),
        ({"type": "pages"}, "type"),
        ({"type": "cursor", "cursor_name_in_request": "c"}, "cursor_path_in_response"),
        ({"type": "link"}, "link_rel_in_response_header"),
        ({"type": "offset"}, "offset_name_in_request"),
        ({**CURSOR, "limit": "many"}, "limit"),
        ({**CURSOR, "limit": True}, "limit"),
        ({**CURSOR, "response_path": 3}, "response_path"),
        ({**CURSOR, "offset_calculation_method": "x"}, "offset_calculation_method"),
    ],
)
def test_settings_that_do_not_suffice_are_refused_by_name(settings: dict[str, Any], key: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        pagination_of(provider(), settings)

    assert caught.value.issues[0].path == ("paginate", key)
