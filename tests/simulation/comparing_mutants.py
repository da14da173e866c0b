"""What is promised of those who are compared, broken on purpose. See `sending_mutants`."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import world
from comparing import CHANGED, MAILED, NO_ARM, NOT_TOSSED, OTHER_VARIANT
from erasing_mutants import ERASED, LEFT
from product import COMPARED, LIMITS
from sending_mutants import A_DAY, CALM, EDIT, ORDER, QUOTA, Mutant
from sqlalchemy import Connection, Engine, delete, insert, select
from world import OF_COMPARISONS, ORDERS

from skene_dagster.delivery import ledger
from skene_dagster.delivery.decide import reserve
from skene_dagster.delivery.ledger.decisions import writing
from skene_dagster.delivery.new_decisions import NewSend
from skene_dagster.erasing import erase
from skene_dagster.erasing.person import BY_USER
from skene_dagster.goals import arms, kept
from skene_dagster.goals.arms import Arms, Enrolled
from skene_dagster.goals.comparing import Comparing, HeldOutOf
from skene_dagster.loops.variants import drawn
from skene_dagster.store.engine import transaction
from skene_dagster.store.tables import arms as arms_table


def _sends(patch: pytest.MonkeyPatch, said: Callable[[NewSend], NewSend]) -> None:
    real = writing._write_sends

    def write(connection: Connection, scope: Any, made: Sequence[NewSend], **named: Any) -> int:
        return real(connection, scope, [said(one) for one in made], **named)

    patch.setattr(writing, "_write_sends", write)


def who_is_held_out_comes_into_a_batch(patch: pytest.MonkeyPatch) -> None:
    """Only what is skipped is left out of the batches."""

    def said(one: NewSend) -> NewSend:
        return replace(one, state="reserved", reason=None) if one.state == "held_out" else one

    _sends(patch, said)


def an_arm_is_drawn_at_each_decision(patch: pytest.MonkeyPatch) -> None:
    """Whoever was drawn already is drawn from the present share."""
    patch.setattr(Arms, "of", lambda mine, user: "held_out" if mine.coin.toss(user) < mine.share else "mailed")


def a_later_arm_takes_the_place_of_the_first(patch: pytest.MonkeyPatch) -> None:
    """The arm is written down at each decision."""
    patch.setattr(arms, "known_in", lambda *_arguments, **_named: {})
    real = arms.enrol

    def enrol(connection: Connection, made: Sequence[Enrolled], who: Any, **named: Any) -> None:
        for one in made:
            key = {**one.comparison.key, "user_id": one.user_id}
            connection.execute(delete(arms_table).where(*(arms_table.c[name] == value for name, value in key.items())))
        real(connection, made, who, **named)

    patch.setattr(arms, "enrol", enrol)


def who_comes_second_decides_by_an_arm_of_their_own(patch: pytest.MonkeyPatch) -> None:
    """A page whose user another loop has drawn since it looked is written down as it was decided."""
    real = arms.enrol

    def enrol(connection: Connection, made: Sequence[Enrolled], who: Any, **named: Any) -> None:
        known = {
            one.comparison: set(arms.known_in(connection, one.comparison, [two.user_id for two in made]))
            for one in made
        }
        real(connection, [one for one in made if one.user_id not in known[one.comparison]], who, **named)

    # The lock of a step's row is on SQLite one of everything.
    patch.setattr(ledger, "lock", lambda _connection, _scope: None)
    patch.setattr(arms, "enrol", enrol)


def the_arms_of_a_page_are_written_down_after_it(patch: pytest.MonkeyPatch) -> None:
    """Decisions are committed first, and the arms of those who are new in a transaction of their own."""
    enrol, decide = arms.enrol, reserve._read_again_when_overtaken
    left: list[Callable[[Connection], None]] = []

    def later(_connection: Connection, made: Sequence[Enrolled], who: Any, **named: Any) -> None:
        left.append(lambda connection: enrol(connection, made, who, **named))

    def decided(engine: Engine, *more: Any) -> Any:
        left.clear()
        page = decide(engine, *more)
        while left:
            transaction(engine, left.pop())
        return page

    patch.setattr(arms, "enrol", later)
    patch.setattr(reserve, "_read_again_when_overtaken", decided)


def a_holdout_of_all_loops_is_measured_and_not_kept(patch: pytest.MonkeyPatch) -> None:
    """Who is held out of all loops is mailed by each."""

    def holds_out(mine: Comparing, user_id: object) -> HeldOutOf | None:
        return "loop" if mine.of_the_loop.of(user_id) == "held_out" else None

    patch.setattr(Comparing, "holds_out", holds_out)


def a_variant_is_drawn_when_the_email_is_made(patch: pytest.MonkeyPatch) -> None:
    """An email is in the variant that the loop's file says by then."""
    real = Arms.variant_of
    patch.setattr(Arms, "variant_of", lambda mine, user: real(replace(mine, known={}), user))


def variants_are_cut_from_what_the_holdout_has_left(patch: pytest.MonkeyPatch) -> None:
    """One toss decides who is held out, and which variant the others get."""

    def variant_of(mine: Arms, user: object) -> str | None:
        return drawn(mine.variants, mine.coin.toss(user)) if mine.variants else None

    patch.setattr(Arms, "variant_of", variant_of)


def another_draw_takes_the_old_arms_along(patch: pytest.MonkeyPatch) -> None:
    """Who was drawn before stays in that arm when all are drawn anew."""
    real = arms.draw_anew

    def draw_anew(connection: Connection, loop: str) -> int:
        old = arms._draw(connection, loop)
        draw = real(connection, loop)
        for row in connection.execute(arms_table.select().where(arms_table.c.loop == loop, arms_table.c.draw == old)):
            connection.execute(insert(arms_table).values({**row._asdict(), "draw": draw}))
        return draw

    patch.setattr(world, "draw_anew", draw_anew)


def the_arm_of_who_is_erased_stays(patch: pytest.MonkeyPatch) -> None:
    """It is still known in which arm they were."""
    mine = arms_table.c.user_id

    def forget(connection: Connection, user_id: object) -> Counter[str]:
        found = connection.execute(select(arms_table).where(mine == user_id)).mappings().all()
        forgotten = kept.forget(connection, user_id)
        if found:
            connection.execute(insert(arms_table), [dict(row) for row in found])
        del forgotten[arms_table.name]
        return forgotten

    patch.setattr(erase, "forget", forget)
    patch.setattr(erase, "BY_USER", tuple(table for table in BY_USER if table is not arms_table))


FEWER, MORE = (next(n for n, one in enumerate(LIMITS) if one.compared == some) for some in COMPARED)
WITH_CAPS = FEWER + len(COMPARED)
"""Limits: who is compared before the author has changed it, and after; and where there are two loops."""

_ORDERS = ORDERS + OF_COMPARISONS * 2
REWRITE, RENEW = _ORDERS.index("rewrite"), _ORDERS.index("renew")

COMPARING: dict[str, int] = CALM | {"limits": FEWER, "variant": 0, "users": 7, "outside": 0, "rounds": 0, "mode0": 0}
"""Everybody is decided about once, and all is well."""

COMES_AGAIN: dict[str, int] = (
    COMPARING
    | {"variant": 1, "users": 2, "rounds": 4, "gap0": 3, "gap1": 3, "gap2": 3, "events0": 0, "events4": 0}
    | {"mode1": 0, "mode2": 0, "mode3": 0, "mode4": 0, "events1": 3, "event1": EDIT, "edit1": 0}
    | {"events2": 1, "event2": ORDER, "order2": REWRITE, "events3": 3, "event3": EDIT, "edit3": 0}
)
"""Some leave and come back, and in between more of them are held out, and most get the other variant."""

MUTANTS = (
    Mutant(who_is_held_out_comes_into_a_batch, {MAILED, NO_ARM}, 5, COMPARING),
    Mutant(an_arm_is_drawn_at_each_decision, {NO_ARM, MAILED}, 60, COMES_AGAIN),
    Mutant(a_later_arm_takes_the_place_of_the_first, {CHANGED}, 60, COMES_AGAIN),
    Mutant(
        who_comes_second_decides_by_an_arm_of_their_own,
        {NO_ARM, MAILED},
        120,
        COMPARING
        | {"limits": WITH_CAPS, "late locks": 1, "events0": 1, "switching": 0, "event0": ORDER, "order0": REWRITE},
    ),
    Mutant(
        the_arms_of_a_page_are_written_down_after_it,
        {NO_ARM, MAILED},
        180,
        COMPARING | {"users": 0},
        each="kill:run1",
    ),
    Mutant(a_holdout_of_all_loops_is_measured_and_not_kept, {MAILED, NO_ARM}, 5, COMPARING),
    Mutant(
        a_variant_is_drawn_when_the_email_is_made,
        {OTHER_VARIANT},
        60,
        COMPARING
        | {"rounds": 2, "mode0": QUOTA, "mode1": 0, "mode2": 0, "events0": 1, "event0": ORDER, "order0": REWRITE}
        | {"events1": 0, "events2": 0, "gap0": A_DAY},
    ),
    Mutant(variants_are_cut_from_what_the_holdout_has_left, {NOT_TOSSED}, 10, COMPARING),
    Mutant(
        another_draw_takes_the_old_arms_along,
        {NOT_TOSSED},
        20,
        COMPARING
        | {"rounds": 1, "events0": 0, "gap0": 3, "events1": 1, "event1": ORDER, "order1": RENEW, "renewed": 0},
    ),
    Mutant(the_arm_of_who_is_erased_stays, {LEFT}, 10, ERASED | {"limits": FEWER}),
)
