"""How many users lack a value that an email cannot be without, counted before anybody is left out of a mailing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, String, case, func, or_, select
from sqlalchemy.types import NullType

from skene_dagster.delivery.email.templates import Need, Templates
from skene_dagster.errors import Place
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.loops.variants import in_each
from skene_dagster.product.shapes import columns_of
from skene_dagster.product.user_tests import is_mailable
from skene_dagster.settings import Settings
from skene_dagster.store.engine import users_table

MOST = 1_000_000
"""Users that are looked at; a server reads so many in about a second."""


@dataclass(frozen=True)
class Lack:
    """Users to whom an email cannot be sent, for the want of one value."""

    place: Place
    """Where the loop names the column."""
    says: str


@dataclass(frozen=True)
class _Needed:
    place: Place
    need: Need


def lacking(
    connection: Connection, plans: Sequence[LoopPlan], settings: Settings, as_of: datetime
) -> dict[str, list[Lack]]:
    """Say, by the file of each loop, how many users have none of what its emails name without a fallback.

    One statement counts for all loops, and only if there is such a column.

    Raises:
        StoreError: the database cannot be asked.
    """
    needed = {plan.document.file: list(_needed(plan, settings)) for plan in plans}
    columns = sorted({one.need.column for ones in needed.values() for one in ones} - {settings.users.key})
    if not columns:
        return {}
    texts = _texts(connection, settings)
    users, *without = _count(connection, settings, columns, texts, as_of)
    counts = dict(zip(columns, without, strict=True))
    among = f"the first {users:,}" if users == MOST else f"{users:,}"
    return {
        file: [
            Lack(
                one.place,
                f"{_lack(one.need, counts[one.need.column], among)} "
                + _cure(one, is_text=one.need.column.lower() in texts),
            )
            for one in ones
            if counts.get(one.need.column)
        ]
        for file, ones in needed.items()
    }


def _needed(plan: LoopPlan, settings: Settings) -> Iterator[_Needed]:
    templates = Templates(settings.templates, settings.root)
    for number, step in enumerate(plan.steps):
        if step.email is None:
            continue
        prompt = () if step.email is step.action else ("upgrade_prompt",)
        for need in dict.fromkeys(need for one in in_each(step.email) for need in templates.needs(one)):
            path = ("steps", number, "action", *prompt, "personalization", need.name)
            yield _Needed(plan.document.place(path), need)


def _lack(need: Need, count: int, among: str) -> str:
    if not need.templates:
        return f"This email cannot go to {count:,} of {among} mailable users: they have no {need.column}."
    files = " and ".join(f"{name}.mjml" for name in need.templates)
    return f"{count:,} of {among} mailable users have no {need.column}: those who would get {files} get no email."


def _cure(one: _Needed, *, is_text: bool) -> str:
    if is_text:
        return f"Write a fallback: {{{{ user.{one.need.column} or 'there' }}}}."
    return f"Test for it in the template: {{% if {one.need.name} %}} … {{% endif %}}."


def _texts(connection: Connection, settings: Settings) -> frozenset[str]:
    """List the columns of the users table that hold texts, in lower case."""
    columns = columns_of(connection, settings.users.table)
    return frozenset(column["name"].lower() for column in columns if isinstance(column["type"], String | NullType))


def _count(
    connection: Connection, settings: Settings, columns: Sequence[str], texts: frozenset[str], as_of: datetime
) -> list[int]:
    users = users_table(settings.users, *columns)
    key = users.c[settings.users.key]
    mailable = is_mailable(connection, settings.users, as_of) == 1
    some = select(*(users.c[name] for name in columns)).where(mailable)
    looked_at = some.order_by(key).limit(MOST).subquery()
    lacks = [
        or_(looked_at.c[name].is_(None), func.trim(looked_at.c[name]) == "")
        if name.lower() in texts
        else looked_at.c[name].is_(None)
        for name in columns
    ]
    counts = [func.count(case((one, 1))) for one in lacks]
    return list(connection.execute(select(func.count(), *counts).select_from(looked_at)).one())
