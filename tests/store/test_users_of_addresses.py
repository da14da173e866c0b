"""Which users have an address: whatever way their row spells it, and nobody else."""

import prepared_tables
import pytest
from sqlalchemy import Engine, text

from skene_dagster.consent import people
from skene_dagster.consent.people import Named, named, named_user, users_of
from skene_dagster.consent.recipient import Recipients
from skene_dagster.settings import Users
from skene_dagster.store.engine import is_sqlite

IN_SQLITE = "VARCHAR(255)"
ON_A_SERVER = "VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"


def make(engine: Engine, emails: dict[int, str | None], column: str = "") -> None:
    column = column or (IN_SQLITE if is_sqlite(engine) else ON_A_SERVER)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE users (id BIGINT NOT NULL PRIMARY KEY, email {column})"))
        if emails:
            rows = [{"id": key, "email": email} for key, email in emails.items()]
            connection.execute(text("INSERT INTO users VALUES (:id, :email)"), rows)
    prepared_tables.make(engine, Users())


def users_with(engine: Engine, *addresses: str) -> list[object]:
    with engine.connect() as connection:
        return [one.user_id for one in named(connection, Users(), addresses) if one.address is None]


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        pytest.param("ada@example.com", "Ada@EXAMPLE.com", id="asked in capitals"),
        pytest.param("Ada@Example.COM", "ada@example.com", id="stored in capitals"),
        pytest.param("  ada@example.com ", "ada@example.com", id="stored with spaces"),
        pytest.param("user@xn--bcher-kva.example", "user@Bücher.example", id="asked by the domain's letters"),
        pytest.param("user@bücher.example", "user@xn--bcher-kva.example", id="stored by the domain's letters"),
    ],
)
def test_a_user_has_an_address_however_it_is_spelled(engine: Engine, stored: str, asked: str) -> None:
    make(engine, {7: stored, 8: "bob@example.com", 9: None})

    assert users_with(engine, asked) == [7]


@pytest.mark.parametrize(
    "other", ["a.da@example.com", "ada+x@example.com", "áda@example.com", "ada@exámple.com", "ada@example.com.", ""]
)
def test_an_address_that_at_most_the_database_takes_for_the_same_is_another(engine: Engine, other: str) -> None:
    make(engine, {7: other})

    with engine.connect() as connection:
        name = Recipients.of(connection).address("ada@example.com")
        assert users_of(connection, Users(), {name: "ada@example.com"}) == {}


def test_all_users_of_an_address_follow_it(engine: Engine) -> None:
    make(engine, {1: "ada@example.com", 2: "ADA@example.com", 3: "bob@example.com"})

    with engine.connect() as connection:
        found = named(connection, Users(), ["bob@example.com", "ada@example.com", "ada@EXAMPLE.com"])
        names = Recipients.of(connection)

    assert [(one.address, one.user_id) for one in found] == [
        ("bob@example.com", None),
        (None, 3),
        ("ada@example.com", None),
        (None, 1),
        (None, 2),
    ]
    assert found[:2] == [
        Named(names.address("bob@example.com"), "bob@example.com"),
        Named(names.user(3), user_id=3, has="bob@example.com"),
    ]


def test_addresses_may_be_bytes(engine: Engine) -> None:
    make(engine, {}, column="VARBINARY(255)")
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO users VALUES (1, :email)"), {"email": b"ada@example.com"})

    assert users_with(engine, "ada@example.com") == [1]


def test_more_addresses_than_a_statement_takes_are_looked_up(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "AT_ONCE", 1_000)
    make(engine, {key: f"user-{key}@example.com" for key in range(1, 2_502)})

    found = users_with(engine, *(f"user-{key}@example.com" for key in range(1, 2_502)))

    assert sorted(found) == [*range(1, 2_502)]  # type: ignore[type-var]


@pytest.mark.parametrize(("email", "has"), [(" ada@example.com", "ada@example.com"), ("ada@", None), (None, None)])
def test_a_user_has_an_address_only_if_it_is_one(engine: Engine, email: str | None, has: str | None) -> None:
    make(engine, {7: email})

    with engine.connect() as connection:
        one = named_user(connection, Users(), 7)
        nobody = named_user(connection, Users(), 8)

    assert one is not None
    assert (one.user_id, one.has) == (7, has)
    assert nobody is None
