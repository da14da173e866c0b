"""One run at a time decides about a step: another waits until the page is committed."""

from datetime import datetime
from pathlib import Path

from delivery_world import OUTBOX, World, make_world
from neighbours import own
from sqlalchemy import Engine, create_engine, select
from sqlalchemy.exc import OperationalError

from skene_dagster.delivery.decide.reserve import reserve
from skene_dagster.store.tables import steps


class Watch:
    """A clock that tries, whenever it is asked, to keep the step to itself."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._eyes = create_engine(world.engine.url)
        self.found: list[str] = []

    def __call__(self) -> datetime:
        try:
            with self._eyes.begin() as connection:
                if self._eyes.dialect.name == "sqlite":
                    # A writer keeps the whole file.
                    connection.exec_driver_sql("PRAGMA busy_timeout = 0")
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                else:
                    connection.execute(select(steps.c.fence).where(own(steps)).with_for_update(nowait=True))
            self.found.append("free")
        except OperationalError:
            self.found.append("kept")
        return self._world.now

    def close(self) -> None:
        self._eyes.dispose()


def test_while_a_page_is_decided_no_other_run_can_decide_about_the_step(engine: Engine, tmp_path: Path) -> None:
    world = make_world(engine, tmp_path)
    world.add(1, 2, 3)
    world.refresh()
    watch = Watch(world)

    reserve(
        engine,
        plan=world.plan,
        step=world.step,
        settings=world.settings,
        mode=OUTBOX,
        as_of=world.now,
        clock=watch,
        page=2,
    )
    watch.close()

    assert watch.found[0] == "free", "before it begins"
    assert len(watch.found) > 3, "at each page"
    assert set(watch.found[1:]) == {"kept"}
