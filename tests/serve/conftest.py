"""One service for all tests that change nothing of it."""

from collections.abc import Iterator

import pytest
from tests.helpers.serving import Running, running


@pytest.fixture(scope="session")
def up() -> Iterator[Running]:
    with running() as found:
        yield found
