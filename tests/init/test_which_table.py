"""When a person is asked: two tables too much alike, two with passwords, little that speaks for one, many more rows."""

from collections.abc import Mapping, Sequence

import pytest
from product_schemas import read

from skene_dagster.init.proposal import Asked, NothingFound, propose
from skene_dagster.init.reading.ddl import tables_of
from skene_dagster.init.schema import NoRows, Schema


class Counted(NoRows):
    """Tables of which only the number of rows is known."""

    def __init__(self, rows: Mapping[str, int]) -> None:
        self._rows = rows

    def count(self, table: str) -> int | None:
        return self._rows.get(table)


def doubts(ddl: str, rows: Mapping[str, int] | None = None) -> Sequence[str]:
    schema = Schema("x.sql", tuple(tables_of(ddl)))
    return [one.says for one in propose(schema, Counted(rows or {}), Asked()).doubts]


def test_staff_in_users_and_readers_in_members_are_asked_about() -> None:
    assert doubts(read("ghost"), {"users": 3, "members": 50}) == [
        "users (3 rows) and members (50 rows) are too much alike to tell."
    ]


def test_two_tables_of_people_with_passwords_are_asked_about() -> None:
    assert doubts(read("shopware")) == ["user and customer both hold people with passwords."]


def test_the_other_table_can_be_named() -> None:
    schema = Schema("x.sql", tuple(tables_of(read("shopware"))))

    found = propose(schema, NoRows(), Asked(users="customer"))

    assert (found.table.name, found.doubts) == ("customer", ())
    assert [one.sql for one in found.mailable] == ["active = 1", "guest = 0"]
    assert found.activity is not None
    assert found.activity.when.column == "last_login"


def test_a_table_with_ten_times_the_rows_is_asked_about() -> None:
    ddl = """
    CREATE TABLE users (id INT PRIMARY KEY, email VARCHAR(99) UNIQUE, password VARCHAR(99), name VARCHAR(9));
    CREATE TABLE leads (id INT PRIMARY KEY, email VARCHAR(99), firstname VARCHAR(99), last_active DATETIME);
    """

    assert doubts(ddl, {"users": 12, "leads": 119}) == []
    assert doubts(ddl, {"users": 12, "leads": 120}) == [
        "leads (120 rows) has addresses, too, and many more rows than users (12 rows)."
    ]


def test_little_that_speaks_for_the_best_is_asked_about() -> None:
    ddl = "CREATE TABLE leads (id INT PRIMARY KEY, email VARCHAR(99));"

    assert doubts(ddl) == ["leads may have the users, but little speaks for it (0 points)."]


def test_an_address_in_another_table_is_said_plainly() -> None:
    with pytest.raises(NothingFound, match="ost_user has no address: it is in ost_user_email") as bad:
        doubts(read("osticket"))

    assert "--users ost_user --email COLUMN" in bad.value.advice


def test_a_key_of_two_columns_is_refused() -> None:
    ddl = "CREATE TABLE users (site INT, id INT, email VARCHAR(99), PRIMARY KEY (site, id));"

    with pytest.raises(NothingFound, match=r"The primary key of users is \(site, id\)"):
        doubts(ddl)
