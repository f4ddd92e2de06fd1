"""`dragoman deploy` as a developer uses it, and what it says when something is wrong."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from dragoman.cli import main
from tests.sdk.desk import FUNCTIONS, KEY, Desk, open_desk, told
from tests.support.platform import RunningPlatform
from tests.support.receiver import receiving
from tests.support.third_party import ThirdParty

pytestmark = pytest.mark.xdist_group("client")


@pytest.fixture
def desk(platform: RunningPlatform, third_party: ThirdParty, tmp_path: Path) -> Iterator[Desk]:
    with open_desk(platform, third_party, tmp_path) as made:
        yield made


def deployed(desk: Desk) -> set[str]:
    with desk.client() as api:
        return {f["name"] for f in api.functions.list(KEY)}


def test_deploying_shows_the_difference_and_asks(desk: Desk) -> None:
    no = desk.run("deploy", "dev", stdin="n\n")
    assert no.returncode == 1
    assert "+ sync   desk/pages (on 1 connection)" in no.stdout
    assert "+ action desk/wish" in no.stdout
    assert "Nothing deployed." in no.stdout
    assert deployed(desk) == set()

    yes = desk.run("deploy", "dev", stdin="y\n")
    assert yes.returncode == 0, yes.stderr
    assert "2 functions" in yes.stdout
    assert deployed(desk) == {"pages", "wish"}

    again = desk.run("deploy", "dev", "-y")
    assert "No function is added, changed or removed." in again.stdout

    desk.write(FUNCTIONS.replace('every="1 hour"', 'every="2 hours"'))
    changed = desk.run("deploy", "dev", "-y")
    assert "~ sync   desk/pages (on 1 connection)" in changed.stdout


def test_functions_are_deleted_only_when_that_is_allowed(desk: Desk) -> None:
    desk.run("deploy", "dev", "-y")
    desk.write(FUNCTIONS.replace("async def wish", "async def hope"))

    refused = told(desk.run("deploy", "dev", "-y"))
    assert "1 function would be deleted" in refused
    assert "--allow-destructive" in refused
    assert deployed(desk) == {"pages", "wish"}

    allowed = desk.run("deploy", "dev", "-y", "--allow-destructive")
    assert allowed.returncode == 0
    assert "- action desk/wish" in allowed.stdout
    assert deployed(desk) == {"pages", "hope"}


def test_without_a_key_it_says_where_to_put_one(desk: Desk) -> None:
    message = told(desk.run("deploy", "my-env", DRAGOMAN_API_KEY=""))

    assert "DRAGOMAN_API_KEY_MY_ENV" in message
    assert ".env" in message


def test_the_key_is_found_in_the_shell_then_in_env_then_in_a_data_folder_above(desk: Desk) -> None:
    data = desk.folder / ".dragoman"
    data.mkdir()
    known = {"url": desk.url, "environments": {"dev": {"api_key": desk.api_key}}}
    (data / "credentials.json").write_text(json.dumps(known))
    below = desk.folder / "below"
    below.mkdir()
    (desk.folder / "functions").rename(below / "functions")
    desk.folder = below

    from_above = desk.run("deploy", "dev", "-y", DRAGOMAN_API_KEY="", DRAGOMAN_URL="")
    assert from_above.returncode == 0, from_above.stderr

    (below / ".env").write_text(f"# mine\nexport DRAGOMAN_API_KEY_DEV='{uuid.uuid4()}'\n")
    from_env = told(desk.run("deploy", "dev", "-y", DRAGOMAN_API_KEY="", DRAGOMAN_URL=""))
    assert "unknown_account" in from_env

    from_shell = desk.run(
        "deploy", "dev", "-y", DRAGOMAN_API_KEY="", DRAGOMAN_URL="", DRAGOMAN_API_KEY_DEV=desk.api_key
    )
    assert from_shell.returncode == 0, from_shell.stderr


def test_a_malformed_key_is_not_shown(desk: Desk) -> None:
    message = told(desk.run("deploy", "dev", "-y", DRAGOMAN_API_KEY="my-secret-key"))

    assert "malformed" in message
    assert "my-secret-key" not in message


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1:9", "Is the server running"),
        ("nonsense", "no server's address"),
        ("http://[::1", "no server's address"),
        ("ftp://127.0.0.1", "no server's address"),
    ],
)
def test_a_wrong_address_is_told(desk: Desk, url: str, says: str) -> None:
    assert says in told(desk.run("deploy", "dev", "-y", "--url", url))


def test_a_server_that_is_another_program_is_told(desk: Desk) -> None:
    with receiving() as other:
        other.answer = 404
        message = told(desk.run("deploy", "dev", "-y", "--url", other.url))

    assert "is it Dragoman?" in message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def broken(:\n", ["functions.work", "SyntaxError", "line 1"]),
        ("import nowhere_to_be_found\n", ["functions.work", "nowhere_to_be_found"]),
        ("x = 1\n", ["No function found"]),
        (FUNCTIONS.replace('"1 hour"', '"now and then"'), ["now and then"]),
        (
            FUNCTIONS.replace('integration="desk"', 'integration="nowhere"'),
            ["Create these integrations first: nowhere"],
        ),
        (FUNCTIONS + "import os\nos._exit(3)\n", ["could not be read (exit 3)"]),
    ],
)
def test_a_project_that_cannot_be_deployed_is_told_by_its_place(desk: Desk, text: str, says: list[str]) -> None:
    desk.write(text)

    message = told(desk.run("deploy", "dev", "-y"))

    assert [words for words in says if words not in message] == []
    assert deployed(desk) == set()


def test_a_project_that_is_not_there_is_told(desk: Desk) -> None:
    assert "does not exist" in told(desk.run("deploy", "dev", "--project", "/nowhere"))


def test_the_scaffolds_example_names_the_variables_that_are_read(tmp_path: Path) -> None:
    from dragoman.cli.settings import find_server

    CliRunner().invoke(main, ["init", str(tmp_path)], catch_exceptions=False)
    key = str(uuid.uuid4())
    example = (tmp_path / ".env.example").read_text()
    (tmp_path / ".env").write_text(example.replace("KEY_DEV=", f"KEY_DEV={key}").replace("3003", "4004"))

    server = find_server("dev", project=tmp_path, url=None)

    assert (server.url, server.api_key) == ("http://127.0.0.1:4004", key)
    assert key not in repr(server)


def test_the_commands_that_are_offered_are_there() -> None:
    offered = CliRunner().invoke(main, ["--help"]).output

    for name in ("init", "deploy", "dryrun", "up", "serve", "migrate", "keys"):
        assert f"  {name} " in offered
        assert CliRunner().invoke(main, [name, "--help"]).exit_code == 0
    assert "needs the server" not in offered, "all of them are installed here"


def test_a_key_of_another_environment_deploys_nothing(desk: Desk) -> None:
    refused = told(desk.run("deploy", "prod", "-y", DRAGOMAN_API_KEY=desk.api_key))

    assert "not of `prod`: nothing was deployed" in refused
    assert deployed(desk) == set()
