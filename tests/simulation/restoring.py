"""A ledger is restored from a backup: what stops before, and what a person does after."""

from world import World

from skene_dagster.delivery.send.records import WORKED_ON


def restore(world: World) -> None:
    """Stop everything, put the last backup in the ledger's place, and have a person tell it what it sent since."""
    assert world.backup is not None
    scheduler = world.scheduler
    scheduler.kill_all()
    scheduler.advance(scheduler.now + WORKED_ON)
    world.eyes.restore(world.backup)
    world.oracle.restored(world.eyes.paused_at())
    world.provider.records = "well"
    scheduler.say("", "the ledger is that of the last backup")
    scheduler.spawn("recover", world.recover)
