"""The judge of comparisons: nobody is mailed who is held out, and everybody stays in the arm of their first draw."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from eyes import Eyes
from product import COMPARED, TOLD_APART
from sqlalchemy import Connection, Row, update

from skene_dagster.store.tables import account_arms, arms, meta

Violated = Callable[[str, str], None]

ALL_LOOPS = "*"
SALTS = 64
"""Of the coin: each is another way for it to fall."""

MAILED = "mailed, and held out"
NO_ARM = "decided, and in another arm or none"
CHANGED = "an arm has changed"
NOT_TOSSED = "an arm that the coin does not say"
BATCHED = "held out, and in a batch"
OTHER_VARIANT = "mailed in another variant than the one of their arm"


@dataclass
class Comparing:
    """Who is compared in a history, by what is committed; of whom the product has deleted nothing is asked."""

    eyes: Eyes
    is_on: bool
    about_accounts: Collection[str]
    """The loops that are about accounts."""
    _salt: bytes = b""
    _first: dict[tuple[object, ...], tuple[object, ...]] = field(default_factory=dict)
    """In which arm somebody was found first, by the comparison and their key."""

    def salt_the_coin(self, connection: Connection, number: int) -> None:
        """Write another salt for the coin, before anybody is compared."""
        self._salt = hashlib.sha256(bytes([number])).digest()
        connection.execute(update(meta).where(meta.c.name == "coin").values(value=self._salt.hex()))

    def judge_accepted(self, loop: str, user: int, account: int | None, text: str, violated: Violated) -> None:
        """Judge an email when it arrives, by the arms that are written down by then."""
        if not self.is_on:
            return
        of_the_loop, of_all = self._arms_of(loop, user, account)
        for rows in (of_the_loop, of_all):
            if all(row.arm == "held_out" for row in rows):
                violated(MAILED, f"user {user} by {loop}: {[row.arm for row in rows]}")
        # Where arms were drawn anew meanwhile, that of the present draw may not be known yet.
        if (
            len(of_the_loop) == 1
            and of_the_loop[0].draw == 1
            and not text.rstrip().endswith(f": {_variant(of_the_loop)}.")
        ):
            violated(OTHER_VARIANT, f"user {user} by {loop}: {text!r}, not {_variant(of_the_loop)}")

    def judge_tables(self, sends: Iterable[Row[Any]], gone: Collection[int], violated: Violated) -> None:
        """Judge what is committed: each decision is of an arm, and no arm has changed since it was seen first."""
        if not self.is_on:
            return
        found: dict[tuple[object, ...], Row[Any]] = {
            (row.loop, row.draw, row.user_id): row for row in self.eyes.all_of(arms)
        }
        accounts: dict[tuple[object, ...], Row[Any]] = {
            (row.loop, row.draw, "account", row.account_id): row for row in self.eyes.all_of(account_arms)
        }
        for key, row in (*found.items(), *accounts.items()):
            self._judge_arm(key, row, violated)
        erased = {key for key in self._first if key[-1] in gone or (gone and key[0] in self.about_accounts)}
        for lost in self._first.keys() - found.keys() - accounts.keys() - erased:
            violated(CHANGED, f"{lost} is in none any more")
        for row in sends:
            if row.user_id in gone or row.user_id not in _USERS or row.loop in self.about_accounts:
                continue
            if row.state == "held_out" and row.batch_id is not None:
                violated(BATCHED, f"user {row.user_id}")
            self._judge_decision(row, found.values(), violated)

    def _judge_arm(self, key: tuple[object, ...], row: Row[Any], violated: Violated) -> None:
        said = (row.arm, row.variant, row.share, row.enrolled_at, row.weights)
        before = self._first.setdefault(key, said)
        if before != said:
            violated(CHANGED, f"{key}: {before}, and {said}")
        if key[0] in self.about_accounts and key[-2] != "account":
            return  # A user of an account is in its arm.
        loop, draw, who = str(key[0]), key[1], key[-1]
        shares = {one.held_out_of_all if loop == ALL_LOOPS else one.held_out for one in COMPARED}
        if row.share not in {share / 100 for share in shares}:
            violated(NOT_TOSSED, f"{key}: of {row.share}")
        name = loop if draw == 1 else f"{loop}\x1f{draw}"
        tossed = self._toss("global" if loop == ALL_LOOPS else "holdout", name, who)
        if (row.arm == "held_out") != (tossed < row.share):
            violated(NOT_TOSSED, f"{key}: {row.arm}, by {tossed} of {row.share}")
        of_variants = self._toss("variant", name, who)
        # Until the author has changed them, and after; loops that are compared together have none.
        first_of = (
            {None: 1.0} if loop == ALL_LOOPS else {_weights(*one.variants): _first(*one.variants) for one in COMPARED}
        )
        if row.weights not in first_of:
            violated(NOT_TOSSED, f"{key}: by {row.weights}")
        drawn = TOLD_APART[of_variants >= first_of[row.weights]]
        if row.variant != (drawn if row.arm == "mailed" and loop != ALL_LOOPS else None):
            violated(NOT_TOSSED, f"{key}: {row.variant}, by {of_variants} of {row.weights}")

    def _judge_decision(self, row: Row[Any], found: Iterable[Row[Any]], violated: Violated) -> None:
        """The arm is committed with the decision; after another draw it is one of the two."""
        if row.state == "skipped":
            return
        theirs = [(one.loop, one.arm) for one in found if one.user_id == row.user_id]
        wanted = [(ALL_LOOPS, "mailed"), (row.loop, "mailed")]
        if row.state == "held_out":
            wanted = [(ALL_LOOPS, "held_out")] if row.reason == "global" else [wanted[0], (row.loop, "held_out")]
        for one in wanted:
            if one not in theirs:
                violated(NO_ARM, f"user {row.user_id}: {row.state} by {row.loop}, in {theirs}")

    def _arms_of(self, loop: str, user: int, account: int | None) -> tuple[Sequence[Row[Any]], Sequence[Row[Any]]]:
        rows = self.eyes.all_of(arms)
        of_all = [row for row in rows if (row.loop, row.user_id) == (ALL_LOOPS, user)]
        if account is None:
            return [row for row in rows if (row.loop, row.user_id) == (loop, user)], of_all
        about = self.eyes.all_of(account_arms)
        return [row for row in about if (row.loop, row.account_id) == (loop, account)], of_all

    def _toss(self, purpose: str, name: str, key: object) -> float:
        """What the design says of the coin, word for word."""
        text = b"\x1f".join((self._salt, purpose.encode(), name.encode(), str(key).encode()))
        return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") / 2**64


_USERS = range(1, 9)


def _first(*parts: int) -> float:
    """Say which part of a whole the first variant has."""
    return parts[0] / sum(parts)


def _weights(*parts: int) -> str:
    """Write numbers of variants as the ledger keeps them."""
    return ", ".join(f"{name}: {part / sum(parts):g}" for name, part in zip(TOLD_APART, parts, strict=True))


def _variant(rows: Sequence[Row[Any]]) -> str:
    return str(rows[0].variant)
