"""Work that may be done twice waits out a database that is away."""

import pytest

from dragoman_server.db.outage import through_outage


class Work:
    """Fails with each of `errors`, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)

    async def __call__(self) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return "done"


async def test_work_is_done_again_until_the_database_is_back() -> None:
    assert await through_outage(Work(ConnectionRefusedError(), TimeoutError())) == "done"


async def test_patience_ends() -> None:
    with pytest.raises(ConnectionResetError):
        await through_outage(Work(ConnectionResetError(), ConnectionResetError()), patience=0.0)


async def test_an_error_that_is_no_outage_is_raised_at_once() -> None:
    work = Work(KeyError("x"), ConnectionResetError())

    with pytest.raises(KeyError):
        await through_outage(work)
    assert len(work.errors) == 1
