"""Loops that decide about their users at the same moment."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from delivery_world import LIVE, World

from skene_dagster.delivery.decide.reserve import Reserved, reserve
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.segments.refresh import refresh

LOOPS = 20


def decide_at_once(world: World, plans: Sequence[LoopPlan], others: Sequence[LoopPlan] = ()) -> list[Reserved]:
    """Refresh the only step of each loop, and then let all decide at once, in small pages; return what each decided.

    Args:
        others: the loops of the project, as far as a loop has to know them.
    """
    for plan in plans:
        refresh(
            world.engine,
            plan=plan,
            step=plan.steps[0],
            settings=world.settings,
            as_of=world.now,
            clock=world.clock,
            run_id=plan.name,
        )
    together = threading.Barrier(len(plans))

    def decide(plan: LoopPlan) -> Reserved:
        together.wait()
        return reserve(
            world.engine,
            plan=plan,
            step=plan.steps[0],
            settings=world.settings,
            mode=LIVE,
            as_of=world.now,
            clock=world.clock,
            others=others,
            page=7,
        )

    with ThreadPoolExecutor(len(plans)) as pool:
        return list(pool.map(decide, plans))
