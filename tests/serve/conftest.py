"""One service for all tests that change nothing of it."""

from collections.abc import Iterator

import pytest
from tests.helpers.serving import Running, running

from pneumoscope.serve.limits import Limits


@pytest.fixture(scope="session")
def up() -> Iterator[Running]:
    with running(Limits(connections=12)) as found:
        yield found
