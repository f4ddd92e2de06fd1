"""Entries whose provider reports installations: what would let somebody claim another's, or replay one, is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from dragoman_server.providers.catalogue import load_catalogue
from dragoman_server.providers.errors import CatalogueError

Change = Callable[[dict[str, Any]], object]


def entry() -> dict[str, Any]:
    return {
        "display_name": "Shop",
        "docs": "https://shop.example/docs",
        "auth_mode": "OAUTH2",
        "token_url": "https://shop.example/token",
        "connection_config": {"shop_id": {"type": "string", "title": "Shop", "automated": True}},
        "installation": {
            "webhook": {
                "signature": {"header": "X-Sign"},
                "when": {"event": "installed"},
                "match": {"shop_id": "shop.id"},
                "code": "code",
            }
        },
        "proxy": {"base_url": "https://shop.example/api"},
    }


def hook(data: dict[str, Any]) -> dict[str, Any]:
    return data["installation"]["webhook"]


def load(folder: Path, data: dict[str, Any]) -> None:
    (folder / "shop.yaml").write_text(yaml.safe_dump(data), "utf-8")
    load_catalogue(folder)


CASES: list[tuple[Change, str]] = [
    (lambda e: e["connection_config"]["shop_id"].pop("automated"), "match.shop_id"),
    (lambda e: e.pop("connection_config"), "match.shop_id"),
    (lambda e: hook(e).update(match={}), "match"),
    (lambda e: hook(e).update(when={}), "when"),
    (lambda e: hook(e).pop("code"), "installation.webhook"),
    (lambda e: hook(e).update(config={"shop_id": "other.id"}), "config.shop_id"),
    (lambda e: hook(e)["signature"].update(timestamp={"header": "X-Time"}), "signature"),
    (lambda e: hook(e)["signature"].update(content="${timestamp}.${body}"), "signature"),
    (lambda e: hook(e)["signature"].update(content="no body"), "signature.content"),
    (lambda e: hook(e)["signature"].update(algorithm="hmac-md5"), "signature.algorithm"),
    (lambda e: hook(e)["signature"].update(secret="scopes"), "signature.secret"),
    (lambda e: e.update(auth_mode="API_KEY"), "installation"),
    (lambda e: e.update(auth_mode="APP"), "installation_id"),
    (lambda e: e.update(installation="outbound"), "installation"),
]


def test_an_entry_with_all_it_needs_is_taken(tmp_path: Path) -> None:
    load(tmp_path, entry())


@pytest.mark.parametrize(("change", "place"), CASES)
def test_one_that_would_let_somebody_in_is_refused(tmp_path: Path, change: Change, place: str) -> None:
    data = entry()
    change(data)

    with pytest.raises(CatalogueError) as refused:
        load(tmp_path, data)

    assert place in refused.value.message
