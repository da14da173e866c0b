"""A ledger is restored from a backup: what stops before, and what a person does after."""

from datetime import timedelta

from world import World

WORKED_ON = timedelta(minutes=10)
"""How long the provider may still be working on a request."""


def restore(world: World) -> None:
    """Stop everything, put the last backup in the ledger's place, and have a person tell it what it sent since."""
    assert world.backup is not None
    scheduler = world.scheduler
    scheduler.kill_all()
    scheduler.advance(scheduler.now + WORKED_ON)
    world.eyes.restore(world.backup)
    world.oracle.restored(world.eyes.paused_since(), world.backed_up_at)
    world.provider.records = "well"
    scheduler.say("", "the ledger is that of the last backup")
    scheduler.spawn("recover", world.recover)
