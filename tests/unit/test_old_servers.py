"""A server that lacks what the skene_* tables need is refused in one sentence; here SQLite stands in for it."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine

from skene_dagster.errors import StoreError
from skene_dagster.store.server.capabilities import refuse_an_old_server


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def test_a_server_without_random_bytes_is_told_with_its_release_and_what_to_do(connection: Connection) -> None:
    with pytest.raises(
        StoreError, match=r"SQLite [\d.]+ has no RANDOM_BYTES.* Nothing was changed. Upgrade the server"
    ):
        refuse_an_old_server(connection)


def test_a_server_that_has_them_passes(connection: Connection) -> None:
    connection.connection.create_function("RANDOM_BYTES", 1, bytes)

    refuse_an_old_server(connection)
