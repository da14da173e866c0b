"""Why people are compared once, and why the coin is tossed last: made-up people, of whom we know what is true.

Each test reads the same days twice: as the package decides, and in the order that it must not have. The other one reads
wrong, so these people would notice.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from numpy.typing import NDArray

from skene_dagster.delivery.decide.eligibility import Addressee, Defer, Rules, by_person
from skene_dagster.goals.arms import Arms, Comparison
from skene_dagster.goals.coin import Coin
from skene_dagster.outcomes.lift.arms import Pair, People
from skene_dagster.outcomes.lift.sample_ratio import SampleRatio, sample_ratio
from skene_dagster.outcomes.lift.verdicts import Lift, lift_of_shares

EVERYBODY, SHARE = 200_000, 0.1
START = datetime(2026, 3, 2, 9)

Yes = NDArray[np.bool_]


@pytest.fixture
def arms() -> Arms:
    return Arms(Comparison("live", "win_back"), SHARE, Coin(bytes(32), "holdout", "win_back"), {})


def held_out_of(arms: Arms) -> Yes:
    return np.fromiter((arms.of(user) == "held_out" for user in range(EVERYBODY)), bool, EVERYBODY)


def read(held_out: Yes, reached: Yes) -> tuple[Lift, SampleRatio]:
    """Compare whoever was enrolled."""
    mailed, others = (People(int(arm.sum()), int(reached[arm].sum())) for arm in (~held_out, held_out))
    ratio = sample_ratio([others.people, mailed.people], [SHARE, 1 - SHARE])
    return lift_of_shares([Pair(mailed, others)], comparable=not ratio.alarm), ratio


def test_by_decision_an_effect_of_less_than_three_points_reads_as_four_and_a_correct_coin_as_broken(arms: Arms) -> None:
    draw = np.random.default_rng(17)
    alone = draw.beta(0.7, 7, EVERYBODY)
    true = 0.028
    mailed = np.minimum(1, alone * (1 + true / alone.mean()))
    held_out = held_out_of(arms)
    # Whoever comes back falls asleep and enters again; whoever does not stays inside, and is not decided again.
    asleep = np.arange(EVERYBODY)
    compared: list[tuple[int, bool]] = []
    decisions: list[tuple[Yes, Yes]] = []
    for _ in range(6):
        back = draw.random(len(asleep)) < np.where(held_out, alone, mailed)[asleep]
        decisions.append((held_out[asleep], back))
        for user, came in zip(asleep.tolist(), back.tolist(), strict=True):
            if (enrolled := arms.enrol(user)) is not None:
                arms.known[user] = enrolled.arm  # type: ignore[index]  # as the rows of skene_arms are read next time
                compared.append((user, came))
        asleep = asleep[back]

    users, came_back = (np.array(column) for column in zip(*compared, strict=True))
    by_person_, ratio = read(held_out[users], came_back)
    by_decision, ratio_of_decisions = read(*(np.concatenate(column) for column in zip(*decisions, strict=True)))

    assert by_person_.difference is not None
    assert by_person_.difference.low <= true <= by_person_.difference.high
    assert not ratio.alarm
    assert by_decision.difference is not None
    assert by_decision.difference.estimate == pytest.approx(0.041, abs=0.006)
    assert by_decision.difference.low > true
    assert ratio_of_decisions.p < 1e-6


def day_of_decision(waits: int, *, held_out: bool) -> int:
    """Ask day by day about somebody who has to wait so many days for room, until it is decided."""
    rules = Rules("once", "everyone", START, ZoneInfo("UTC"))
    room_at, at = START + timedelta(days=waits), START
    for _ in range(2):
        person = Addressee(
            "ada@example.com",
            mailable=True,
            waits_for_room=room_at if at < room_at else None,
            held_out="loop" if held_out else None,
        )
        decision = by_person("1", person, rules, at)
        if not isinstance(decision, Defer):
            break
        at = decision.ask_at
    return (at - START).days


def test_asked_early_no_effect_at_all_reads_as_harm(arms: Arms) -> None:
    draw = np.random.default_rng(17)
    # A domain warms up: whoever is to be mailed waits for room, up to 20 days. Some come back before, by themselves.
    by_themselves = draw.gamma(0.3, 0.028, EVERYBODY)
    back_after = draw.exponential(1 / np.maximum(by_themselves, 1e-300))
    waits, within, held_out = draw.integers(0, 20, EVERYBODY), 14, held_out_of(arms)

    def compare(decided: NDArray[np.int64]) -> tuple[Lift, SampleRatio]:
        still_asleep = back_after > decided
        return read(held_out[still_asleep], (back_after <= decided + within)[still_asleep])

    decided = np.array([[day_of_decision(day, held_out=held) for day in range(20)] for held in (False, True)])
    last, ratio = compare(decided[held_out.astype(int), waits])
    # Early, nobody who is held out waits: they are compared from the first day on, and the quick ones are among them.
    early, ratio_of_early = compare(np.where(held_out, 0, waits))

    assert last.verdict == "cannot tell"
    assert not ratio.alarm
    assert early.difference is not None
    assert early.difference.estimate == pytest.approx(-0.015, abs=0.006)
    assert early.difference.below
    assert ratio_of_early.alarm
