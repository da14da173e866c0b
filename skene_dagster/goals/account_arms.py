"""In which arm of a loop's comparison an account is: that of its first decision, for ever; and who of it is compared.

This module owns skene_account_arms and skene_account_people. Users are in skene_arms as those of other loops are, in
the arm of their account.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert

from skene_dagster.goals.arms import Arm, Comparison
from skene_dagster.store.many.inserting import insert_rows
from skene_dagster.store.tables import account_arms, account_people


@dataclass(frozen=True)
class EnrolledAccount:
    """An account that is compared from now on."""

    account_id: object
    comparison: Comparison
    arm: Arm
    share: float
    """Of all accounts, which were held out when it was drawn."""
    variant: str | None
    """Of the emails, if it is mailed; None: there are none."""
    weights: str | None
    """How those that are mailed are divided over variants."""
    people: Sequence[object]
    """Which users are compared with it."""


def enrol(connection: Connection, made: Sequence[EnrolledAccount], *, as_of: datetime) -> None:
    """Write down which accounts are compared from now on, and which users are with which.

    Raises:
        IntegrityError: another run has enrolled one of them meanwhile.
    """
    if not made:
        return
    of_all = [
        {
            **one.comparison.key,
            "account_id": one.account_id,
            "arm": one.arm,
            "variant": one.variant,
            "share": one.share,
            "enrolled_at": as_of,
            "weights": one.weights,
        }
        for one in made
    ]
    connection.execute(insert(account_arms), of_all)
    people = [(user, one.account_id) for one in made for user in one.people]
    insert_rows(connection, account_people, ("user_id", "account_id"), people, shared=made[0].comparison.key)
