"""What a change of the loops does: who comes in and goes out, what the first tick sends, and whether it would wait.

It is found with the queries and the decisions of a rehearsal; nothing is written, and nothing is sent.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import Engine, inspect

from skene_dagster.backtest.backtest import replayed
from skene_dagster.delivery.decide.gates import judging
from skene_dagster.delivery.ledger import scope_of
from skene_dagster.delivery.ledger.looking_back import emails
from skene_dagster.delivery.model import GateName
from skene_dagster.delivery.modes import Mode
from skene_dagster.delivery.rehearsal import Stage, rehearse
from skene_dagster.errors import NotCounted, SkeneError
from skene_dagster.loops.planning.accounts import is_per_account
from skene_dagster.store.failures import translated
from skene_dagster.store.tables import contacts
from skene_dagster.versions import inside
from skene_dagster.versions.changes import Change, Side
from skene_dagster.versions.inside import Inside
from skene_dagster.versions.pressure import Pressure, pressure
from skene_dagster.versions.reading import Version

A_MONTH = timedelta(days=28)

EXAMPLES = 5


@dataclass(frozen=True)
class FirstTick:
    """What the first tick of the new version would do."""

    counts: Mapping[str, int]
    """How many by outcome, as `Reserved.counts`."""
    held: Mapping[GateName, str]
    """What each gate says that would hold it."""
    waits_for_approval: str = ""
    """Why it would wait for `approve` in production; empty: it would not."""


@dataclass(frozen=True)
class Effect:
    """What becomes of one step."""

    change: Change
    inside: Inside | None = None
    """None: it is about single rows, or the same are inside, or it is not known."""
    unknown: str = ""
    """Why it is not known who is inside."""
    come_in: Sequence[object] = ()
    go_out: Sequence[object] = ()
    """Their keys, all or some."""
    mails: int | None = None
    """Emails of the last 28 days, as the ledger has them; None: there is no ledger."""
    mails_then: int | None = None
    """How many the new version would have sent in these days, replayed; None: it cannot be, or is the same."""
    first_tick: FirstTick | None = None
    """None: it sends nothing now, or is gone, or it is not known."""


@dataclass(frozen=True)
class Effects:
    """What becomes of all that changed."""

    as_of: datetime
    mode: str
    steps: Sequence[Effect]
    pressure: Pressure | None = None
    """None: nothing is on record of emails."""


@dataclass
class Looking:
    """Two versions, and the database of which both are asked."""

    engine: Engine
    mode: Mode
    as_of: datetime
    after: Version
    examples: int | None = EXAMPLES
    """How many keys are listed of those who come in or go out; None: all."""
    progress: Callable[[str], None] = lambda _: None
    _mailed: Counter[object] = field(default_factory=Counter)

    def effects(self, changed: Sequence[Change]) -> Effects:
        """Say what becomes of each step.

        Raises:
            DocumentError: a condition of the new version cannot be evaluated.
            StoreError: the database refused.
        """
        then = self._replayed(changed)
        found = [
            replace(one, mails_then=then.get((one.change.loop, one.change.step)))
            for one in (self._effect(change) for change in changed)
        ]
        with translated(), self.engine.connect() as connection:
            known = inspect(connection)
            if not known.has_table(contacts.name):
                return Effects(self.as_of, self.mode.name, found)
            felt = pressure(connection, self.after.settings, self.mode.name, self.as_of, self._mailed)
        return Effects(self.as_of, self.mode.name, found, felt)

    def _effect(self, change: Change) -> Effect:
        self.progress(f"{change.loop} · {change.step}")
        mails = self._mails(change.before or change.after)
        if change.kind == "changed" and set(change.parts) <= {"the mail"}:
            return Effect(change, mails=mails)
        is_by_row = any(side is not None and side.step.by_row for side in (change.before, change.after))
        compared: Inside | None = None
        come_in: list[object]
        go_out: list[object]
        unknown, come_in, go_out = "", [], []
        if not is_by_row and (change.selects_otherwise or change.kind == "gone"):
            try:
                with translated(), self.engine.connect() as connection:
                    compared = inside.inside(connection, change.before, change.after, self.as_of)
                    if change.kind != "gone":
                        most, sides = self.examples, (change.before, change.after)
                        come_in, go_out = inside.who(connection, *sides, self.as_of, most)
            except NotCounted as error:
                unknown = f"{error.message} {error.advice}"
            except SkeneError as error:
                if change.before is None:
                    raise
                unknown = f"One of both cannot be evaluated: {error.message}"
        first = None if change.after is None else self._first_tick(change.after)
        return Effect(change, compared, unknown, come_in, go_out, mails, first_tick=first)

    def _replayed(self, changed: Sequence[Change]) -> dict[tuple[str, str], int]:
        """Count the emails of 28 days of steps that would select, or ask, otherwise; of loops about users."""
        found: dict[tuple[str, str], int] = {}
        others = dict.fromkeys(one.loop for one in changed if one.after is not None and set(one.parts) != {"the mail"})
        for name in others:
            plan = self.after.plan(name)
            if plan is None or is_per_account(plan):
                continue
            self.progress(f"{name}: the last 28 days")
            selects = frozenset(each.step for each in changed if each.loop == name and each.selects_otherwise)
            try:
                with translated(), self.engine.connect() as connection:
                    steps = replayed(
                        connection,
                        plan,
                        self.after.loops,
                        self.after.settings,
                        self.mode,
                        self.as_of - A_MONTH,
                        self.as_of,
                        other_conditions=selects,
                    )
            except NotCounted:
                continue
            if not all(each.is_of_then and not each.not_replayed for each in steps):
                # A guess from tables as they are today would be taken for a number.
                continue
            differ = {each.step for each in changed if each.loop == name and set(each.parts) != {"the mail"}}
            found |= {(name, each.step): each.mails for each in steps if each.step in differ}
        return found

    def _mails(self, side: Side | None) -> int | None:
        if side is None or side.step.email is None:
            return None
        with translated(), self.engine.connect() as connection:
            if not inspect(connection).has_table(contacts.name):
                return None
            scope = scope_of(self.mode.name, side.plan, side.step)
            return emails.mails_of_step(connection, scope, since=self.as_of - A_MONTH)

    def _first_tick(self, side: Side) -> FirstTick | None:
        if side.step.email is None:
            return None
        stage = Stage(self.engine, side.plan, side.step, side.settings, self.mode, self.as_of, self.after.loops)
        mailed: list[object] = []
        try:
            found = rehearse(stage, 0, mailed=mailed.append)
        except NotCounted:
            return None
        if set(found.held) <= {"first_wave"} and side.step.email.topic is not None:
            self._mailed.update(mailed)
        held = dict(found.held)
        why = held.pop("first_wave", "")
        if not why and self.mode.name != "live" and not self._mails(side):
            gate = judging.first_wave(side.settings.limits, found.counts.get("mail", 0))
            why = gate.why if gate.is_shut else ""
        return FirstTick(found.counts, held, why)
