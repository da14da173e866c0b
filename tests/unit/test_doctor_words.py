"""What `doctor` says of a database's product and of clocks, and when it is an error."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, create_engine

from skene_dagster.cli.doctor import environment_checks
from skene_dagster.cli.validate.result import Checked
from skene_dagster.errors import LoopError, Place, StoreError
from skene_dagster.store.server.capabilities import PROBES, Capabilities

ALL = frozenset(PROBES)
NOW = datetime(2026, 3, 2, 9)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("product", "version", "has", "found"),
    [
        pytest.param("SQLite", (3, 40), frozenset[str](), [("ok", "SQLite 3.40.")], id="SQLite"),
        pytest.param(
            "MariaDB",
            (10, 11),
            frozenset[str](),
            [("notice", "MariaDB 10.11: the tests run on it, in place of TiDB.")],
            id="MariaDB",
        ),
        pytest.param(
            "MySQL",
            (8, 0),
            frozenset[str](),
            [("notice", "MySQL 8.0: the tests run on it, in place of TiDB.")],
            id="MySQL",
        ),
        pytest.param(
            "TiDB",
            (7, 5),
            ALL,
            [("ok", "TiDB 7.5."), ("ok", f"It has: {', '.join(sorted(ALL))}.")],
            id="the oldest TiDB that will do",
        ),
        pytest.param(
            "TiDB",
            (7, 4, 9),
            ALL - {"TTL", "bulk DML"},
            [("error", "TiDB 7.4.9 is too old."), ("ok", "It has: "), ("ok", "It lacks: TTL, bulk DML. Nothing")],
            id="an older one",
        ),
        pytest.param(
            "TiDB",
            (8, 5),
            frozenset[str](),
            [
                ("ok", "TiDB 8.5."),
                ("ok", "It has: none of what can be used."),
                ("ok", f"It lacks: {', '.join(PROBES)}."),
            ],
            id="one that has nothing",
        ),
    ],
)
def test_the_product_is_told_with_what_it_has(
    product: str, version: tuple[int, ...], has: frozenset[str], found: list[tuple[str, str]]
) -> None:
    checked = list(environment_checks._product(Capabilities(product, version, has)))

    assert [one.label for one in checked] == [label for label, _ in found]
    for one, (_, said) in zip(checked, found, strict=True):
        assert one.said.startswith(said)


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.mark.parametrize(
    ("apart", "label", "said"),
    [
        pytest.param(0 * SECOND, "ok", "the clocks agree", id="not at all"),
        pytest.param(5 * SECOND, "ok", "the clocks agree", id="as far as is right"),
        pytest.param(5.1 * SECOND, "notice", "They differ by 5 s.", id="further"),
        pytest.param(-5 * SECOND, "ok", "the clocks agree", id="behind, as far as is right"),
        pytest.param(-6 * SECOND, "notice", "They differ by 6 s.", id="further behind"),
        pytest.param(300 * SECOND, "notice", "They differ by 300 s.", id="as far ahead as ticks may be"),
        pytest.param(301 * SECOND, "error", "are refused.", id="further ahead"),
        pytest.param(-3600 * SECOND, "notice", "They differ by 3,600 s.", id="far behind"),
    ],
)
def test_clocks_that_differ_are_told(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, apart: timedelta, label: str, said: str
) -> None:
    # SQLite's clock is this machine's: read first here, twice there, and here again for the message.
    readings = iter([NOW + apart, NOW, NOW, NOW + apart])
    monkeypatch.setattr("skene_dagster.store.engine._utc_now", lambda: next(readings))

    (found,) = environment_checks._time(connection)

    assert found.label == label
    assert said in found.said


def test_an_error_is_told_with_its_place_where_it_has_one() -> None:
    assert Checked.of(StoreError("It refused.", advice="Try again.")) == Checked("error", "It refused.", "Try again.")
    assert Checked.of(LoopError("It is wrong.", place=Place("a.yaml", 7))) == Checked("error", "a.yaml:7: It is wrong.")
