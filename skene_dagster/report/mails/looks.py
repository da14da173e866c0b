"""How the email of each step looks, in each of its variants, to somebody invented."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import parseaddr
from types import MappingProxyType

from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError

from skene_dagster.delivery.email.letterhead import Letterhead
from skene_dagster.delivery.email.templates import MissingValue, Templates, Unrenderable
from skene_dagster.errors import DocumentError
from skene_dagster.loops.plan import LoopPlan, StepPlan, segment_name
from skene_dagster.loops.planning.accounts import accounts_of
from skene_dagster.loops.variants import in_variant
from skene_dagster.product import attributes
from skene_dagster.report.mails.harmless import harmless
from skene_dagster.report.mails.invented import ADDRESS, columns
from skene_dagster.segments.conditions import subject
from skene_dagster.settings import Keyed, Settings
from skene_dagster.store.engine import users_table

SEEN = 20
"""Rows of the product's that are asked for the types of their columns."""

MOST_BYTES = 1_200_000
"""Of all of them together; the page with them has at most 2 MB."""

DESKTOP, PHONE = 640, 375
"""Pixels."""

_LINE = 27
_CHARACTERS = {DESKTOP: 62, PHONE: 36}
"""How many are on a line of an email, and how high one is, as far as it can be told without a browser."""

_AROUND = 270
"""Pixels of what an email has around its text."""

_LOWEST, _HIGHEST = 480, 2400

Rows = Sequence[Mapping[str, object]]


@dataclass(frozen=True)
class Look:
    """An email, as it looks."""

    variant: str | None
    subject: str = ""
    sender: str = ""
    """Whom it comes from, by name."""
    html: str = ""
    text: str = ""
    instead: str = ""
    """Why it is not shown; empty: it is."""

    def height(self, width: int) -> int:
        """Say about how high it is, in pixels: without a script, nobody on the page can measure it."""
        characters = _CHARACTERS[width]
        lines = sum(len(textwrap.wrap(line, characters)) or 1 for line in self.text.splitlines())
        return max(_LOWEST, min(_HIGHEST, _AROUND + _LINE * lines))


Looks = Mapping[tuple[str, str], Sequence[Look]]
"""By loop and step."""


def looks_of(connection: Connection, plans: Sequence[LoopPlan], settings: Settings, mode: str, now: datetime) -> Looks:
    """Make the email of each step for somebody invented, by what makes those that are sent.

    Of the product's rows only the types are used, and of what a condition returns: nothing of anybody is in them.
    """
    templates, left = Templates(settings.templates, settings.root), MOST_BYTES
    found: dict[tuple[str, str], Sequence[Look]] = {}
    for plan in plans:
        for step in plan.steps:
            shown = []
            row = columns(step.email.row_columns, _kept(connection, plan, step, mode), now) if step.email else {}
            for look in _each(connection, plan, step, settings, templates, row, now):
                left -= len(look.html.encode())
                shown.append(look if left >= 0 else _too_many(plan, look))
            found[plan.name, step.name] = shown
    return found


def _each(
    connection: Connection,
    plan: LoopPlan,
    step: StepPlan,
    settings: Settings,
    templates: Templates,
    row: Mapping[str, object],
    now: datetime,
) -> Iterator[Look]:
    email = step.email
    if email is None:
        return
    users, about = settings.users, accounts_of(settings) if step.per_account else None
    user_columns = {*email.user_columns, users.key, users.email}
    person = columns(user_columns, _rows(connection, users, email.user_columns), now, users)
    account: Mapping[str, object] = MappingProxyType({})
    if about is not None:
        account = columns(email.account_columns, _rows(connection, about, email.account_columns), now)
    variants: list[str | None] = [name for name, _ in email.variants] or [None]
    for variant in variants:
        try:
            message = templates.render(
                in_variant(email, variant),
                user=person,
                row=row,
                account=account,
                letterhead=Letterhead.of(settings, email),
                send_id="0" * 32,
                to=ADDRESS,
                loop=plan.name,
                step=step.name,
            )
        except MissingValue as missing:
            yield Look(variant, instead=f"It needs a value that nobody could invent: {missing}.")
        except Unrenderable as bad:
            yield Look(variant, instead=f"It cannot be made with invented values: {bad}.")
        except DocumentError as wrong:
            yield Look(variant, instead=f"Its template is wrong: {wrong.message}")
        else:
            sender = parseaddr(message.sender)[0]
            yield Look(variant, message.subject, sender, harmless(message.html), message.text)


def _too_many(plan: LoopPlan, look: Look) -> Look:
    instead = f"There is no room for it on this page: skene-dagster report --loop {plan.name} shows it."
    return replace(look, html="", text="", instead=instead)


def _rows(connection: Connection, of: Keyed, names: Sequence[str]) -> Rows:
    if not names:
        return []
    table = users_table(of, *names)
    query = select(*(table.c[name] for name in dict.fromkeys(names))).limit(SEEN)
    try:
        return [dict(row) for row in connection.execute(query).mappings()]
    except DBAPIError as refused:
        if refused.connection_invalidated:
            raise
        # What its columns are called is wrong: `validate --database` says so, and the loop's runs.
        return []


def _kept(connection: Connection, plan: LoopPlan, step: StepPlan, mode: str) -> Rows:
    names = () if step.email is None else step.email.row_columns
    if not names:
        return []
    about = subject(step)
    table = about.triggered if step.by_row else about.members
    mine = [table.c.segment == segment_name(plan.name, step.ledger_name)]
    mine += [table.c.mode == mode] if step.by_row else []
    kept = connection.execute(select(table.c.attributes).where(*mine).limit(SEEN)).scalars()
    return [attributes.read(text, names) for text in kept]
