"""Somebody is erased: what a person does, and what may be left of whom they erased."""

import zlib
from collections.abc import Collection
from datetime import timedelta

from product import users
from sqlalchemy import delete
from world import World

from skene_dagster.erasing.erase import erase
from skene_dagster.erasing.person import find
from skene_dagster.erasing.waiting import go_on
from skene_dagster.store.engine import reading
from skene_dagster.store.tables import metadata, webhooks

TRIES = 5
"""How often a person erases somebody again whom runs that were under way may have written down."""

A_RUN = 200.0
"""Seconds after which they do."""

LONGEST_WAIT = timedelta(days=8)
"""After so long nothing waits any more for what the provider may have."""


def erased(world: World, user: int) -> None:
    """The product deletes a user, and a person erases whatever is known of them."""
    scheduler, person, oracle = world.scheduler, world.oracle.people[user], world.oracle

    def is_gone() -> None:
        person.is_gone = True
        person.leaves(scheduler.now)

    if not person.is_gone:
        world.commit(lambda c: c.execute(delete(users).where(users.c.id == user)), f"user {user} is deleted", is_gone)
    engine, settings = world.database.engine, world.settings[0]
    for _ in range(TRIES):
        known = reading(engine, lambda connection: find(connection, settings.users, str(user)))
        if known is None:
            break
        done = erase(engine, settings, known, scheduler.clock)
        scheduler.say(scheduler.me.name, f"erases user {user}: {done}")
        if not done.under_way:
            break
        scheduler.sleep(A_RUN)
    oracle.erased.setdefault(user, scheduler.now)
    if not world.eyes.waits_for_erasure():
        judge_traces(world, user, but_for=(webhooks.name,))


def finish(world: World) -> None:
    """What had to wait is finished; the sensor does it, and the job of each night."""
    gone_on = go_on(world.database.engine, world.settings[0], world.scheduler.clock)
    world.scheduler.say(world.scheduler.me.name, f"{gone_on}")


def judge_traces(world: World, user: int, but_for: Collection[str] = ()) -> None:
    """Nothing is left of an erased person but hashes.

    Args:
        but_for: tables that may hold what came in since.
    """
    oracle = world.oracle
    if oracle.is_restored:
        return
    others = {one.lower() for key, person in oracle.people.items() if key != user for one in person.addresses}
    addresses = {one.lower() for one in oracle.people[user].addresses} - others
    ids = {identity for identity, whose in oracle.sends() if whose.user == user}
    for name in metadata.tables.keys() - set(but_for):
        # What comes in later names the email, which is known no more, and until it is read their address.
        words = addresses if name == webhooks.name else addresses | ids
        for row in world.eyes.rows(name):
            for column, value in row.items():
                if (column == "user_id" and value == user) or _says(value, words):
                    oracle.violated("something is left of an erased person", f"user {user}: {name}.{column}")


def _says(value: object, words: Collection[str]) -> bool:
    if isinstance(value, bytes):
        value = zlib.decompress(value).decode(errors="replace")
    if not isinstance(value, str):
        return False
    text = value.lower()
    return any(word in text for word in words)
