"""docs/settings.md says of each table how long its rows are kept: what it says is what the nightly job does."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import prepared_tables
import pytest
from docs_compare import first, same
from docs_pages import Table, in_code, tables
from erased_world import ABOUT_NOBODY, filled
from sqlalchemy import Engine, func, insert, select, text

from skene_dagster.consent import erasures
from skene_dagster.delivery.retention import CONTACTS_KEPT, forget_contacts, retain
from skene_dagster.erasing.waiting import go_on
from skene_dagster.feedback import inbox
from skene_dagster.feedback.keeping import OPENS_KEPT, prune
from skene_dagster.incidents import record
from skene_dagster.incidents.keeping import forget_incidents
from skene_dagster.loops.planning.usage import plan_usage
from skene_dagster.settings import Retention, Users, load
from skene_dagster.store.engine import open_engine
from skene_dagster.store.tables import meta, metadata

LONG_AGO = datetime(2016, 1, 1)
NOW = datetime(2026, 11, 30, 12)
RELEASE = "skene_schema_version"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Engine]:
    """A database with a row in each table that is ten years old, and of nothing that goes on."""
    engine = open_engine(f"sqlite:///{tmp_path / 'skene.db'}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT)"))
    prepared_tables.make(engine, Users())
    filled(engine, LONG_AGO)
    with engine.begin() as connection:
        connection.execute(insert(meta).values(name="events_kept_since", value="2026-01-01"))
        segment = metadata.tables["skene_segments"]
        numbers = dict.fromkeys(("fence", "members", "entered", "exited", "unknown_keys"), 0)
        connection.execute(insert(segment).values(segment="gone.gone", as_of=NOW, **numbers))
        texts = dict.fromkeys(("kind", "subject", "about", "said", "to_do", "told_to", "over_told_to"), "gone")
        moments = dict.fromkeys(("opened_at", "closed_at", "told_at", "over_told_at"), LONG_AGO)
        connection.execute(insert(metadata.tables["skene_incidents"]).values(texts | moments))
        erasures.begin(connection, None, ["u:gone"], LONG_AGO)
    yield engine
    engine.dispose()


def table_of_tables() -> Table:
    return next(one for one in tables() if one.place.page == "docs/settings.md" and one.header[0] == "table")


def said() -> dict[str, str]:
    return {code: kept for _, (codes, kept) in table_of_tables().rows for code in in_code(codes)}


def test_every_table_is_in_the_list() -> None:
    same(table_of_tables(), first(table_of_tables()), {*metadata.tables, RELEASE})


def test_every_setting_of_retention_is_named_where_it_counts() -> None:
    named = {code for kept in said().values() for code in in_code(kept) if code.startswith("retention.")}

    assert named == {f"retention.{name}" for name in Retention.model_fields}


def test_the_numbers_of_days_are_those_of_the_code() -> None:
    of_the_code = {
        "skene_receipts": OPENS_KEPT,
        "skene_contacts": CONTACTS_KEPT,
        "skene_webhooks": inbox.KEPT,
        "skene_erasures": erasures.KEPT,
        "skene_incidents": record.KEPT,
        "skene_failures": record.KEPT,
    }

    assert {name: f"{kept.days} days" in said()[name] for name, kept in of_the_code.items()} == dict.fromkeys(
        of_the_code, True
    )


def test_what_is_kept_for_ever_or_until_something_happens_loses_nothing_and_everything_else_does(
    database: Engine, tmp_path: Path
) -> None:
    before = counted(database)
    settings = load(tmp_path, {})
    month = Retention.model_validate(dict.fromkeys(Retention.model_fields, "30d"))

    retain(database, retention=month, usage=plan_usage(settings), plans=[], are_all=True, clock=lambda: NOW)
    forget_contacts(database, [], lambda: NOW)
    prune(database, lambda: NOW)
    go_on(database, settings, lambda: NOW)
    forget_incidents(database, lambda: NOW)

    after = counted(database)
    about_users = {name for name in before if name not in ABOUT_NOBODY} | {"skene_erasures", "skene_incidents"}
    assert {name for name in about_users if not before[name]} == set(), "they were never there"
    lost = {name for name in about_users if after[name] < before[name]}
    assert lost == {name for name in about_users if not said()[name].startswith(("for ever", "until"))}


def counted(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
        }
