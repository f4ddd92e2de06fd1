from collections.abc import Iterator

import pytest

from tests.support.platform import RunningPlatform, make_data_dir, remove_data_dir, start_platform


@pytest.fixture(scope="session")
def simulated() -> Iterator[RunningPlatform]:
    """`dragoman up --simulate`, shared by the examples: one uses the environment dev, the other prod."""
    folder = make_data_dir()
    running = start_platform(folder / "data", arguments=["--simulate"], extra={"DRAGOMAN_EGRESS_ALLOW": ""})
    try:
        yield running
    finally:
        running.stop()
        remove_data_dir(folder)
