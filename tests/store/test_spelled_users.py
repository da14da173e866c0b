"""An event for a user under another spelling is that user's only where the users key itself says so."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from event_rows import make_users, rows
from sqlalchemy import Engine, text
from usage_world import World, at, own_events

from skene_dagster.behaviour.event import new_event
from skene_dagster.behaviour.events import Journal, open_journal
from skene_dagster.errors import EventRefused
from skene_dagster.settings import load
from skene_dagster.store.engine import is_sqlite
from skene_dagster.tracking.buffer import Buffer

PATIENCE = 60.0
OTHERWISE = ["01", " 1", "1 ", "1.0", "+1", "-0", "\uff11", "1e0", "1" * 40]


def journal_of(engine: Engine) -> Journal:
    return open_journal(load(Path(), {"SKENE_DATABASE_URL": engine.url.render_as_string(hide_password=False)}))


@pytest.fixture
def journal(engine: Engine) -> Iterator[Journal]:
    make_users(engine)
    journal = journal_of(engine)
    yield journal
    journal.close()


@pytest.mark.parametrize("told", OTHERWISE)
def test_a_number_that_is_spelled_otherwise_is_refused(journal: Journal, told: str) -> None:
    with pytest.raises(EventRefused, match="not an integer in plain digits"):
        journal.fit(new_event(told, "used"), journal.now())


def test_what_the_product_tracks_under_another_spelling_is_refused_in_the_log(
    engine: Engine, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    buffer = Buffer(lambda: journal)
    for told in ["1", *OTHERWISE]:
        buffer.put(new_event(told, "used"))

    assert buffer.flush(PATIENCE)
    buffer.close(PATIENCE)

    assert [row["user_id"] for row in rows(engine)] == [1]
    (line,) = caplog.messages
    assert line.startswith(f"Events refused: {len(OTHERWISE)}. The last one: The users key is an integer")


@pytest.mark.parametrize(
    ("collations", "counted"),
    [
        pytest.param(("BINARY", "utf8mb4_bin"), 1, id="where case tells two users apart"),
        pytest.param(("NOCASE", "utf8mb4_general_ci"), 2, id="where it does not"),
    ],
)
def test_a_text_is_the_user_that_the_keys_collation_finds(
    engine: Engine, collations: tuple[str, str], counted: int
) -> None:
    embedded, server = collations
    collation = f"COLLATE {embedded}" if is_sqlite(engine) else f"CHARACTER SET utf8mb4 COLLATE {server}"
    world = own_events(engine, key_type=f"VARCHAR(40) {collation}")
    world.add("ada")
    journal = journal_of(engine)
    told = [new_event(user, "used", at=at(1)) for user in ("ada", "ADA")]

    assert journal.store([journal.fit(event, at(2)) for event in told]) == {}
    journal.close()
    world.now = at(3000)
    world.roll(at(3000))

    assert uses(world, "ada") == counted


def test_a_text_with_a_blank_behind_is_refused_for_databases_disagree_whose_it_is(engine: Engine) -> None:
    make_users(engine, "VARCHAR(40)")
    journal = journal_of(engine)

    with pytest.raises(EventRefused, match="ends with a space"):
        journal.fit(new_event("ada ", "used"), journal.now())

    journal.close()


def uses(world: World, user: str) -> int:
    found = "SELECT a.uses FROM users u JOIN skene_user_activity a ON a.user_id = u.id WHERE u.id = :user"
    with world.engine.connect() as connection:
        return int(connection.execute(text(found), {"user": user}).scalar_one())
