"""What the segment of a step consists of, users or accounts, and in which tables it is known."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import MetaData, Table, and_
from sqlalchemy.types import NullType

from skene_dagster.settings import Accounts, Keyed
from skene_dagster.store.tables import accounts_of_type, deferred, segment_members, sends, triggered


@dataclass(frozen=True)
class Subject:
    """Users, or accounts. In statements the key of each table is called `user_id`, so that one serves both."""

    word: Literal["user", "account"]
    """What one is called."""
    members: Table
    """Who is in which segment."""
    decisions: Table
    """What was decided finally, one row for an occurrence of each."""
    deferred: Table
    """Who is decided again."""
    triggered: Table
    """Which rows triggered a step, about whom."""

    def __repr__(self) -> str:
        return self.word


# Tables of their own, which nobody finds who looks for all tables with users.
_members, _deferred, _decisions, ACCOUNT_SENDS, _triggered, *_ = accounts_of_type(
    MetaData(), NullType, NullType, key="user_id"
)

USERS = Subject("user", segment_members, sends, deferred, triggered)
ACCOUNTS = Subject("account", _members, _decisions, _deferred, _triggered)

OF_ITS_SEND = and_(
    *(ACCOUNT_SENDS.c[name] == sends.c[name] for name in ("mode", "loop", "step")),
    ACCOUNT_SENDS.c.recipient_id == sends.c.user_id,
    ACCOUNT_SENDS.c.send_occurrence == sends.c.occurrence,
)
"""What a send is about, as a condition."""


def subject_of(keyed: Keyed) -> Subject:
    """Say whose tables they are of which the product's table is mapped."""
    return ACCOUNTS if isinstance(keyed, Accounts) else USERS
