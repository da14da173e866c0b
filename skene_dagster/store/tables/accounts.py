"""Accounts where other tables have users: who is in a segment, which rows triggered a step, what was decided about
each, and which sends it is; and who is compared with whom.

`account_id` has the very type of the accounts key; of a project that has no accounts these tables are empty, and it has
the type of the users key.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Double, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.types import NullType, TypeEngine

from skene_dagster.store.tables.database import Moment, metadata

_Kind = TypeEngine[Any] | type[NullType]


def _step() -> "Sequence[Column[Any]]":
    return [
        Column("mode", String(16), primary_key=True),
        Column("loop", String(48), primary_key=True),
        Column("step", String(48), primary_key=True),
    ]


def _comparison() -> "Sequence[Column[Any]]":
    return [
        Column("mode", String(16), primary_key=True),
        Column("loop", String(48), primary_key=True),
        Column("draw", Integer, primary_key=True, autoincrement=False),
    ]


def accounts_of_type(
    into: MetaData, account_id: _Kind, user_id: _Kind, *, key: str = "account_id"
) -> tuple[Table, Table, Table, Table, Table, Table, Table]:
    """Describe the tables, with keys of these types.

    Args:
        key: what `account_id` is called in statements; a user, where that is the account's name, is the recipient.
    """
    recipient = "user_id" if key == "account_id" else "recipient_id"
    options: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
    members = Table(
        "skene_account_members",
        into,
        Column("segment", String(100), primary_key=True),
        # As in skene_segment_members.
        Column("exited_at", Moment, primary_key=True),
        Column("account_id", account_id, key=key, primary_key=True),
        Column("entered_at", Moment, nullable=False),
        Column("exit_reason", String(16)),
        Column("set_at", Moment),
        Column("attributes", Text),
        sqlite_with_rowid=False,
        **options,
    )
    deferred = Table(
        "skene_account_deferred",
        into,
        *_step(),
        Column("account_id", account_id, key=key, primary_key=True),
        Column("occurrence", String(64), primary_key=True),
        # As in skene_deferred.
        Column("reason", String(64), nullable=False),
        Column("detail", String(255)),
        Column("as_of", Moment, nullable=False),
        Column("decided_at", Moment, nullable=False),
        Column("ask_at", Moment, nullable=False),
        Column("outranked_at", Moment),
        Index("skene_account_deferred_due", "mode", "loop", "step", "ask_at", key),
        sqlite_with_rowid=False,
        **options,
    )
    decisions = Table(
        "skene_account_decisions",
        into,
        # This key is the promise that nobody else of an account is mailed for an occurrence once somebody was.
        *_step(),
        Column("account_id", account_id, key=key, primary_key=True),
        Column("occurrence", String(64), primary_key=True),
        # skipped | mailed: what became of it, its sends say | held_out
        Column("state", String(16), nullable=False),
        Column("reason", String(64)),
        Column("as_of", Moment, nullable=False),
        Column("decided_at", Moment, nullable=False),
        Index("skene_account_decisions_account", key, "mode"),
        sqlite_with_rowid=False,
        **options,
    )
    sends = Table(
        "skene_account_sends",
        into,
        # Which account a send is about, by the key that it has in skene_sends.
        *_step(),
        Column("user_id", user_id, key=recipient, primary_key=True),
        Column("send_occurrence", String(64), primary_key=True),
        Column("account_id", account_id, key=key, nullable=False),
        Column("occurrence", String(64), nullable=False),  # of the account
        # The account first: TiDB 8.5 reads all sends of a mode by an index that begins with the mode, to find those of
        # some accounts (1.1 s for 500 of 60,000, and 0.04 s by this one; 2026-11-30).
        Index("skene_account_sends_account", key, "mode", "loop", "step", "occurrence"),
        sqlite_with_rowid=False,
        **options,
    )
    triggered = Table(
        "skene_account_triggered",
        into,
        # As skene_triggered, of a step about accounts.
        Column("mode", String(16), primary_key=True),
        Column("segment", String(100), primary_key=True),
        Column("account_id", account_id, key=key, primary_key=True),
        # The trigger row's key; for `after` the occurrence of the step that it follows.
        Column("occurrence", String(64), primary_key=True),
        Column("triggered_at", Moment, nullable=False),
        Column("entered_at", Moment, nullable=False),
        Column("attributes", Text),
        Index("skene_account_triggered_entered", "mode", "segment", "entered_at"),
        sqlite_with_rowid=False,
        **options,
    )
    arms = Table(
        "skene_account_arms",
        into,
        # An account in a loop's comparison, in the arm of its first decision, for ever.
        *_comparison(),
        Column("account_id", account_id, key=key, primary_key=True),
        # As in skene_arms.
        Column("arm", String(16), nullable=False),
        Column("variant", String(48)),
        Column("share", Double, nullable=False),
        Column("enrolled_at", Moment, nullable=False),
        Column("weights", String(640)),  # how many of a whole each variant got when the coin was tossed
        sqlite_with_rowid=False,
        **options,
    )
    people = Table(
        "skene_account_people",
        into,
        # With which account somebody is in a loop's comparison: it is in skene_arms in which arm.
        *_comparison(),
        Column("user_id", user_id, key=recipient, primary_key=True),
        Column("account_id", account_id, key=key, nullable=False),
        sqlite_with_rowid=False,
        **options,
    )
    return members, deferred, decisions, sends, triggered, arms, people


account_members, account_deferred, account_decisions, account_sends, account_triggered, account_arms, account_people = (
    accounts_of_type(metadata, NullType, NullType)
)
