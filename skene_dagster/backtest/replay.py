"""Replay a loop over past days, tick by tick."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, inspect

from skene_dagster.backtest.model import StepReplay
from skene_dagster.backtest.rows import Followed, Found, rows_of
from skene_dagster.backtest.selections import Selection, inside_before
from skene_dagster.backtest.state import MEMBER, Known, Place
from skene_dagster.backtest.ticks import ticks_of
from skene_dagster.delivery.decide.addressees import Addressees, comparing_of, reached_of
from skene_dagster.delivery.decide.candidates import Candidate, count
from skene_dagster.delivery.decide.eligibility import (
    Decision,
    Defer,
    Facts,
    HoldOut,
    Mail,
    RowFacts,
    Rules,
    Skip,
    decide,
    decide_row,
)
from skene_dagster.delivery.decide.facts import Person
from skene_dagster.delivery.decide.gates.rehearsing import is_whole
from skene_dagster.delivery.decide.send_audience import PAGE, SendAudience
from skene_dagster.delivery.ledger.looking_back import decisions
from skene_dagster.delivery.ledger.scope import StepScope
from skene_dagster.delivery.model import Contact
from skene_dagster.delivery.modes import Mode
from skene_dagster.loops.plan import LoopPlan, StepPlan
from skene_dagster.loops.times.hours import ANY_HOUR
from skene_dagster.settings import Settings
from skene_dagster.store.engine import database_time
from skene_dagster.store.tables import arms, contacts, preferences

_NO_TIME = timedelta(0)


@dataclass
class Replay:
    """A loop over past days: its steps share what was sent, as they do in production."""

    connection: Connection
    plan: LoopPlan
    settings: Settings
    mode: Mode
    since: datetime
    until: datetime
    others: Sequence[StepScope] = ()
    """The steps of other loops, whose real emails count for caps."""
    progress: Callable[[str], None] = lambda _: None
    other_conditions: frozenset[str] = frozenset()
    """The steps whose condition was another when they ran: their own history is not that of this one."""
    now: datetime = field(init=False)
    _sent: dict[str, list[Contact]] = field(default_factory=dict)
    """What this loop would have sent, by recipient."""

    def __post_init__(self) -> None:
        self.now = database_time(self.connection)

    def run(self) -> list[StepReplay]:
        """Replay all steps that send emails.

        Raises:
            NotCounted: a condition asks for what is not counted.
            QueryRejected, StoreError: a condition cannot be evaluated.
        """
        steps = [_Step.of(self, step) for step in self.plan.steps if step.email is not None]
        by_name = {one.step.name: one for one in steps}
        order = sorted((tick, number) for number, one in enumerate(steps) for tick in one.ticks)
        for tick, number in order:
            one = steps[number]
            self.progress(f"{tick:%d %b %Y}, {one.step.name}")
            one.tick(tick, by_name)
        return [one.found for one in steps]

    def contacts(self, people: dict[object, Person], tick: datetime) -> dict[str, list[Contact]]:
        """List what the recipients of some users had when a tick came: really of others, of this loop as replayed."""
        within = max((cap.within for cap in self.settings.limits.caps), default=_NO_TIME)
        found: dict[str, list[Contact]] = {}
        if within and self.others:
            had = decisions.mails_of(self.connection, self.others, list(people), after=tick - within, until=tick)
            for key, contacts in had.items():
                recipient = people[key].recipient if key in people else None
                if recipient is not None:
                    # Of loops that tick at one moment, the names say which came first: nothing is known of it.
                    found[recipient] = [one for one in contacts if (one.as_of, one.loop) < (tick, self.plan.name)]
        for person in people.values():
            if person.recipient in self._sent:
                found.setdefault(person.recipient, []).extend(self._sent[person.recipient])
        return found

    def send(self, recipient: str, contact: Contact) -> None:
        """Remember an email, or somebody who was held out."""
        self._sent.setdefault(recipient, []).append(contact)


@dataclass
class _Step:
    """One step of it."""

    replay: Replay
    step: StepPlan
    ticks: Sequence[datetime]
    selection: Selection | None
    rows: Found | Followed | None
    """Of a step about single rows, where they are found."""
    known: Known
    found: StepReplay
    first_as_of: datetime
    decides_everybody: bool
    """Nobody was decided before the first tick: it looks at all who are inside."""
    has: tuple[bool, bool]
    """Whether the database has what recipients said, and who is compared."""

    @staticmethod
    def of(replay: Replay, step: StepPlan) -> "_Step":
        connection, plan, settings = replay.connection, replay.plan, replay.settings
        there = inspect(connection)
        has_tables = there.has_table(contacts.name)
        scope = StepScope(replay.mode.name, plan.name, step.ledger_name)
        ticks = ticks_of(connection, plan, step, scope, replay.since, replay.until, has_tables=has_tables)
        first = ticks[0] if ticks else replay.until
        found = StepReplay(step.name)
        known = Known()
        if has_tables:
            known.pasts = decisions.pasts(connection, scope, before=first, by_row=step.by_row)
        known_as = {"has_tables": has_tables, "is_as_it_ran": step.name not in replay.other_conditions}
        rows = rows_of(connection, plan, step, settings, scope, first, **known_as) if step.by_row else None
        selection = None
        if not step.by_row or (isinstance(rows, Followed) and not rows.not_replayed):
            selection = Selection.of(connection, plan, step, settings, first, **known_as)
            found.how_exact, found.is_of_then = selection.how_exact(first), selection.is_of_then
        if rows is not None and selection is None:
            found.how_exact, found.not_replayed = rows.how_exact, rows.not_replayed
            found.is_of_then = isinstance(rows, Found) and rows.has_own_history
        inside = {} if step.by_row or not has_tables else inside_before(connection, plan, step, first)
        known.entered = {(key, MEMBER): at for key, at in inside.items()}
        has = there.has_table(preferences.name), is_whole(connection, arms)
        return _Step(
            replay,
            step,
            [] if found.not_replayed else ticks,
            selection,
            rows,
            known,
            found,
            min(inside.values(), default=first),
            not known.pasts,
            has,
        )

    def tick(self, tick: datetime, steps: dict[str, "_Step"]) -> None:
        """Refresh its segment, and decide about those who are new, and those who are due again."""
        if self.rows is None:
            assert self.selection is not None, "it is about members"
            new = self.known.refresh(self.selection.at(self.replay.connection, tick), tick)
            if self.decides_everybody and tick == self.ticks[0]:
                new = list(self.known.entered)
        else:
            new = [place for place in self._rows(self.rows, tick, steps) if place not in self.known.entered]
            self.known.entered.update(dict.fromkeys(new, tick))
        self.found.came_in.update(key for key, _ in new)
        audience = SendAudience(
            self.replay.plan,
            self.step,
            self.replay.settings,
            self.replay.mode,
            tick,
            has_consent=self.has[0],
            has_arms=self.has[1],
        )
        waiting = list(self.known.waiting)
        asked = dict.fromkeys([*(place for place in new if place not in self.known.waiting), *waiting])
        places = sorted(asked, key=lambda place: (str(type(place[0])), place))
        outcomes = self.found.outcomes.setdefault(tick, Counter())
        for start in range(0, len(places), PAGE):
            outcomes.update(count(self._page(audience, places[start : start + PAGE], tick)))

    def _rows(self, rows: "Found | Followed", tick: datetime, steps: dict[str, "_Step"]) -> list[Place]:
        position = list(self.ticks).index(tick)
        before = self.ticks[position - 1] if position else None
        if isinstance(rows, Found):
            return rows.at(self.replay.connection, tick, before, self.ticks[0])
        assert self.selection is not None, "its rows are emails, and its condition is about users"
        parent = steps[rows.parent].found.mailed if rows.parent in steps else {}
        due = rows.due(parent, tick, before, self.ticks[0])
        selected = self.selection.at(self.replay.connection, tick) if due else set()
        return [place for place in due if place[0] in selected]

    def _page(self, audience: SendAudience, page: Sequence[Place], tick: datetime) -> list[Decision]:
        replay, known = self.replay, self.known
        keys = list(dict.fromkeys(key for key, _ in page))
        people = audience.people(replay.connection, keys, replay.now)
        mailable = {key: one.mailable and bool((one.address or "").strip()) for key, one in people.items()}
        due = set(known.due(tick, mailable))
        addressees = self._addressees(audience, page, people, tick)
        rules = Rules(audience.email.repeat, replay.plan.start, self.first_as_of, replay.plan.zone_of(self.step))
        decided: list[Decision] = []
        for place in page:
            key, row = place
            waiting = known.waiting.get(place)
            if waiting is not None and place not in due:
                continue
            person, past, entered_at = people.get(key), known.pasts.get(key), known.entered.get(place)
            if row == MEMBER:
                facts = Facts(entered_at, addressees.of(person, waiting, entered_at), past, waiting)
                decision = decide(facts, rules, tick)
            else:
                mailed_as_of = past.mailed_as_of if past else None
                asked = RowFacts(row, entered_at, addressees.of(person, waiting, entered_at), None, mailed_as_of)
                decision = decide_row(asked, rules, tick, replay.settings.limits.expires_after)
            recipient = addressees.count(person, decision)
            known.decide(place, decision, tick)
            self._tell(place, decision, tick)
            decided.append(decision)
            if recipient is not None:
                at = getattr(decision, "not_before", None) or tick
                is_held_out = isinstance(decision, HoldOut)
                this = Contact(replay.plan.name, self.step.ledger_name, key, tick, at, is_held_out=is_held_out)
                replay.send(recipient, this)
        return decided

    def _addressees(
        self, audience: SendAudience, page: Sequence[Place], people: dict[object, Person], tick: datetime
    ) -> Addressees:
        is_simulated = self.replay.mode.simulates(tick, self.replay.now, self.replay.settings.limits.expires_after)
        addressees = Addressees(
            audience.scope,
            tick,
            tick,
            self.replay.settings,
            self.replay.plan.zone_of(self.step),
            ANY_HOUR if is_simulated else audience.email.hours,
            self.replay.settings.limits.caps,
            is_counted=audience.email.topic is not None,
            by_row=self.step.by_row,
        )
        addressees.comparing = comparing_of(audience, self.replay.connection, people)
        candidates = [Candidate(key, self.known.entered.get((key, row))) for key, row in page]
        addressees.reached = reached_of(audience, self.replay.connection, candidates, people)
        if addressees.is_counted:
            addressees.contacts = self.replay.contacts(people, tick)
        return addressees

    def _tell(self, place: Place, decision: Decision, tick: datetime) -> None:
        key, found = place[0], self.found
        match decision:
            case Mail():
                found.mailed.setdefault(key, []).append(tick)
            case HoldOut():
                found.held_out.setdefault(key, tick)
            case Skip(reason=reason):
                before = found.last_reason.get(key, "")
                is_gone = reason == "left_segment" and before.startswith("deferred:")
                found.last_reason[key] = before if is_gone else f"skipped:{reason}"
            case Defer(reason=reason, occurrence=occurrence):
                found.last_reason[key] = f"deferred:{reason}"
                if reason == "cap":
                    found.capped.add((key, occurrence))
            case _:
                pass
