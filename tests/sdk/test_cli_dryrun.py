"""`dragoman dryrun` against a real connection: reads are real, nothing is saved; and what it says when something is wrong."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sdk.desk import FUNCTIONS, KEY, Desk, open_desk, told
from tests.support.platform import RunningPlatform
from tests.support.third_party import ThirdParty

pytestmark = pytest.mark.xdist_group("client")


@pytest.fixture(scope="module")
def desk(
    platform: RunningPlatform, third_party: ThirdParty, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    with open_desk(platform, third_party, tmp_path_factory.mktemp("desk")) as made:
        yield made


def test_a_sync_shows_what_it_would_save_and_saves_nothing(desk: Desk) -> None:
    done = desk.run("dryrun", "pages", desk.connection_id, "-c", '{"seen": 5}')

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "Page: 2 records would be saved, deletes tracked"
    assert json.loads(lines[1]) == {"id": "1", "path": "/list", "query": "page=1"}
    assert json.loads(lines[2]) == {"id": "2", "path": "/list", "query": "page=2"}
    assert lines[3:] == ['checkpoint: {"seen": 7}', 'metadata: {"told": true}', "Nothing was saved."]
    assert "[info] both are read" in done.stderr
    with desk.client() as api:
        assert list(api.records.list("Page", connection_id=desk.connection_id, integration_id=KEY)) == []
        assert api.connections.get(desk.connection_id, KEY)["metadata"] in (None, {})


def test_a_long_list_is_cut_where_asked(desk: Desk) -> None:
    done = desk.run("dryrun", "pages", desk.connection_id, "--show", "1")

    assert "… and 1 more" in done.stdout


def test_an_action_may_change_something_only_when_allowed(desk: Desk) -> None:
    refused = desk.run("dryrun", "wish", desk.connection_id, "-i", '{"path": "/new"}')
    assert refused.returncode == 1
    assert "POST /new would change something; allow it with --allow-writes" in refused.stderr

    allowed = desk.run("dryrun", "wish", desk.connection_id, "-i", '{"path": "/new"}', "--allow-writes")
    assert allowed.returncode == 0, allowed.stderr
    assert allowed.stdout.splitlines() == ['"/new"', "Nothing was saved."]


def test_input_may_come_from_a_file(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "input.json"
    path.write_text('{"path": "/file"}')

    assert '"/file"' in desk.run("dryrun", "wish", desk.connection_id, "-i", f"@{path}", "--allow-writes").stdout


def test_the_authors_own_error_shows_the_authors_own_lines_only(desk: Desk) -> None:
    done = desk.run("dryrun", "wish", desk.connection_id, "-i", '{"path": "x"}')

    message = told(done)
    assert "action_script_runtime_error: Not a path." in message
    assert '{"path": "x"}' in message
    assert "functions/work.py" in message


def test_an_error_of_the_provider_shows_its_answer(desk: Desk) -> None:
    desk.write(
        FUNCTIONS.replace("async def wish", "async def teapot").replace(
            "ctx.post(wanted.path, json={})", "ctx.get('/status/418')"
        ),
        "tea.py",
    )
    try:
        message = told(desk.run("dryrun", "teapot", desk.connection_id, "-i", '{"path": "/x"}'))
    finally:
        (desk.folder / "functions" / "tea.py").unlink()

    assert "script_http_error" in message
    assert 'the provider said: {"asked": "418"}' in message


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nothing", "{c}"], "No function `nothing`; there are pages, wish."),
        (["pages", "nobody"], "There is no connection `nobody`"),
        (["wish", "{c}", "-i", "{{bad"], "not JSON"),
        (["wish", "{c}", "-i", "@/nowhere.json"], "/nowhere.json: No such file"),
        (["wish", "{c}"], "invalid_action_input"),
        (["wish", "{c}", "-i", '{{"pat": 1}}'], "does not fit `Wish` at `path`"),
        (["pages", "{c}", "-c", '{{"seen": "many"}}'], "does not fit `Mark`"),
        (["pages", "{c}", "--url", "http://127.0.0.1:9"], "Is the server running"),
        (["pages", "{c}", "--url", "nonsense"], "no server's address"),
        (["pages", "{c}", "--integration-id", "other"], "No function `pages`"),
        (["pages"], "Missing argument 'CONNECTION'"),
        (["pages", "{c}", "--show", "-1"], "--show"),
    ],
)
def test_a_wrong_call_is_told_in_words(desk: Desk, arguments: list[str], says: str) -> None:
    done = desk.run("dryrun", *(a.format(c=desk.connection_id) for a in arguments))

    assert says in told(done)


def test_without_a_key_it_says_where_to_put_one(desk: Desk) -> None:
    assert "DRAGOMAN_API_KEY_DEV" in told(desk.run("dryrun", "pages", "c", DRAGOMAN_API_KEY=""))


def test_a_file_with_a_syntax_error_is_named_with_its_line(desk: Desk) -> None:
    desk.write("x = 1\ndef broken(:\n", "wrong.py")
    try:
        message = told(desk.run("dryrun", "pages", desk.connection_id))
    finally:
        (desk.folder / "functions" / "wrong.py").unlink()

    assert "functions.wrong" in message
    assert "line 2" in message


def test_two_functions_of_one_name_are_told_apart_by_their_integration(desk: Desk) -> None:
    desk.write(FUNCTIONS.replace('integration="desk"', 'integration="other"'), "other.py")
    try:
        message = told(desk.run("dryrun", "pages", desk.connection_id))
        chosen = desk.run("dryrun", "pages", desk.connection_id, "--integration-id", KEY)
    finally:
        (desk.folder / "functions" / "other.py").unlink()

    assert "--integration-id" in message
    assert chosen.returncode == 0, chosen.stderr
