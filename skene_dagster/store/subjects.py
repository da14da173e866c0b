"""What the segment of a step consists of, users or accounts, and in which tables it is known."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Table

from skene_dagster.settings import Accounts, Keyed
from skene_dagster.store.tables import (
    account_decisions,
    account_deferred,
    account_members,
    deferred,
    segment_members,
    sends,
)


@dataclass(frozen=True)
class Subject:
    """Users, or accounts. The key of each table is its column `user_id`, in statements; see `tables/accounts.py`."""

    word: Literal["user", "account"]
    """What one is called."""
    members: Table
    """Who is in which segment."""
    decisions: Table
    """What was decided finally, one row for an occurrence of each."""
    deferred: Table
    """Who is decided again."""

    def __repr__(self) -> str:
        return self.word


USERS = Subject("user", segment_members, sends, deferred)
ACCOUNTS = Subject("account", account_members, account_decisions, account_deferred)


def subject_of(keyed: Keyed) -> Subject:
    """Say whose tables they are of which the product's table is mapped."""
    return ACCOUNTS if isinstance(keyed, Accounts) else USERS
