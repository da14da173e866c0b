"""The arms of a loop about accounts as the database counts them: people, and how much they say, account by account."""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import pytest
from outcomes_world import ENROLLED, MODE, PAID, World
from sqlalchemy import Engine, insert
from usage_world import at

from skene_dagster.loops.plan import LoopPlan
from skene_dagster.outcomes.comparisons import LoopOutcome, outcomes_of
from skene_dagster.outcomes.lift.arms import Accounts, Pair
from skene_dagster.outcomes.lift.families import lifts_by_level
from skene_dagster.outcomes.lift.sample_ratio import sample_ratio
from skene_dagster.outcomes.lift.values import AccountValues
from skene_dagster.outcomes.lift.verdicts import judge_harm, lift_of_shares, lift_of_values
from skene_dagster.store.tables import account_arms, account_people

LATER = at(60)


@dataclass(frozen=True)
class One:
    """A user who is compared."""

    account: int
    share: float
    arm: str
    level: str | None
    paid: float | None


@dataclass
class Accounting(World):
    @property
    def plan(self) -> LoopPlan:
        plan = super().plan
        return replace(plan, steps=tuple(replace(step, recipient="everybody") for step in plan.steps))

    def account(self, key: int, users: Sequence[int], *, arm: str, share: float, variant: str | None = None) -> None:
        """Put an account into the comparison, and say who of it is."""
        of = {"mode": MODE, "loop": "retention", "draw": 1, "account_id": key}
        drawn = {"arm": arm, "share": share, "enrolled_at": ENROLLED, "variant": variant}
        with self.engine.begin() as connection:
            connection.execute(insert(account_arms), [of | drawn])
            if users:
                connection.execute(insert(account_people), [of | {"user_id": user} for user in users])


@pytest.fixture
def world(engine: Engine) -> Accounting:
    return Accounting(engine, goal=PAID)


def measured(world: World, plan: LoopPlan | None = None) -> LoopOutcome:
    world.measure(LATER, roll=False, chunk=1000)
    with world.engine.connect() as connection:
        return outcomes_of(connection, plan or world.plan, MODE, as_of=LATER)[0]


def a_history(world: Accounting, accounts: int = 420) -> list[One]:
    """Accounts of one to six people, of two shares, some of which pay more than others."""
    draw = random.Random(29)
    people: dict[int, One] = {}
    groups: dict[tuple[float, str, str | None], list[int]] = {}
    for account in range(1, accounts + 1):
        share = draw.choice([0.5, 0.4])
        arm, keen = "held_out" if draw.random() < share else "mailed", draw.random()
        first = 10 * account
        users = range(first, first + draw.randint(1, 6))
        world.account(account, users, arm=arm, share=share)
        for user in users:
            level = draw.choice(["dormant", "active", None])
            paid = draw.choice([1.5, 4.25, 90]) if draw.random() < keen * (1 if arm == "mailed" else 0.7) else None
            people[user] = One(account, share, arm, level, paid)
            groups.setdefault((share, arm, level), []).append(user)
            if paid is not None:
                world.pay(user, at(12), amount=paid)
    for (share, arm, level), some in groups.items():
        world.enrol(*some, share=share, arm=arm, level=level)
    return list(people.values())


def by_account(people: Iterable[One]) -> list[list[One]]:
    found: dict[int, list[One]] = {}
    for one in people:
        found.setdefault(one.account, []).append(one)
    return list(found.values())


def arm_of(people: Iterable[One]) -> Accounts:
    sums = [(len(some), sum(one.paid is not None for one in some)) for some in by_account(people)]
    n, y = sum(n for n, _ in sums), sum(y for _, y in sums)
    squares = sum(n * n for n, _ in sums), sum(n * y for n, y in sums), sum(y * y for _, y in sums)
    return Accounts(len(sums), n, y, *squares)


def values_of(people: Iterable[One], cap: float) -> AccountValues:
    some = by_account(people)
    paid = [[one.paid or 0.0 for one in account] for account in some]
    capped = [(len(values), sum(min(value, cap) for value in values)) for values in paid]
    return AccountValues(
        len(some),
        sum(map(len, paid)),
        sum(value != 0 for values in paid for value in values),
        sum(map(sum, paid)),
        sum(x for _, x in capped),
        sum(x * x for _, x in capped),
        sum(n * n for n, _ in capped),
        sum(n * x for n, x in capped),
    )


def pairs(people: Sequence[One], arm: Callable[[list[One]], Accounts] = arm_of) -> list[Pair[Accounts]]:
    return [
        Pair(*(arm([one for one in people if (one.share, one.arm) == (share, of)]) for of in ("mailed", "held_out")))
        for share in (0.4, 0.5)
    ]


def test_the_database_counts_accounts_as_one_by_one_counting_does(world: Accounting) -> None:
    people = a_history(world)
    found = measured(world)

    assert found.lift == lift_of_shares(pairs(people), comparable=True)
    assert found.harm == judge_harm(pairs(people), comparable=True)
    levels = {level: pairs([one for one in people if one.level == level]) for level in ("active", "dormant")}
    assert found.by_level == lifts_by_level(levels, comparable=True)
    sizes = {
        (share, arm): len({one.account for one in people if (one.share, one.arm) == (share, arm)})
        for share in (0.4, 0.5)
        for arm in ("mailed", "held_out")
    }
    assert found.ratios == {
        share: sample_ratio((sizes[share, "mailed"], sizes[share, "held_out"]), (1 - share, share))
        for share in (0.4, 0.5)
    }
    assert found.mailed.accounts == sizes[0.4, "mailed"] + sizes[0.5, "mailed"]
    assert found.mailed.people == found.mailed.closed == sum(one.arm == "mailed" for one in people)
    assert found.a_week == 0
    # As many people by themselves would seem to say more.
    assert found.lift.difference is not None
    assert all(pair.control.effective < pair.control.people for pair in pairs(people))


def test_what_the_people_of_accounts_are_worth_is_added_up_by_account(world: Accounting) -> None:
    people = a_history(world)
    found = measured(world)

    assert found.worth is not None
    worth = [
        Pair(
            *(
                values_of([one for one in people if (one.share, one.arm) == (share, of)], found.worth.cap)
                for of in ("mailed", "held_out")
            )
        )
        for share in (0.4, 0.5)
    ]
    expected = lift_of_values(worth, comparable=True)
    assert found.worth.cap == 90
    assert found.worth.mailed == sum(one.paid or 0 for one in people if one.arm == "mailed")
    assert found.worth.lift.difference == pytest.approx(expected.difference)
    assert found.worth.lift.units == expected.units


def test_below_a_hundred_accounts_in_an_arm_one_cannot_tell(world: Accounting) -> None:
    for account in range(1, 199):
        users = range(100 * account, 100 * account + 10)
        arm = "mailed" if account % 2 else "held_out"
        world.account(account, users, arm=arm, share=0.5)
        world.enrol(*users, arm=arm)
    found = measured(world)

    assert (found.mailed.people, found.held_out.people) == (990, 990)
    assert (found.lift.verdict, found.lift.lacking, found.harm) == ("cannot tell", "accounts", "too few")
    assert not found.alarm


def test_an_arm_of_too_few_accounts_is_an_alarm_however_many_people_they_have(world: Accounting) -> None:
    for account in range(1, 101):
        arm, size = ("held_out", 9) if account <= 10 else ("mailed", 1)
        users = range(100 * account, 100 * account + size)
        world.account(account, users, arm=arm, share=0.5)
        world.enrol(*users, arm=arm)

    assert measured(world).alarm


def test_variants_of_accounts_are_compared_by_account(world: Accounting) -> None:
    drawn: dict[str | None, list[One]] = {}
    for account in range(1, 361):
        variant = [None, "plain", "warm"][account % 3]
        arm = "held_out" if variant is None else "mailed"
        users = range(10 * account, 10 * account + 1 + account % 4)
        world.account(account, users, arm=arm, share=0.33, variant=variant)
        world.enrol(*users, arm=arm, share=0.33, variant=variant)
        for user in users:
            paid = 1.0 if variant == "warm" and account % 5 else None
            drawn.setdefault(variant, []).append(One(account, 0.33, arm, None, paid))
            if paid is not None:
                world.pay(user, at(12), amount=paid)
    action = world.plan.steps[0].email
    assert action is not None
    step = replace(world.plan.steps[0], action=replace(action, variants=(("plain", 0.5), ("warm", 0.5))))

    found = measured(world, replace(world.plan, steps=(step,)))

    control = arm_of(drawn[None])
    told = {(one.variant, one.against): one.lift for one in found.variants}
    expected = lift_of_shares([Pair(arm_of(drawn["warm"]), control)], comparable=True, level=1 - 0.05 / 3)
    assert told["warm", None] == expected
    assert {key: lift.verdict for key, lift in told.items()} == {
        ("plain", None): "cannot tell",
        ("warm", None): "works",
        ("warm", "plain"): "works",
    }


def test_who_is_compared_by_themselves_is_none_of_an_account(world: Accounting) -> None:
    world.account(1, [10], arm="mailed", share=0.5)
    world.enrol(10, 11)

    assert measured(world).mailed.people == 1
