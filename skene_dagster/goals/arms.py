"""In which arm of a comparison somebody is: that of their first decision, for ever.

This module owns skene_arms.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    String,
    Table,
    and_,
    case,
    exists,
    func,
    insert,
    literal,
    select,
    true,
    update,
)

from skene_dagster.goals.coin import SALT, Coin, Purpose, salt
from skene_dagster.loops.all_loops import ALL_LOOPS
from skene_dagster.loops.variants import Shares, drawn, written
from skene_dagster.store.keys import folded
from skene_dagster.store.tables import OPEN, Moment, account_arms, account_people, arms, engagement_levels, meta

Arm = Literal["mailed", "held_out"]

SOME = 1000
"""Keys of a statement."""

_DRAWS = "draws of "


@dataclass(frozen=True)
class Comparison:
    """Who is compared: in one mode, by one loop or all of them, since arms were drawn last."""

    mode: str
    loop: str
    draw: int = 1

    @property
    def key(self) -> dict[str, object]:
        """The columns by which it is named."""
        return {"mode": self.mode, "loop": self.loop, "draw": self.draw}

    @property
    def name(self) -> str:
        """What the coin is tossed for: another draw is another toss."""
        return self.loop if self.draw == 1 else f"{self.loop}\x1f{self.draw}"


@dataclass(frozen=True)
class Enrolled:
    """Somebody who is compared from now on."""

    user_id: object
    comparison: Comparison
    arm: Arm
    share: float
    """Of all, who was held out when they were drawn."""
    variant: str | None = None
    """Of the emails, of who is mailed; None: there are none."""
    weights: str | None = None
    """How those who are mailed are divided over variants."""


@dataclass(frozen=True)
class Sizes:
    """How many users, or accounts, were drawn from one share."""

    comparison: Comparison
    share: float
    mailed: int
    held_out: int
    since: datetime
    of: Literal["user", "account"] = "user"


@dataclass
class Arms:
    """One comparison, for the users of a page; or for its accounts, where the coin is tossed for those."""

    comparison: Comparison
    share: float
    """Of those who are new to it, who is held out."""
    coin: Coin
    known: Mapping[object, tuple[Arm, str | None]] = field(default_factory=dict)
    """Who is in it already, and in which variant."""
    variants: Shares = ()

    def of(self, user_id: object) -> Arm:
        """Say in which arm a user is, or would be; a share of 0 ends it for everybody."""
        if not self.share:
            return "mailed"
        known = self.known.get(user_id)
        if known is not None:
            return known[0]
        return "held_out" if self.coin.toss(user_id) < self.share else "mailed"

    def enrol(self, user_id: object) -> Enrolled | None:
        """Say what is to be written down about a user; None: they are in it already."""
        if user_id in self.known:
            return None
        arm = self.of(user_id)
        variant = self.variant_of(user_id) if arm == "mailed" else None
        return Enrolled(user_id, self.comparison, arm, self.share, variant, self._weights)

    @cached_property
    def _weights(self) -> str | None:
        return written(self.variants)

    def variant_of(self, user_id: object) -> str | None:
        """Say which variant of the emails a user gets: that of their first, while there is one of that name."""
        _, known = self.known.get(user_id, ("mailed", None))
        if known is not None and known in dict(self.variants):
            return known
        return drawn(self.variants, replace(self.coin, purpose="variant").toss(user_id)) if self.variants else None


def comparison_of(connection: Connection, mode: str, loop: str) -> Comparison:
    """Name the present comparison of a loop, or of all loops."""
    return Comparison(mode, loop, _draw(connection, loop))


def arms_of(
    connection: Connection,
    mode: str,
    loop: str,
    share: float,
    keys: Sequence[object],
    *,
    variants: Shares = (),
    of: Column[Any] = arms.c.user_id,
    in_order: bool = False,
) -> Arms:
    """Read a loop's comparison, or that of all loops, for some users, or for some accounts.

    Args:
        of: as `known_in` has it.
        in_order: the keys are in the database's ascending order; of a first wave that is quickly read.

    Raises:
        StoreError: the salt is gone.
    """
    # For each page anew, in one statement: who is decided after arms were drawn anew is in the new comparison.
    known = _values(connection, SALT, _DRAWS + loop)
    comparison = Comparison(mode, loop, int(known.get(_DRAWS + loop, 1)))
    purpose: Purpose = "global" if loop == ALL_LOOPS else "holdout"
    coin = Coin(salt(known.get(SALT)), purpose, comparison.name)
    return Arms(comparison, share, coin, known_in(connection, comparison, keys, of=of, in_order=in_order), variants)


def known_in(
    connection: Connection,
    comparison: Comparison,
    keys: Sequence[object],
    *,
    of: Column[Any] = arms.c.user_id,
    in_order: bool = False,
) -> dict[object, tuple[Arm, str | None]]:
    """Say who of some users, or of some accounts, is in a comparison already: in which arm, and in which variant.

    Args:
        of: the column with such keys, of the table that has their arms.
    """
    columns = of.table.c
    ours = [columns[name] == value for name, value in comparison.key.items()]
    if not keys or (in_order and not _is_any(connection, [*ours, of.between(keys[0], keys[-1])])):
        return {}
    asked, known = set(keys), dict[object, tuple[Arm, str | None]]()
    for start in range(0, len(keys), SOME):
        some = of.in_(keys[start : start + SOME])
        query = select(of, columns.arm, columns.variant).where(*ours, some)
        for found, arm, variant in connection.execute(query):
            # The database may take two spellings for one key.
            named = [found] if found in asked else [key for key in keys if folded(key) == folded(found)]
            known.update(dict.fromkeys(named, (arm, variant)))
    return known


def _is_any(connection: Connection, which: Sequence[ColumnElement[bool]]) -> bool:
    return connection.execute(select(arms.c.user_id).where(*which).limit(1)).first() is not None


def enrol(connection: Connection, made: Sequence[Enrolled], who: Select[Any], *, as_of: datetime) -> None:
    """Write down who is compared from now on, at the level at which they are.

    Args:
        who: selects their keys; only those that were made are written down.

    Raises:
        IntegrityError: another run has enrolled one of them meanwhile.
    """
    groups: dict[tuple[Comparison, Arm, str | None, float, str | None], list[object]] = {}
    for one in made:
        group = one.comparison, one.arm, one.variant, one.share, one.weights
        groups.setdefault(group, []).append(one.user_id)
    user_id = who.selected_columns[0]
    level = engagement_levels.c
    for (comparison, arm, variant, share, weights), keys in groups.items():
        for start in range(0, len(keys), SOME):
            found = who.where(user_id.in_(keys[start : start + SOME])).distinct().subquery()
            new = select(
                literal(comparison.mode),
                literal(comparison.loop),
                literal(comparison.draw),
                found.c[0],
                literal(arm),
                literal(variant, String),
                literal(share),
                literal(as_of, Moment),
                level.level,
                literal(weights, String),
            ).select_from(found.outerjoin(engagement_levels, and_(level.user_id == found.c[0], level.left_at == OPEN)))
            connection.execute(insert(arms).from_select([column.name for column in arms.c], new))


def is_in(
    comparison: Comparison, key: ColumnElement[Any], arm: Arm | None = None, *, of: Column[Any] = arms.c.user_id
) -> ColumnElement[bool]:
    """Whether a user, or an account, is in a comparison, in one arm of it or in any, as a condition.

    Args:
        of: as `known_in` has it.
    """
    columns = of.table.c
    ours = [columns[name] == value for name, value in comparison.key.items()]
    in_arm = [] if arm is None else [columns.arm == arm]
    return exists().where(*ours, *in_arm, of == key)


def sizes(connection: Connection, mode: str) -> list[Sizes]:
    """Count who is compared now, by loop and share, the oldest first; of loops about accounts, which accounts."""
    person = [account_people.c[name] == arms.c[name] for name in ("mode", "loop", "draw", "user_id")]
    by_themselves = ~exists().where(*person)
    found = [
        *_sizes(connection, mode, arms, "user", by_themselves),
        *_sizes(connection, mode, account_arms, "account", true()),
    ]
    return sorted(found, key=lambda one: (one.comparison.loop, one.since))


def _sizes(
    connection: Connection, mode: str, table: Table, of: Literal["user", "account"], which: ColumnElement[bool]
) -> list[Sizes]:
    columns = table.c
    query = (
        select(
            columns.loop,
            columns.draw,
            columns.share,
            func.sum(case((columns.arm == "mailed", 1), else_=0)),
            func.sum(case((columns.arm == "held_out", 1), else_=0)),
            func.min(columns.enrolled_at),
        )
        .where(columns.mode == mode, which)
        .group_by(columns.loop, columns.draw, columns.share)
    )
    found = []
    for loop, draw, share, mailed, held_out, since in connection.execute(query):
        comparison = comparison_of(connection, mode, loop)
        if comparison.draw == draw:
            found.append(Sizes(comparison, share, int(mailed), int(held_out), since, of))
    return found


def draw_anew(connection: Connection, loop: str) -> int:
    """Begin another comparison of a loop: everybody's arm is drawn again at their next decision.

    Returns:
        Which draw it is.
    """
    draw = _draw(connection, loop) + 1
    named = meta.c.name == _DRAWS + loop
    if not connection.execute(update(meta).where(named).values(value=str(draw))).rowcount:
        connection.execute(insert(meta).values(name=_DRAWS + loop, value=str(draw)))
    return draw


def _draw(connection: Connection, loop: str) -> int:
    return int(_values(connection, _DRAWS + loop).get(_DRAWS + loop, 1))


def _values(connection: Connection, *names: str) -> dict[str, str]:
    return dict(connection.execute(select(meta.c.name, meta.c.value).where(meta.c.name.in_(names))).all())
