"""What we hold of one person: all of it, and nothing of anybody else, on each database."""

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from delivery_world import lose_the_answer
from explained_world import Scene, everything_happens, make_scene, one_is_in_doubt
from sqlalchemy import Engine, Table, insert

from skene_dagster.delivery.providers.feedback import Report
from skene_dagster.explain import holdings
from skene_dagster.explain.holdings import NOT_ABOUT_ANYBODY, Subject
from skene_dagster.feedback import inbox
from skene_dagster.store.engine import reading, transaction
from skene_dagster.store.tables import (
    OPEN,
    account_people,
    account_sends,
    engagement_levels,
    entitlements,
    erasures,
    events,
    events_ahead,
    feature_adoption,
    metadata,
    milestones,
    outcomes,
    recovered,
    triggered,
    user_activity,
    user_days,
)

BEGIN = datetime(2026, 11, 2, 9)
DAY = date(2026, 11, 2)
ADA, BOB = 4711, 4712
ENVIRON = {"SKENE_ENV": "production", "RESEND_API_KEY": "re_test"}


@pytest.fixture
def scene(engine: Engine, tmp_path: Path) -> Scene:
    return make_scene(engine, tmp_path / "project", BEGIN, environ=ENVIRON)


def held(scene: Scene, subject: Subject) -> dict[str, list[dict[str, Any]]]:
    def look(connection: Any) -> dict[str, list[dict[str, Any]]]:
        found = {one.name: [dict(row) for row in holdings.rows(connection, one, subject)] for one in holdings.tables()}
        return {name: rows for name, rows in found.items() if rows}

    return reading(scene.engine, look)


def of(scene: Scene, key: object, address: str | None = None) -> Subject:
    named = f"u{key}@example.com" if address is None else address
    return reading(scene.engine, lambda connection: holdings.of_user(connection, key, named))


def of_behaviour(key: int) -> dict[Table, dict[str, object]]:
    """A row of each table that a rollup, or the product, writes."""
    moments = {"first_at": BEGIN, "last_at": BEGIN}
    return {
        events: {
            "event_id": f"event-{key}",
            "user_id": key,
            "name": "export",
            "occurred_at": BEGIN,
            "received_at": BEGIN,
            "properties": '{"file": "Täglich.csv"}',
        },
        events_ahead: {"user_id": key, "day": DAY},
        user_days: {"user_id": key, "day": DAY, "event": "export", "uses": 1, **moments},
        user_activity: {"user_id": key, "days": 1, "uses": 1, "active_since": BEGIN, **moments},
        feature_adoption: {
            "user_id": key,
            "feature": "export",
            "uses": 1,
            "days": 1,
            "state": "tried",
            "state_since": BEGIN,
            **moments,
        },
        engagement_levels: {
            "user_id": key,
            "left_at": OPEN,
            "level": "new",
            "entered_at": BEGIN,
            "changes_at": OPEN,
        },
        milestones: {"milestone": "first", "user_id": key, "reached_on": DAY, "recorded_at": BEGIN},
        entitlements: {
            "mode": "live",
            "user_id": key,
            "loop": "freemium",
            "step": "main",
            "lifted_at": OPEN,
            "blocked_at": BEGIN,
            "message": "Upgrade",
        },
        triggered: {
            "mode": "live",
            "segment": "orders.main",
            "user_id": key,
            "occurrence": "7",
            "triggered_at": BEGIN,
            "entered_at": BEGIN,
        },
    }


def lived(scene: Scene, key: int) -> None:
    """Let one user have a row in every table that can hold one."""
    everything_happens(scene, key)
    one_is_in_doubt(scene, key)
    scene.change(key, dormant=1)
    scene.tick("win_back")
    send_id = scene.newest(key, "vip")["send_id"]
    about = {"mode": "live", "loop": "accounts", "step": "main", "user_id": key, "account_id": key, "occurrence": "1"}
    names = " ".join(of(scene, key).recipients)
    with scene.engine.begin() as connection:
        for table, row in of_behaviour(key).items():
            connection.execute(insert(table), row)
        connection.execute(insert(account_sends), about | {"send_occurrence": f"1@{key:032x}"})
        member = {"mode": "live", "loop": "vip", "draw": 1, "user_id": key, "account_id": about["account_id"]}
        connection.execute(insert(account_people), member)
        outcome = {"draw": 1, "goal": "returns-1", "window_ends_at": BEGIN, "state": "open"}
        connection.execute(insert(outcomes), {"mode": "live", "loop": "vip", "user_id": key} | outcome)
        # Their account was erased before, and they are back.
        erased = {"erasure_id": f"{key:032x}", "recipients": names, "erased_at": BEGIN}
        connection.execute(insert(erasures), erased)
        connection.execute(insert(recovered), {"send_id": send_id, "provider_id": f"p-{key}", "accepted_at": BEGIN})


PERSONAL = {"user_id", "recipient", "recipients", "address", "send_id", "send_ids"}
"""The columns by which a row is of somebody."""


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda table: table.name)
def test_a_table_is_exported_or_on_the_list_of_those_that_hold_nothing_of_anybody(table: Table) -> None:
    """Whoever makes a table decides which: `holdings` finds its rows, or NOT_ABOUT_ANYBODY says what it holds."""
    is_personal = bool(PERSONAL & {column.name for column in table.c})

    assert is_personal == (table.name not in NOT_ABOUT_ANYBODY)
    assert (table in holdings.tables()) == is_personal


def test_the_list_names_no_table_that_is_gone() -> None:
    assert {*NOT_ABOUT_ANYBODY} <= {*metadata.tables}


def test_all_that_is_held_of_somebody_is_found_table_by_table(scene: Scene) -> None:
    lived(scene, ADA)

    found = held(scene, of(scene, ADA))

    assert {*found} == {one.name for one in holdings.tables()}
    assert {row["user_id"] for rows in found.values() for row in rows if row.get("user_id")} == {ADA}
    assert {row["loop"] for row in found["skene_sends"]} == {
        "activation",
        "vip",
        "milestones",
        "weekly_offers",
    }
    assert [row["reason"] for row in found["skene_deferred"]] == ["cap"]
    assert {row["kind"] for row in found["skene_webhooks"]} == {"delivered", "clicked"}
    assert {row["scope"] for row in found["skene_suppressions"]} == {"topic:tips"}
    assert found["skene_events"][0]["properties"] == {"file": "Täglich.csv"}
    assert found["skene_engagement_levels"][0]["left_at"] is None


def test_nothing_of_anybody_else_is_among_it(scene: Scene) -> None:
    lived(scene, ADA)
    before = held(scene, of(scene, ADA))
    scene.now = BEGIN + timedelta(days=40)
    lived(scene, BOB)

    after = held(scene, of(scene, ADA))

    assert str(BOB) not in str(after)
    # By then a cap had room for the one who had waited.
    assert {*before} - {*after} == {"skene_deferred"}


def test_of_a_frozen_batch_there_is_only_their_own_email(scene: Scene) -> None:
    scene.add(ADA)
    scene.add(BOB, name="Bob")
    scene.tick("activation", lose_the_answer)

    (frozen,) = held(scene, of(scene, ADA))["skene_batches"]

    email = frozen["email"]
    assert isinstance(email, dict)
    assert (email["to"], email["subject"]) == (f"u{ADA}@example.com", "Hello Ada Lovelace")
    assert "Bob" not in str(frozen)
    assert str(BOB) not in str(frozen)


def test_who_is_no_user_any_more_is_found_by_their_key(scene: Scene) -> None:
    everything_happens(scene, ADA)
    scene.execute("DELETE FROM users")

    found = held(scene, of(scene, ADA, ""))

    assert len(found["skene_sends"]) == 4
    # By the address to which their emails went, which nobody knows any more.
    assert len(found["skene_suppressions"]) == 2


def test_what_was_said_at_a_former_address_is_theirs(scene: Scene) -> None:
    everything_happens(scene, ADA)
    scene.change(ADA, email="ada@another.example")

    found = held(scene, of(scene, ADA, "ada@another.example"))

    assert len(found["skene_suppressions"]) == 2


def test_of_an_address_without_a_user_there_is_what_went_to_it(scene: Scene) -> None:
    everything_happens(scene, ADA)
    scene.execute("DELETE FROM users")
    address = f"u{ADA}@example.com"
    subject = reading(scene.engine, lambda c: holdings.of_address(c, address))

    found = held(scene, subject)

    assert {*found} == {
        "skene_suppressions",
        "skene_preferences",
        "skene_receipts",
        "skene_contacts",
        "skene_webhooks",
    }
    assert reading(scene.engine, lambda c: holdings.is_known(c, subject))
    nobody = reading(scene.engine, lambda c: holdings.of_address(c, "nobody@example.com"))
    assert held(scene, nobody) == {}
    assert not reading(scene.engine, lambda c: holdings.is_known(c, nobody))


def test_an_event_that_was_not_read_yet_is_found_by_its_address(scene: Scene) -> None:
    scene.add(ADA)
    unread = Report("bounce-1", "email.bounced", "bounced", BEGIN, address=f"U{ADA}@example.com")
    other = Report("bounce-2", "email.bounced", "bounced", BEGIN, address="else@example.com")
    transaction(scene.engine, lambda c: inbox.put(c, "resend", [unread, other], BEGIN))

    found = held(scene, of(scene, ADA))

    assert [row["event_id"] for row in found["skene_webhooks"]] == ["bounce-1"]
    assert found["skene_webhooks"][0]["address"] == f"U{ADA}@example.com"


def test_a_frozen_body_that_cannot_be_read_costs_nothing_else(scene: Scene) -> None:
    scene.add(ADA)
    scene.tick("activation", lose_the_answer)
    scene.execute("UPDATE skene_batches SET payload = :broken", broken=b"not zlib")

    found = held(scene, of(scene, ADA))

    assert len(found["skene_sends"]) == 1
    assert [row["email"] for row in found["skene_batches"]] == [None]


def test_what_is_not_json_stays_a_text(scene: Scene) -> None:
    row = of_behaviour(ADA)[events]
    with scene.engine.begin() as connection:
        connection.execute(insert(events), {**row, "properties": '{"cut": '})

    assert held(scene, of(scene, ADA))["skene_events"][0]["properties"] == '{"cut": '


def test_a_long_history_is_read_in_parts(scene: Scene) -> None:
    row = of_behaviour(ADA)[events]
    with scene.engine.begin() as connection:
        connection.execute(insert(events), [{**row, "event_id": f"{n:06d}"} for n in range(2_500)])

    found = held(scene, of(scene, ADA))["skene_events"]

    assert [one["event_id"] for one in found] == [f"{n:06d}" for n in range(2_500)]
