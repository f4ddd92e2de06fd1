"""An environment per test module on the shared platform: nobody sees anybody else's things."""

from collections.abc import Iterator

import pytest

from tests.api.calls import Api, Home
from tests.support.platform import RunningPlatform
from tests.support.third_party import ThirdParty


@pytest.fixture(scope="module")
def home(platform: RunningPlatform, third_party: ThirdParty) -> Iterator[Home]:
    made = Home(platform, third_party)
    yield made
    made.http.close()


@pytest.fixture
def api(home: Home) -> Api:
    return home.api
