"""The coin and the intervals on real customers: CDNOW's, with an effect of known size that we plant.

Everybody is compared from the day on which they have bought nothing for 14 days, for the first time; whether they buy
again in the four weeks after it is known. Of those who do not, some are chosen who would if they were mailed: 3 of 100
of all. So what each coin should have read is known, too;
and mail that does nothing changes nothing in what they spend.
"""

from datetime import timedelta
from pathlib import Path

import cdnow_oracle as oracle
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from skene_dagster.goals.coin import Coin
from skene_dagster.outcomes.lift.arms import Pair, People
from skene_dagster.outcomes.lift.sample_ratio import sample_ratio
from skene_dagster.outcomes.lift.values import Values, rank_of_cap
from skene_dagster.outcomes.lift.verdicts import Lift, lift_of_shares, lift_of_values

DATA = Path(__file__).parents[2] / "data" / "cdnow.csv.gz"
WITHIN = timedelta(days=28)
SHARE = 0.1
EFFECT = 0.03
COINS = 400

Yes = NDArray[np.bool_]
Amounts = NDArray[np.float64]


def who_buys_again() -> tuple[list[int], Yes, Amounts]:
    """Give each customer, whether they buy within four weeks of falling asleep for the first time, and for how much."""
    bought = pd.read_csv(DATA, parse_dates=["date"]).rename(columns={"date": "day"}).sort_values(["customer_id", "day"])
    days = bought[["customer_id", "day"]].drop_duplicates()
    days["next"] = days.groupby("customer_id")["day"].shift(-1)
    asleep = days[days["next"].isna() | (days["next"] - days["day"] > oracle.DORMANT)].drop_duplicates("customer_id")
    since = asleep.set_index("customer_id")["day"] + oracle.DORMANT
    after = bought["day"] - bought["customer_id"].map(since)
    inside = bought[(after > timedelta(0)) & (after <= WITHIN)]
    amounts = inside.groupby("customer_id")["amount"].sum().reindex(since.index, fill_value=0.0)
    again = amounts.index.isin(inside["customer_id"])
    return [int(customer) for customer in since.index], again, amounts.to_numpy()


def read(held_out: Yes, reached: Yes) -> Lift:
    mailed, others = (People(int(arm.sum()), int(reached[arm].sum())) for arm in (~held_out, held_out))
    return lift_of_shares([Pair(mailed, others)], comparable=True)


def read_values(held_out: Yes, amounts: Amounts, cap: float) -> Lift:
    """Compare what they spend, from what a database would add up."""
    capped = np.minimum(amounts, cap)
    arms = (
        Values(
            people=int(arm.sum()),
            non_zero=int((amounts[arm] != 0).sum()),
            total=float(amounts[arm].sum()),
            capped=float(capped[arm].sum()),
            capped_squared=float((capped[arm] ** 2).sum()),
        )
        for arm in (~held_out, held_out)
    )
    return lift_of_values([Pair(*arms)], comparable=True)


@pytest.mark.long
def test_of_four_hundred_coins_about_nineteen_of_twenty_read_what_is_true() -> None:
    customers, alone, amounts = who_buys_again()
    spent = np.sort(amounts[amounts != 0])
    cap = float(spent[rank_of_cap(len(spent))])
    planted = np.random.default_rng(17).choice(np.flatnonzero(~alone), round(EFFECT * len(alone)), replace=False)
    if_mailed = alone.copy()
    if_mailed[planted] = True
    covered = works = says_otherwise = spend_otherwise = alarms = 0
    for number in range(COINS):
        coin = Coin(number.to_bytes(32, "big"), "holdout", "win_back")
        held_out = np.fromiter((coin.toss(customer) < SHARE for customer in customers), bool, len(customers))

        found = read(held_out, np.where(held_out, alone, if_mailed))
        nothing = read(held_out, alone)

        assert found.difference is not None
        covered += found.difference.low <= EFFECT <= found.difference.high
        works += found.verdict == "works"
        says_otherwise += nothing.verdict != "cannot tell"
        spend_otherwise += read_values(held_out, amounts, cap).verdict != "cannot tell"
        alarms += sample_ratio([found.control, found.treated], [SHARE, 1 - SHARE]).alarm

    assert len(customers) == 23_570
    # The middle 99.9 % of what as many throws of 0.95 and 0.05 give; at most so many alarms of one in a thousand.
    assert 364 <= covered <= 393
    assert 7 <= says_otherwise <= 36
    assert 7 <= spend_otherwise <= 36
    assert alarms <= 4
    assert works > COINS * 0.9  # 14 of 100 buy again by themselves, so that 2.1 points are seen by four of five
