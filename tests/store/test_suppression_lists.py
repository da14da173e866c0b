"""Lists that are imported, counted and exported, on each database; and two processes that write the same."""

import io
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import prepared_tables
import pytest
from sqlalchemy import Connection, Engine, insert, text

from skene_dagster.consent import exporting, listing, suppressions, walking
from skene_dagster.consent.imports import importing
from skene_dagster.consent.imports.importing import Imported, Wanted, import_list
from skene_dagster.consent.recipient import Recipients
from skene_dagster.consent.suppressions import SCOPES, Suppression
from skene_dagster.consent.writing import write
from skene_dagster.errors import StoreError
from skene_dagster.settings import Users
from skene_dagster.store import tables
from skene_dagster.store.engine import transaction

NOW = datetime(2099, 3, 2, 9)
"""Later than any file of a test was written."""


@pytest.fixture
def prepared(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A database with a hundred users, and small pages."""
    monkeypatch.setattr(importing, "PAGE", 7)
    monkeypatch.setattr(walking, "PAGE", 7)
    monkeypatch.setattr(exporting, "PAGE", 7)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id BIGINT NOT NULL PRIMARY KEY, email VARCHAR(255))"))
        people = [{"id": key, "email": f"User-{key}@example.com"} for key in range(100)]
        connection.execute(text("INSERT INTO users VALUES (:id, :email)"), people)
    prepared_tables.make(engine, Users())
    return engine


def imported(engine: Engine, file: Path, rows: Sequence[str]) -> Imported:
    file.write_text("email,reason\n" + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return import_list(engine, Users(), Wanted(file), lambda: NOW)


def held(engine: Engine) -> list[Suppression]:
    return list(walking.every(engine, SCOPES, NOW))


def test_a_list_and_the_users_whom_it_names_are_written_page_by_page(prepared: Engine, tmp_path: Path) -> None:
    people = [f"user-{key}@example.com,unsubscribed" for key in range(50, 150)]

    found = imported(prepared, tmp_path / "list.csv", people)

    assert (found.rows, found.addresses, found.users) == (100, 100, 50)
    with prepared.connect() as connection:
        names = Recipients.of(connection)
    assert {one.recipient for one in held(prepared)} == {
        *(names.address(f"user-{key}@example.com") for key in range(50, 150)),
        *(names.user(key) for key in range(50, 100)),
    }


def test_an_import_that_was_interrupted_goes_on_where_it_is_begun_again(prepared: Engine, tmp_path: Path) -> None:
    people = [f"user-{key}@example.com,bounce" for key in range(30)]
    file = tmp_path / "list.csv"
    imported(prepared, file, people[:10])

    found = imported(prepared, file, people)

    assert (found.addresses, found.there) == (20, 10)
    assert len(held(prepared)) == 30


def test_whoever_adds_what_another_process_adds_at_that_moment_finds_it_there(prepared: Engine) -> None:
    ada = Suppression("1:ada", "all", NOW, "bounce", "a test")
    tries: list[int] = []

    def add(connection: Connection) -> list[Suppression]:
        tries.append(1)
        if len(tries) == 1:
            connection.execute(insert(tables.suppressions), [suppressions._row(ada) | {"repeated_at": NOW}] * 2)
        return suppressions.suppress(connection, [ada], NOW)

    assert write(prepared, add) == [ada]
    assert len(tries) == 2


def test_the_list_is_counted_by_scope_and_reason(prepared: Engine, tmp_path: Path) -> None:
    imported(
        prepared, tmp_path / "list.csv", ["ada@example.com,bounce", "bob@example.com,spam", "eve@example.com,bounce"]
    )

    with prepared.connect() as connection:
        counted = listing.counts(connection, SCOPES, NOW)
        nothing = listing.counts(connection, ["marketing"], NOW)

    assert [(one.scope, one.reason, one.number) for one in counted] == [("all", "bounce", 2), ("all", "complaint", 1)]
    assert nothing == []


def test_the_newest_come_first_and_what_was_lifted_is_left_out(prepared: Engine) -> None:
    days = [Suppression(f"1:{n}", "all", NOW - timedelta(days=n), "bounce", "a test") for n in range(5)]

    def put(connection: Connection) -> None:
        suppressions.suppress(connection, days, NOW)
        suppressions.lift(connection, ["1:0"], "a mistake", NOW)

    transaction(prepared, put)

    with prepared.connect() as connection:
        assert [one.recipient for one in listing.newest(connection, SCOPES, NOW, 2)] == ["1:1", "1:2"]
        (lifted,) = listing.history(connection, ["1:0"], SCOPES)
    assert (lifted.suppression.until, lifted.lift_reason) == (NOW, "a mistake")


def test_an_export_has_all_that_has_an_address_and_counts_the_others(prepared: Engine, tmp_path: Path) -> None:
    imported(prepared, tmp_path / "list.csv", [f"user-{key}@example.com,unsubscribed" for key in range(20)])
    with prepared.begin() as connection:
        connection.execute(text("UPDATE skene_suppressions SET address = NULL WHERE address LIKE 'user-1@%'"))
    file = io.StringIO()

    found = exporting.export_list(prepared, file, SCOPES, NOW)

    assert (found.written, found.erased, found.users) == (19, 1, 20)
    assert len(file.getvalue().splitlines()) == 20


def test_without_the_salt_nobody_is_looked_up_and_it_is_said_what_to_restore(prepared: Engine) -> None:
    with prepared.begin() as connection:
        connection.execute(text("DELETE FROM skene_meta WHERE name = 'salt'"))

    with (
        prepared.connect() as connection,
        pytest.raises(StoreError, match=r"'salt' of skene_meta is gone.* Restore skene_meta from the backup"),
    ):
        Recipients.of(connection)
