"""Text that cannot be stored is the caller's mistake, wherever it is noticed; its value stands in no answer and no log."""

import json
from typing import Any

import pytest

from dragoman_server.db import Database
from dragoman_server.web.envelope import Rendered, render

SECRET = "hunter2-hunter2"


async def refused(database: Database, sql: str, value: Any) -> Rendered:
    try:
        async with database.connection() as conn:
            await conn._raw.fetchval(sql, value)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # a statement of the test's own
    except Exception as error:  # noqa: BLE001 (whatever it is: the door renders it)
        return render(error)
    raise AssertionError("it was taken")


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("SELECT $1::text", f"{SECRET}\ud800"),
        ("SELECT $1::text", f"{SECRET}\0"),
        ("SELECT $1::text[]", [f"{SECRET}\ud800"]),
        ("SELECT $1::jsonb", {"a": f"{SECRET}\ud800"}),
        ("SELECT $1::jsonb", {"a": f"{SECRET}\0"}),
    ],
)
async def test_text_that_cannot_be_stored_is_the_callers_mistake(
    database: Database, sql: str, value: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = await refused(database, sql, value)

    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (400, "invalid_body")
    assert SECRET not in answer.body.decode()
    assert SECRET not in "".join(capsys.readouterr())


def test_a_mistake_of_our_own_stays_one() -> None:
    assert render(ValueError("no")).status == 500
    assert render(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")).status == 500


def test_an_outage_stays_one() -> None:
    assert render(ConnectionResetError()).status == 503
