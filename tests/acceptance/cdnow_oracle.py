"""What the loop should have done on the CDNOW customers, computed in pandas from the purchases alone.

Nothing of the package is used here: the rules are written down a second time, from the words of the design.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd

DORMANT = timedelta(days=14)
REPEAT = timedelta(days=28)


@dataclass(frozen=True)
class Tick:
    """One day: who is inside after it, who came, who went, who was mailed."""

    as_of: datetime
    members: frozenset[int]
    entered: frozenset[int]
    exited: frozenset[int]
    mailed: frozenset[int]


def purchases(file: Path) -> pd.DataFrame:
    """Read the purchases: customer_id, day."""
    rows = pd.read_csv(file, parse_dates=["date"], usecols=["customer_id", "date"])
    renamed: pd.DataFrame = rows.rename(columns={"date": "day"})
    return renamed


def last_purchase(rows: pd.DataFrame, as_of: datetime) -> "pd.Series[pd.Timestamp]":
    """Give each customer who has bought by then his last purchase, by customer_id."""
    last: pd.Series[pd.Timestamp] = rows[rows["day"] <= as_of].groupby("customer_id")["day"].max()
    return last


def ticks(rows: pd.DataFrame, first: datetime, days: int) -> list[Tick]:
    """Walk the days: a customer without a purchase for DORMANT is inside, and is mailed when he entered.

    Who entered again is mailed once REPEAT has passed since his last mail, if he is still inside by then.
    """
    inside: set[int] = set()
    waiting: set[int] = set()  # entered, and not mailed since
    last_mail: dict[int, datetime] = {}
    walked: list[Tick] = []
    for day in range(days):
        as_of = first + timedelta(days=day)
        last = last_purchase(rows, as_of)
        now = {int(customer) for customer in last.index[last < as_of - DORMANT]}
        entered, exited = now - inside, inside - now
        waiting = (waiting | entered) - exited
        mailed = {c for c in waiting if c not in last_mail or as_of - last_mail[c] >= REPEAT}
        waiting -= mailed
        last_mail |= dict.fromkeys(mailed, as_of)
        inside = now
        walked.append(Tick(as_of, *(frozenset(s) for s in (now, entered, exited, mailed))))
    return walked
