"""What loops share: what the budget of a day and priorities promise, broken on purpose. See `sending_mutants`."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from product import GROWS
from sending_mutants import A_DAY, AGAIN, CALM, Mutant
from sqlalchemy import Connection

from skene_dagster.delivery import ledger
from skene_dagster.delivery.decide import eligibility, send_audience
from skene_dagster.delivery.decide.addressees import Addressees
from skene_dagster.delivery.decide.arbiter import budget, split
from skene_dagster.delivery.decide.arbiter.budget import Budget
from skene_dagster.delivery.decide.arbiter.claims import Claimant
from skene_dagster.delivery.decide.arbiter.rivals import Rivals
from skene_dagster.delivery.decide.arbiter.split import Claim
from skene_dagster.delivery.ledger import PlannedEmails
from skene_dagster.loops.plan import LoopPlan, StepPlan
from skene_dagster.settings import WarmUp
from skene_dagster.store.tables import warm_ups

TOO_MANY = "more emails than a day has"
FOR_EVER = "put off for ever"
IN_VAIN = "waits although the day has room"
STARVED = "others have taken the share of a loop"
TAKEN = "a place is taken that another loop wants"


def _planned(patch: pytest.MonkeyPatch, counts: Callable[[PlannedEmails, Budget], bool]) -> None:
    real = Budget._room

    def room(mine: Budget, total: int, day: date, sharing: Sequence[Claimant], emails: Sequence[PlannedEmails]) -> int:
        return real(mine, total, day, sharing, [one for one in emails if counts(one, mine)])

    patch.setattr(Budget, "_room", room)


def a_day_begins_anew_at_each_tick(patch: pytest.MonkeyPatch) -> None:
    """Nobody knows what was planned for a day before."""
    _planned(patch, lambda _one, _mine: False)


def a_budget_is_each_loop_s_own(patch: pytest.MonkeyPatch) -> None:
    """What other loops have planned does not count."""
    _planned(patch, lambda one, mine: one.loop == mine.name)


def what_is_asked_for_does_not_count(patch: pytest.MonkeyPatch) -> None:
    """The emails that were asked for are planned on top of the day's."""
    _planned(patch, lambda one, _mine: one.loop != "receipts")


def two_loops_plan_a_day_at_once(patch: pytest.MonkeyPatch) -> None:
    """Nothing keeps a page from reading what is planned while another loop's page plans more."""
    # The lock of a step's row is on SQLite one of everything.
    patch.setattr(ledger, "lock", lambda _connection, _scope: None)


def a_page_takes_no_place(patch: pytest.MonkeyPatch) -> None:
    """Of one page everybody finds the room that the first one found."""
    patch.setattr(Budget, "take", lambda _budget, _day: None)


def what_is_asked_for_waits(patch: pytest.MonkeyPatch) -> None:
    """Emails that were asked for find room, or none, as others do."""
    real = Budget.of

    def of(
        connection: Connection, mode: str, plan: LoopPlan, step: StepPlan, *more: Any, **named: Any
    ) -> Budget | None:
        assert step.email is not None
        like_others = replace(step, action=replace(step.email, topic=step.email.topic or "product"))
        return real(connection, mode, plan, like_others, *more, **named)

    patch.setattr(Budget, "of", staticmethod(of))


def who_waits_for_a_day_waits_for_ever(patch: pytest.MonkeyPatch) -> None:
    """Who found no room is not decided again."""
    real = eligibility.decide

    def decide(*arguments: Any) -> eligibility.Decision:
        decision = real(*arguments)
        if isinstance(decision, eligibility.Defer) and decision.reason == "budget":
            return replace(decision, ask_at=datetime(2100, 1, 1))
        return decision

    patch.setattr(send_audience, "decide", decide)


def what_a_loop_leaves_stays_its_own(patch: pytest.MonkeyPatch) -> None:
    """A loop is left emails after its last tick of the day."""
    patch.setattr(Claimant, "is_to_come", lambda *_: True)


def nothing_is_left_to_who_comes_later(patch: pytest.MonkeyPatch) -> None:
    """The first loop of a day takes all of it."""
    patch.setattr(Claimant, "is_to_come", lambda *_: False)


def a_low_priority_has_the_larger_share(patch: pytest.MonkeyPatch) -> None:
    """Shares go by the priorities turned round."""
    real = split.shares

    def shares(total: int, priorities: Mapping[str, int]) -> dict[str, int]:
        return real(total, {loop: -priority for loop, priority in priorities.items()})

    patch.setattr(split, "shares", shares)


def a_loop_needs_what_it_mailed_before(patch: pytest.MonkeyPatch) -> None:
    """Who waits is not expected to be mailed: a loop that few got mail of is left few for ever."""
    patch.setattr(ledger, "waiting_for_room", lambda *_: {})
    real = split.room

    def room(
        total: int, planned: Mapping[str, int], claims: Sequence[Claim], to_come: Collection[str], mine: str
    ) -> int:
        few = [one if one.expected is None else replace(one, expected=min(one.expected, 0)) for one in claims]
        return real(total, planned, few, to_come, mine)

    patch.setattr(budget, "room", room)


def a_warm_up_does_not_grow(patch: pytest.MonkeyPatch) -> None:
    """Each day has as many emails as the first."""
    patch.setattr(WarmUp, "emails", lambda warm_up, _day: warm_up.first_day)


def a_warm_up_grows_too_fast(patch: pytest.MonkeyPatch) -> None:
    """Each day has four times as many emails as the one before."""
    patch.setattr(
        WarmUp, "emails", lambda one, day: int(one.first_day * (GROWS * 5 / 2) ** max((day - one.from_).days, 0))
    )


def a_warm_up_is_over_before_its_time(patch: pytest.MonkeyPatch) -> None:
    """It is over on the day after the one on which somebody waited."""
    patch.setattr(
        ledger,
        "warm_up_is_over",
        lambda connection, _mode, _domain, *, today, **_: any(
            row.waited_on < today for row in connection.execute(warm_ups.select())
        ),
    )


def nobody_s_place_is_left_to_others(patch: pytest.MonkeyPatch) -> None:
    """Whoever comes first takes the last place."""
    patch.setattr(Rivals, "of", staticmethod(lambda *_: None))


def a_place_is_left_again_and_again(patch: pytest.MonkeyPatch) -> None:
    """Who left their place once leaves it the next time, too."""
    real = Addressees._left_until
    patch.setattr(Addressees, "_left_until", lambda self, person, _waiting, planned: real(self, person, None, planned))


def a_place_is_left_for_two_days(patch: pytest.MonkeyPatch) -> None:
    """Who left their place is asked about again after two days."""
    real = Rivals.wanting
    patch.setattr(
        Rivals,
        "wanting",
        lambda self, *arguments: {one: at + timedelta(days=2) for one, at in real(self, *arguments).items()},
    )


DAILY_WITH_RECEIPTS, DAILY, WARMING, PRIORITY = 10, 11, 12, 13
"""Limits."""

TWO_LOOPS = CALM | {"limits": DAILY, "users": 7, "rounds": 0, "mode0": 0, "events0": 0}

MUTANTS = (
    Mutant(a_day_begins_anew_at_each_tick, {TOO_MANY}, 10, TWO_LOOPS),
    Mutant(a_budget_is_each_loop_s_own, {TOO_MANY}, 10, TWO_LOOPS),
    Mutant(
        what_is_asked_for_does_not_count,
        {TOO_MANY},
        10,
        TWO_LOOPS | {"limits": DAILY_WITH_RECEIPTS},
    ),
    Mutant(
        two_loops_plan_a_day_at_once,
        {TOO_MANY},
        20,
        TWO_LOOPS | {"late locks": 1, "switching": 0, "rounds": 1, "gap0": A_DAY, "mode1": 0, "events1": 0},
    ),
    Mutant(a_page_takes_no_place, {TOO_MANY}, 10, TWO_LOOPS),
    Mutant(what_is_asked_for_waits, {"what was asked for waits"}, 10, TWO_LOOPS | {"limits": DAILY_WITH_RECEIPTS}),
    Mutant(who_waits_for_a_day_waits_for_ever, {FOR_EVER}, 10, TWO_LOOPS | {"limits": DAILY_WITH_RECEIPTS}),
    Mutant(what_a_loop_leaves_stays_its_own, {IN_VAIN}, 10, TWO_LOOPS),
    Mutant(nothing_is_left_to_who_comes_later, {STARVED}, 10, TWO_LOOPS),
    Mutant(a_low_priority_has_the_larger_share, {STARVED}, 10, TWO_LOOPS),
    Mutant(a_loop_needs_what_it_mailed_before, {STARVED}, 10, TWO_LOOPS),
    Mutant(a_warm_up_does_not_grow, {IN_VAIN}, 40, TWO_LOOPS | {"limits": WARMING}),
    Mutant(a_warm_up_grows_too_fast, {TOO_MANY}, 10, TWO_LOOPS | {"limits": WARMING}),
    Mutant(a_warm_up_is_over_before_its_time, {TOO_MANY}, 10, TWO_LOOPS | {"limits": WARMING}),
    Mutant(
        nobody_s_place_is_left_to_others, {TAKEN}, 10, TWO_LOOPS | {"limits": PRIORITY, "events0": 1, "event0": AGAIN}
    ),
    Mutant(
        a_place_is_left_again_and_again,
        {"a place is left twice"},
        40,
        TWO_LOOPS | {"limits": PRIORITY, "rounds": 1, "gap0": A_DAY, "mode1": 0, "events1": 0, "kill:run4": 14},
        each="kill:run2",
    ),
    Mutant(
        a_place_is_left_for_two_days,
        {"a place is left for longer than a day"},
        10,
        TWO_LOOPS | {"limits": PRIORITY},
    ),
)
