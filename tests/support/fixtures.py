"""Fixtures for tests that need the whole platform; `tests/conftest.py` imports them."""

from collections.abc import Iterator

import pytest

from tests.support.platform import RunningPlatform, make_data_dir, remove_data_dir, start_platform
from tests.support.third_party import PROVIDERS, ThirdParty, third_party_running


@pytest.fixture(scope="session")
def platform() -> Iterator[RunningPlatform]:
    """One `dragoman up` per test process, shared: make integrations and connections of your own names."""
    folder = make_data_dir()
    running = start_platform(folder / "data", extra={"DRAGOMAN_PROVIDERS_DIR": str(PROVIDERS)})
    try:
        yield running
    finally:
        running.stop()
        remove_data_dir(folder)


@pytest.fixture(scope="session")
def third_party() -> Iterator[ThirdParty]:
    """A third party on loopback, shared; the shared platform's catalogue has entries for it."""
    with third_party_running() as made:
        yield made


@pytest.fixture
def own_platform() -> Iterator[RunningPlatform]:
    """A `dragoman up` of the test's own, for tests that kill it."""
    folder = make_data_dir()
    running = start_platform(folder / "data")
    try:
        yield running
    finally:
        running.stop()
        remove_data_dir(folder)
