"""What all tests share: the three databases, Resend's emulator, and the collector of what is sent to a server."""

import gc
import os
import signal
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

import compiled
import dns.resolver as dns_resolver
import dns_server
import hypothesis
import neighbours
import pytest
import resend_emulator
import servers
from sqlalchemy import Engine
from statements import Collector

from skene_dagster.store.engine import open_engine

# An example is not wrong because the machine is busy; and looking for a smaller one that is as slow takes minutes.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")

Server = TypeVar("Server")

COLLECTOR = pytest.StashKey[Collector]()
NOT_RUN = "not run on"
SERVERS = {"mariadb", "tidb"}
"""Fixtures, and what the kinds of databases are called that tests are given."""
CONFIGURED = (
    *("SKENE_DATABASE_URL", "SKENE_ENV", "SKENE_PROJECT", "SKENE_REDIRECT_TO", "RESEND_API_KEY", "RESEND_API_URL"),
    "SKENE_SMTP_URL",
    *("DAGSTER_HOME", "COLUMNS"),
)


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test is told anything by the environment of who runs it."""
    for name in CONFIGURED:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def no_network_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on the network's name servers: without the fixture `dns` there are none."""
    monkeypatch.setattr(dns_resolver, "default_resolver", dns_resolver.Resolver(configure=False))


@pytest.fixture
def dns(no_network_is_asked: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[dns_server.DnsServer]:  # noqa: ARG001 - it comes after it
    """A name server, which everything is asked of: it has the DMARC record of example.com."""
    with dns_server.dns_server() as server:
        server.texts["_dmarc.example.com"] = ["v=DMARC1; p=none; rua=mailto:dmarc@example.com"]
        monkeypatch.setattr(dns_resolver, "default_resolver", server.resolver())
        yield server


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a MariaDB server."""
    yield from _server(servers.mariadb, "MariaDB", tmp_path_factory, needed=True)


@pytest.fixture(scope="session")
def tidb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a TiDB server."""
    yield from _server(servers.tidb, "TiDB", tmp_path_factory, needed=False)


@pytest.fixture
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[resend_emulator.Emulator]:
    """Resend's emulator, empty; it starts in a tenth of a second."""
    yield from _server(resend_emulator.emulator, "Resend's emulator", tmp_path_factory, needed=True)


@pytest.fixture(params=["sqlite", "mariadb", "tidb"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'skene.db'}"
        return
    with servers.new_database(request.getfixturevalue(request.param), f"skene_{uuid.uuid4().hex}") as url:
        yield url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on an empty database of each kind."""
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


def _server(
    start: Callable[[Path], AbstractContextManager[Server]],
    name: str,
    tmp_path_factory: pytest.TempPathFactory,
    *,
    needed: bool,
) -> Iterator[Server]:
    """Start a server; where there is none, skip, unless CI needs it."""
    try:
        with start(tmp_path_factory.mktemp("server")) as server:
            yield server
    except servers.Absent as absent:
        if needed and os.environ.get("CI"):
            pytest.fail(f"{name} has to be there in CI: {absent}")
        pytest.skip(f"{NOT_RUN} {name}: {absent}")


def pytest_configure(config: pytest.Config) -> None:
    # 2026-11-26: a shell's background job is born with SIGINT ignored, and Dagster gives SIGTERM the handler of SIGINT
    # in each run within this process: the servers started after it would inherit that, and nothing would end them.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.stash[COLLECTOR] = Collector()
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    config.stash[COLLECTOR].listen(patch)
    compiled.Compiled().listen(patch)
    servers.read_certificates_once(patch)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage while the tests are made, nor among them ever after: a third of a second each time.

    And look seldom: SQLAlchemy's statements are full of cycles, and to look after each seven hundred objects, as Python
    does, took a twelfth of the store's tests.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(100_000, 50, 50)
        gc.enable()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what asks a server, by its fixtures or by the database that it is given."""
    given = item.callspec.params.values() if isinstance(item, pytest.Function) and hasattr(item, "callspec") else ()
    if SERVERS & {*getattr(item, "fixturenames", ()), *(one for one in given if isinstance(one, str))}:
        item.add_marker(pytest.mark.server)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, lest a process be left alone with it at the end; else the order stays random.

    It holds where tests are handed out one by one (`--maxschedchunk 1`).
    """
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, None, None]:
    """Whoever lives beside a test of the store has after it what they had."""
    try:
        yield
    except BaseException:
        neighbours.forget()
        raise
    neighbours.assert_left_alone()


def pytest_sessionfinish(session: pytest.Session) -> None:
    if folder := os.environ.get("SKENE_TEST_STATEMENTS"):
        session.config.stash[COLLECTOR].write(Path(folder))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say last what was not tried, so that a green run is not taken for more than it is."""
    reasons: dict[str, int] = {}
    for report in terminalreporter.stats.get("skipped", []):
        if isinstance(report.longrepr, tuple) and NOT_RUN in report.longrepr[2]:
            reason = report.longrepr[2].removeprefix("Skipped: ")
            reasons[reason] = reasons.get(reason, 0) + 1
    for reason, number in sorted(reasons.items()):
        terminalreporter.write_line(f"{number} tests were {reason}", yellow=True)
