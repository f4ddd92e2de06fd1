"""Finding, merging and refusing entries."""

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dragoman_server.providers.catalogue import load_catalogue, merge
from dragoman_server.providers.errors import CatalogueError, UnknownProviderError

GOOD = """\
display_name: Acme
docs: https://acme.com/docs
auth_mode: API_KEY
proxy:
  base_url: https://api.acme.com
  headers:
    x-key: ${apiKey}
"""


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name.replace('_', '-')}.yaml").write_text(dedent(text))
    return folder


def test_an_operators_entry_is_found_beside_our_own(tmp_path: Path) -> None:
    catalogue = load_catalogue(write(tmp_path, acme=GOOD))

    assert catalogue.require("acme").display_name == "Acme"
    assert catalogue.get("github") is not None
    assert [p.name for p in catalogue.search("ACME")] == ["acme"]


def test_an_operators_entry_replaces_ours_of_that_name(tmp_path: Path) -> None:
    assert load_catalogue(write(tmp_path, github=GOOD)).require("github").display_name == "Acme"


def test_an_entry_keyed_by_its_own_name_is_taken(tmp_path: Path) -> None:
    keyed = "acme:\n" + "".join(f"  {line}\n" for line in GOOD.splitlines())

    assert load_catalogue(write(tmp_path, acme=keyed)).require("acme").proxy.headers == {"x-key": "${apiKey}"}


def test_aliases_are_merged_deeply_in_any_order_and_through_several(tmp_path: Path) -> None:
    write(
        tmp_path,
        a="alias: b\ndisplay_name: A\nproxy: {headers: {x-more: '1'}}\n",
        b="alias: c\nproxy: {base_url: https://b.com}\n",
        c=GOOD,
    )

    entry = load_catalogue(tmp_path).require("a")

    assert (entry.display_name, entry.docs) == ("A", "https://acme.com/docs")
    assert entry.proxy.base_urls == ("https://b.com",)
    assert entry.proxy.headers == {"x-key": "${apiKey}", "x-more": "1"}
    assert "alias" not in entry.raw


def test_null_takes_a_key_of_the_alias_away(tmp_path: Path) -> None:
    entry = load_catalogue(
        write(tmp_path, a="alias: c\ndisplay_name: A\nproxy: {headers: {x-key: null}}\n", c=GOOD)
    ).require("a")

    assert entry.proxy.headers == {}


def test_an_alias_may_name_an_entry_of_ours(tmp_path: Path) -> None:
    text = "alias: github\ndisplay_name: GHE\nproxy: {base_url: https://git.acme.com/api/v3}\n"

    entry = load_catalogue(write(tmp_path, ghe=text)).require("ghe")

    assert entry.token_url() == "https://github.com/login/oauth/access_token"


@pytest.mark.parametrize(
    ("text", "line", "keys", "reason"),
    [
        (GOOD.replace("base_url", "base_ulr"), 5, ("proxy", "base_ulr"), "did you mean `base_url`?"),
        (GOOD + "athorization_url: x\n", 8, ("athorization_url",), "did you mean `authorization_url`?"),
        (GOOD + "zzzzzz: x\n", 8, ("zzzzzz",), "unknown key"),
        (GOOD.replace("API_KEY", "APIKEY"), 3, ("auth_mode",), "must be one of"),
        (GOOD.replace("docs: https://acme.com/docs\n", ""), 1, (), "`docs` is missing"),
        (GOOD.replace("${apiKey}", "${apiKey"), 7, ("proxy", "headers", "x-key"), "never closes"),
        (GOOD.replace("${apiKey}", "${rot13(apiKey)}"), 7, ("proxy", "headers", "x-key"), "no function `rot13`"),
        (GOOD + "docs: https://acme.com/2\n", 8, ("docs",), "twice"),
        (GOOD + "default_scopes: read\n", 8, ("default_scopes",), "must be array"),
        (GOOD + "categories: [crm, nonsense]\n", 8, ("categories", 1), "must be one of"),
        (GOOD + "connection_config:\n  host:\n    pattern: '('\n", 10, ("connection_config", "host", "pattern"), "no regular expression"),
        (GOOD + "  retry: {in_body: {path: a, value: (a+)+}}\n", 8, ("proxy", "retry", "in_body", "value"), "for ever"),
        (GOOD + "credentials: {connection_config: {title: X}}\n", 8, ("credentials", "connection_config"), "the name is taken"),
        (GOOD.replace("API_KEY", "OAUTH2"), 1, (), "needs `authorization_url`"),
        ("a: [\n", 2, (), "not readable as YAML"),
        ("- a\n", 1, (), "must hold a mapping"),
        ("alias: nobody\n", 1, ("alias",), "no provider"),
        ("alias: bad\n", 1, ("alias",), "round in a circle"),
        ("? [a, b]\n: c\n", 1, (), ""),
        ("a: 9999-99-99\n", None, (), ""),
        ("a: !!python/object/apply:os.system [id]\n", 1, (), "not readable as YAML"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_file_line_and_keys(
    tmp_path: Path, text: str, line: int | None, keys: tuple[Any, ...], reason: str
) -> None:
    (tmp_path / "bad.yaml").write_text(text)

    with pytest.raises(CatalogueError) as caught:
        load_catalogue(tmp_path)

    assert caught.value.file == tmp_path / "bad.yaml"
    assert reason in caught.value.reason
    if reason:
        assert (caught.value.line, caught.value.keys) == (line, keys)
    assert str(tmp_path / "bad.yaml") in str(caught.value)


def test_circles_through_several_files_are_refused(tmp_path: Path) -> None:
    write(tmp_path, a="alias: b\n", b="alias: c\n", c="alias: a\n")

    with pytest.raises(CatalogueError, match="a -> b -> c -> a"):
        load_catalogue(tmp_path)


@pytest.mark.parametrize("name", ["Acme.yaml", "acme corp.yaml", "-a.yaml", "a_b.yml"])
def test_a_file_not_named_like_a_provider_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(GOOD)

    with pytest.raises(CatalogueError, match="the file is named by"):
        load_catalogue(tmp_path)


def test_other_files_are_left_alone_and_a_missing_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("x")
    (tmp_path / ".hidden.yaml").write_text("[")

    assert load_catalogue(tmp_path).get("github")
    with pytest.raises(CatalogueError, match="does not exist"):
        load_catalogue(tmp_path / "nowhere")


def test_the_same_provider_in_two_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text(GOOD)
    (tmp_path / "acme.yml").write_text(GOOD)

    with pytest.raises(CatalogueError, match="twice"):
        load_catalogue(tmp_path)


def test_an_unknown_provider_is_refused_with_the_nearest_name() -> None:
    catalogue = load_catalogue()

    assert catalogue.get("gitbub") is None
    with pytest.raises(UnknownProviderError, match="Did you mean `github`") as caught:
        catalogue.require("gitbub")
    assert caught.value.status == 404


@given(st.text(max_size=80) | st.binary(max_size=80).map(lambda b: b.decode("latin-1")))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_file_holds_only_a_catalogue_error_is_raised(tmp_path: Path, text: str) -> None:
    (tmp_path / "any.yaml").write_text(text, "utf-8", errors="replace")

    with pytest.raises(CatalogueError):
        load_catalogue(tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=5), x, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    [
        "display_name",
        "docs",
        "auth_mode",
        "proxy",
        "token_url",
        "connection_config",
        "alias",
        "categories",
        "token_params",
    ]
)


@given(st.dictionaries(KEYS, JSON, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_shape_a_key_has_only_a_catalogue_error_is_raised(tmp_path: Path, entry: dict[str, Any]) -> None:
    (tmp_path / "any.yaml").write_text(json.dumps(entry))

    try:
        load_catalogue(tmp_path)
    except CatalogueError:
        return


TREES = st.dictionaries(
    st.sampled_from("abc"),
    st.recursive(st.integers(), lambda x: st.dictionaries(st.sampled_from("abc"), x, max_size=3), max_leaves=6),
    max_size=3,
)


@given(TREES, TREES, TREES)
def test_laying_entries_over_each_other_is_associative_where_shapes_agree(
    a: dict[str, Any], b: dict[str, Any], c: dict[str, Any]
) -> None:
    assert merge(a, {}) == a == merge({}, a)
    assert merge(merge(a, b), b) == merge(a, b)
    assert set(merge(a, merge(b, c))) == set(merge(merge(a, b), c))


def test_importing_reads_no_file_and_asks_for_no_network() -> None:
    script = """
import sys
opened = []
sys.addaudithook(lambda name, args: opened.append(str(args[0])) if name == "open" else None)
import dragoman_server.providers, dragoman_server.providers.verification, dragoman_server.providers.reference
assert not [f for f in opened if f.endswith((".yaml", ".json"))], opened
assert "jsonschema" not in sys.modules and "aiohttp" not in sys.modules
"""

    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
