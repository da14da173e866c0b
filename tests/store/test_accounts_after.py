"""A step that follows another one of a loop about accounts: a second email about each, whoever it goes to by then."""

from pathlib import Path

import pytest
from accounts_world import AccountsWorld, make_accounts
from delivery_world import LIVE, OUTBOX
from neighbours import own
from sqlalchemy import Engine, delete, func, insert, select

from skene_dagster.delivery.rehearsal import Stage, rehearse
from skene_dagster.delivery.retention import retain
from skene_dagster.loops.planning.usage import plan_usage
from skene_dagster.settings import Retention
from skene_dagster.store.tables import account_sends, account_triggered, sends

LOOP = """\
type: retention
per: account
recipient: owner
steps:
  - name: first
    trigger: {type: schedule, cron: "0 9 * * *"}
    condition: {type: query, query: SELECT id FROM workspaces WHERE dormant = true}
    action: {type: email, template: hello, personalization: {name: "{{user.name}} of {{account.title}}"}}
  - name: second
    trigger: {type: after, step: first, wait: 5d}
    condition: {type: query, query: "SELECT id, title FROM workspaces WHERE dormant = true"}
    action: {type: email, template: hello, personalization: {name: "{{user.name}} again of {{row.title}}"}}
"""
MOST_ACTIVE = ("recipient: owner", "recipient: most_recently_active")
EVERYBODY = ("recipient: owner", "recipient: everybody")
FIRST, SECOND = 0, 1


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> AccountsWorld:
    world = make_accounts(engine, tmp_path)
    world.use(LOOP)
    return world


def said(world: AccountsWorld) -> list[str]:
    """What each email says, in its order."""
    return [message.subject for messages in world.provider.accepted.values() for message in messages]


def run(world: AccountsWorld, days: int) -> None:
    """Do a tick each day."""
    for _ in range(days):
        world.tick()
        world.days_pass(1)


def test_the_owner_gets_the_second_email_when_the_wait_is_over_and_no_third(world: AccountsWorld) -> None:
    world.workspace("w1", [1, 2])
    run(world, 5)
    early = said(world)

    run(world, 10)

    assert early == ["Hello User 1 of Workspace w1"]
    assert said(world) == [*early, "Hello User 1 again of Workspace w1"]
    assert world.decided("second") == {"w1": ["mailed"]}


def test_whoever_owns_the_account_by_then_gets_the_second_email_and_only_they(world: AccountsWorld) -> None:
    world.workspace("w1", [1, 2])
    run(world, 5)
    world.change_workspace("w1", owner_id=2)

    run(world, 5)
    world.change_workspace("w1", owner_id=1)
    run(world, 5)

    assert said(world)[1:] == ["Hello User 2 again of Workspace w1"]


def test_an_owner_who_changes_before_the_second_email_is_made_does_not_make_it_two(world: AccountsWorld) -> None:
    world.workspace("w1", [1, 2])
    run(world, 5)
    world.step_number = SECOND
    world.refresh()
    world.reserve()
    world.change_workspace("w1", owner_id=2)

    world.deliver()
    waits = world.decided("second")
    run(world, 5)

    assert waits == {"w1": ["deferred:new_recipient"]}
    assert said(world)[1:] == ["Hello User 2 again of Workspace w1"]


def test_who_is_the_most_recently_active_by_then_gets_the_second_email(world: AccountsWorld) -> None:
    world.use(LOOP, MOST_ACTIVE)
    world.workspace("w1", [1, 2])
    world.were_active(1, 2)
    run(world, 5)
    world.were_active(2, 1, at=world.now.replace(hour=8, minute=59))

    run(world, 5)

    assert world.provider.mailed == ["u1@example.com", "u2@example.com"]


def test_everybody_gets_the_second_email_once_however_many_got_the_first_and_when(world: AccountsWorld) -> None:
    world.use(LOOP, EVERYBODY, settings="limits: {caps: [{count: 1, within: 2d}]}\n")
    world.workspace("w1", [1])
    world.workspace("w2", [2, 3])
    # Their address has its email about w1 first: the cap lets the one about w2 wait.
    world.change(3, email="u1@example.com")

    run(world, 20)

    again = [text for text in said(world) if "again" in text]
    assert sorted(again) == [f"Hello User {n} again of Workspace w{1 if n == 1 else 2}" for n in (1, 2, 3)]
    assert world.decided("second") == {"w1": ["mailed"], "w2": ["mailed"]}


def test_an_account_that_was_not_mailed_is_not_followed(world: AccountsWorld) -> None:
    world.workspace("w1", [1])
    world.change(1, verified=False)

    run(world, 10)

    assert world.decided("second") == {}


def test_an_account_that_does_not_qualify_any_more_gets_no_second_email(world: AccountsWorld) -> None:
    world.workspace("w1", [1])
    run(world, 3)
    world.change_workspace("w1", dormant=False)

    run(world, 10)

    assert len(said(world)) == 1


def test_an_account_that_stops_to_qualify_before_a_late_email_is_made_gets_none(world: AccountsWorld) -> None:
    world.workspace("w1", [1])
    for _ in range(5):
        world.tick(LIVE)
        world.days_pass(1)
    world.step_number = SECOND
    world.refresh(LIVE)
    world.reserve(LIVE)
    world.change_workspace("w1", dormant=False)
    world.days_pass(0.5)

    world.deliver(LIVE)

    assert len(said(world)) == 1
    assert ("reserved", None) not in states(world)
    assert ("skipped", "left_segment") in states(world)


def test_an_account_that_still_qualifies_gets_a_late_email(world: AccountsWorld) -> None:
    world.workspace("w1", [1])
    world.workspace("w2", [2])
    for _ in range(5):
        world.tick(LIVE)
        world.days_pass(1)
    world.step_number = SECOND
    world.refresh(LIVE)
    world.reserve(LIVE)
    world.days_pass(0.5)

    world.deliver(LIVE)

    assert sorted(said(world)[2:]) == [f"Hello User {n} again of Workspace w{n}" for n in (1, 2)]


def states(world: AccountsWorld) -> list[tuple[str, str | None]]:
    query = select(sends.c.state, sends.c.reason).where(own(sends), sends.c.step == "second")
    with world.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query)]


def test_an_account_that_is_deleted_gets_no_second_email(world: AccountsWorld) -> None:
    world.workspace("w1", [1])
    world.workspace("w2", [2])
    run(world, 5)
    world.delete_workspace("w1")
    world.step_number = SECOND
    world.refresh()
    world.reserve()
    world.delete_workspace("w2")

    world.deliver()
    run(world, 3)

    assert len(said(world)) == 2
    assert states(world) == [("skipped", "gone")]


def test_an_account_that_enters_again_is_followed_again(world: AccountsWorld) -> None:
    world.use(LOOP, ('{{account.title}}"}', '{{account.title}}"}, repeat: every_entry'))
    world.workspace("w1", [1])
    run(world, 8)
    world.change_workspace("w1", dormant=False)
    run(world, 1)
    world.change_workspace("w1", dormant=True)

    run(world, 10)

    assert [text for text in said(world) if "again" in text] == ["Hello User 1 again of Workspace w1"] * 2
    assert world.decided("second") == {"w1": ["mailed", "mailed"]}


def test_a_third_step_may_follow_the_second(world: AccountsWorld) -> None:
    second = LOOP[LOOP.index("  - name: second") :]
    world.use(LOOP + second.replace("second", "third").replace("step: first", "step: second"))
    world.workspace("w1", [1, 2])
    world.workspace("w2", [3])

    run(world, 15)

    assert world.decided("third") == {"w1": ["mailed"], "w2": ["mailed"]}
    assert len(said(world)) == 6


def test_a_row_that_is_found_again_after_it_was_forgotten_mails_nobody(world: AccountsWorld) -> None:
    world.workspace("w1", [1])
    run(world, 6)
    with world.engine.begin() as connection:
        connection.execute(delete(account_triggered).where(account_triggered.c.segment == "retention.second"))

    world.step_number = SECOND
    with world.engine.begin() as connection:
        row = {"mode": "outbox", "segment": "retention.second", "account_id": "w1", "occurrence": "1"}
        connection.execute(insert(account_triggered), row | {"triggered_at": world.now, "entered_at": world.now})
    run(world, 2)

    assert len(said(world)) == 2
    assert world.decided("second") == {"w1": ["mailed"]}


def test_retention_deletes_the_rows_that_no_tick_needs(world: AccountsWorld) -> None:
    world.workspace("w1", [1])
    run(world, 6)
    keep = Retention.model_validate({"payloads": "30d"})
    mine = select(func.count()).select_from(account_triggered).where(own(account_triggered))

    def left() -> int:
        with world.engine.connect() as connection:
            return int(connection.execute(mine).scalar_one())

    before = left()
    run(world, 33)
    usage = plan_usage(world.settings)
    retain(world.engine, plans=[world.plan], are_all=False, usage=usage, retention=keep, clock=world.clock)

    assert (before, left()) == (1, 0)
    assert len(said(world)) == 2


def test_a_step_about_accounts_whose_people_are_left_by_everybody_is_not_opened_again_for_one(
    world: AccountsWorld,
) -> None:
    world.use(LOOP, EVERYBODY, settings="limits: {caps: [{count: 1, within: 2d}]}\n")
    world.workspace("w1", [3])
    world.workspace("w2", [1, 2])
    world.change(3, email="u2@example.com")
    world.tick()
    waits = world.decided("first")
    world.use(LOOP)
    world.days_pass(1)

    run(world, 3)

    assert waits == {"w1": ["mailed"], "w2": ["mailed", "deferred:cap"]}
    assert sorted(world.provider.mailed) == ["u1@example.com", "u2@example.com"]
    assert world.decided("first") == {"w1": ["mailed"], "w2": ["mailed"]}


def test_a_preview_says_which_accounts_are_followed_at_the_tick_and_who_is_mailed(world: AccountsWorld) -> None:
    world.workspace("w1", [1, 2])
    world.workspace("w2", [3])
    run(world, 5)
    world.change_workspace("w1", owner_id=2)
    world.change(3, verified=False)
    stage = Stage(world.engine, world.plan, world.plan.steps[SECOND], world.settings, OUTBOX, world.now)

    found = rehearse(stage, 10)

    assert (found.entering, found.counts) == (2, {"mail": 1, "deferred:not_mailable": 1})
    assert [(case.account_id, case.user_id, case.row) for case in found.sample] == [
        ("w1", 2, {"title": "Workspace w1"})
    ]


def test_each_send_says_which_account_it_is_about(world: AccountsWorld) -> None:
    world.workspace("w1", [1])
    run(world, 6)
    query = select(account_sends.c.step, account_sends.c.account_id, account_sends.c.occurrence)

    with world.engine.connect() as connection:
        rows = connection.execute(query.where(own(account_sends)).order_by(account_sends.c.step)).all()

    assert [tuple(row) for row in rows] == [("first", "w1", "1"), ("second", "w1", "1")]
