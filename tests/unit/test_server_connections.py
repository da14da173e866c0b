"""How a server is connected to, as far as it can be seen without one."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pymysql
import pytest
from sqlalchemy import Engine, create_engine, event, text

from skene_dagster.errors import SettingsError, StoreError, StoreUnavailable
from skene_dagster.store.engine import open_engine
from skene_dagster.store.server import capabilities, connections, time_zone
from skene_dagster.store.server.connections import GONE_SECONDS
from skene_dagster.store.server.time_zone import ServerZone

URL = "mysql://me:secret@127.0.0.1:4000/app"


class Told(Exception):
    """What a driver would have been told is known."""


def told(url: str = URL, patience: float | None = None) -> dict[str, Any]:
    """What the driver is told when it is to connect."""
    engine = open_engine(url, patience=patience)
    heard: dict[str, Any] = {}

    def hear(_dialect: object, _record: object, _args: object, parameters: dict[str, Any]) -> None:
        heard.update(parameters)
        raise Told

    event.listen(engine, "do_connect", hear)
    with pytest.raises(Told):
        engine.connect()
    return heard


@pytest.mark.parametrize(
    ("patience", "connect", "read", "write"),
    [
        pytest.param(None, 10, 10, None, id="without a limit ten seconds until it is ready"),
        pytest.param(2.5, 2.5, 2.5, 2.5, id="less than that"),
        pytest.param(25.0, 10, 10, 25.0, id="more than that"),
    ],
)
def test_a_server_has_so_long_to_answer(
    patience: float | None, connect: float, read: float, write: float | None
) -> None:
    heard = told(patience=patience)

    assert (heard["connect_timeout"], heard["read_timeout"], heard["write_timeout"]) == (connect, read, write)
    assert (heard["program_name"], heard["charset"]) == ("skene_dagster", "utf8mb4")
    assert (heard["host"], heard["user"], heard["password"], heard["database"]) == ("127.0.0.1", "me", "secret", "app")


def test_connections_that_idled_are_tried_before_they_are_used_and_errors_hide_values() -> None:
    engine = open_engine(URL)

    assert engine.pool._pre_ping
    assert engine.pool._recycle == 300
    assert engine.hide_parameters


@pytest.mark.parametrize("name", ["g", "growth_2", "g" * 32])
def test_a_resource_group_is_no_parameter_of_the_drivers(name: str) -> None:
    assert "resource_group" not in told(f"{URL}?resource_group={name}")


@pytest.mark.parametrize("name", ["g" * 33, "a-b", "a%20b", "a%3Bb"])
def test_a_resource_group_that_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="a resource_group that is not a valid name"):
        open_engine(f"{URL}?resource_group={name}")


@dataclass
class Driver:
    """A connection of PyMySQL's, of which only is told what it was asked."""

    _sock: socket.socket
    refuses: pymysql.MySQLError | None = None
    executed: list[str] = field(default_factory=list)
    _read_timeout: float | None = 10

    @contextmanager
    def cursor(self) -> Iterator["Driver"]:
        yield self

    def execute(self, statement: str) -> None:
        if self.refuses is not None and "RESOURCE GROUP" in statement:
            raise self.refuses
        self.executed.append(statement)


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        yield client


def prepare(engine: Engine, driver: Driver) -> None:
    (prepared,) = [one for one in engine.pool.dispatch.connect if getattr(one, "__name__", "") == "prepare"]
    prepared(driver, None)


@pytest.mark.parametrize(
    ("parameter", "patience", "groups"),
    [
        pytest.param("", None, [], id="without a group"),
        pytest.param("?resource_group=growth", 7.0, ["SET RESOURCE GROUP growth"], id="with one"),
    ],
)
def test_a_session_is_prepared_once_it_is_there(
    sock: socket.socket, parameter: str, patience: float | None, groups: list[str]
) -> None:
    engine = open_engine(URL + parameter, patience=patience)
    driver = Driver(sock)

    prepare(engine, driver)

    first, *rest = driver.executed
    assert first.startswith("SET time_zone = '+00:00', collation_connection = 'utf8mb4_bin', sql_mode = 'STRICT_")
    assert rest == groups
    assert driver._read_timeout == patience
    assert (engine.dialect.insert_returning, engine.dialect.delete_returning) == (False, False)
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == 3


def test_a_resource_group_that_cannot_be_used_is_told_and_one_of_a_server_in_trouble_tried_later(
    sock: socket.socket,
) -> None:
    engine = open_engine(f"{URL}?resource_group=growth")

    with pytest.raises(StoreError, match=r"resource group 'growth' cannot be used: unknown \(8249\)"):
        prepare(engine, Driver(sock, pymysql.err.OperationalError(8249, "unknown")))
    with pytest.raises(pymysql.err.OperationalError):
        prepare(engine, Driver(sock, pymysql.err.OperationalError(2013, "gone")))


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system has other options")
def test_a_server_that_cannot_be_reached_any_more_is_given_up_after_a_minute(sock: socket.socket) -> None:
    connections._notice_when_gone(sock)

    names = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
    idle, between, count, unheard = (sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in names)
    assert idle + between * count == unheard / 1000 == GONE_SECONDS == 60


def test_a_socket_of_this_machine_has_no_such_options() -> None:
    here, there = socket.socketpair(socket.AF_UNIX)
    with here, there:
        connections._notice_when_gone(here)


@pytest.mark.parametrize(
    ("number", "is_disconnect"),
    [pytest.param(1053, True, id="a server that is shutting down"), pytest.param(1064, False, id="a mistake")],
)
def test_a_server_that_is_shutting_down_has_broken_the_connection(number: int, *, is_disconnect: bool) -> None:
    context = SimpleNamespace(original_exception=pymysql.err.OperationalError(number, "x"), is_disconnect=False)
    handlers = [*open_engine(URL).dialect.dispatch.handle_error]

    for handle in handlers:
        handle(context)

    assert len(handlers) == 1
    assert context.is_disconnect == is_disconnect


@pytest.mark.parametrize(
    ("name", "minutes", "zone"),
    [
        pytest.param("SYSTEM", 60, ServerZone("CET", timedelta(hours=1)), id="that of its system"),
        pytest.param("+05:30", 330, ServerZone("+05:30", timedelta(minutes=330)), id="its own"),
        pytest.param("+00:00", 0, ServerZone("+00:00", timedelta(0)), id="UTC"),
        pytest.param("nowhere", None, None, id="one that it does not know"),
    ],
)
def test_a_servers_zone_is_its_own_or_that_of_its_system(
    name: str, minutes: int | None, zone: ServerZone | None
) -> None:
    assert time_zone._zone(name, "CET", minutes) == zone


def test_what_a_database_takes_is_found_by_trying() -> None:
    with create_engine("sqlite://").connect() as connection:
        assert capabilities._takes(connection, "SELECT 1")
        assert not capabilities._takes(connection, "SELECT @@nothing")
        found = capabilities.probe(connection)
        version = connection.execute(text("SELECT sqlite_version()")).scalar_one()

    assert found.name == f"SQLite {version}"
    assert found.has == frozenset()
    assert not found.is_too_old


def test_a_database_that_is_away_has_not_refused_what_was_tried() -> None:
    def lose(*_: object) -> None:
        raise pymysql.err.OperationalError(2013, "gone")

    with create_engine("sqlite://").connect() as connection:
        event.listen(connection, "before_cursor_execute", lose)

        with pytest.raises(StoreUnavailable):
            capabilities._takes(connection, "SELECT 1")


def test_certificates_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    letter = tmp_path / "letter.pem"
    letter.write_text("Dear friend", encoding="utf-8")

    with pytest.raises(SettingsError, match="ssl_ca that cannot be read: No such file"):
        open_engine(f"{URL}?ssl_ca={tmp_path / 'nowhere.pem'}")
    with pytest.raises(SettingsError, match="ssl_ca that cannot be read: it holds no certificate"):
        open_engine(f"{URL}?ssl_ca={letter}")
