"""One history's world: what the actors work with, and what each of them does."""

import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from unittest.mock import patch

import choices as drawn
from comparing import SALTS, Comparing
from databases import Sqlite, running
from eyes import Backup, Eyes
from gates import Gates
from manners import SMALL_FIRST, SMALL_LARGE, Manners
from oracle import ACCOUNTS, Account, Complaint, Loop, OnDoubt, Oracle, Person, Repeat
from product import ABOUT_ACCOUNTS, BESIDE, LIMITS, VARIANTS, Limits, Product, accounts, loads, rewritten, users
from provider import Model
from refreshing import beating, refreshed
from scheduler import START, Scheduler, Trouble
from sharing import Sharing
from sqlalchemy import Connection, insert, update
from sqlalchemy.exc import IntegrityError

from skene_dagster.consent import preferences, suppressions
from skene_dagster.consent.preferences import Said
from skene_dagster.consent.recipient import Recipients
from skene_dagster.consent.spool import spool
from skene_dagster.consent.spool.choices import Choices
from skene_dagster.consent.spool.spool import Spool
from skene_dagster.consent.suppressions import Suppression, topic_scope
from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.backup_recovery import recover
from skene_dagster.delivery.controls import EVERY
from skene_dagster.delivery.decide import first_wave, slices
from skene_dagster.delivery.decide.reserve import reserve
from skene_dagster.delivery.ledger import scope_of
from skene_dagster.delivery.modes import Mode
from skene_dagster.delivery.providers.feedback import Report
from skene_dagster.delivery.reconcile import is_wanted, reconcile
from skene_dagster.delivery.retention import forget_contacts
from skene_dagster.delivery.send.deliver import deliver
from skene_dagster.delivery.send.session import DeliverySession
from skene_dagster.errors import SkeneError
from skene_dagster.feedback import breaker, inbox
from skene_dagster.feedback import reading as feedback
from skene_dagster.goals.arms import draw_anew
from skene_dagster.loops.all_loops import ALL_LOOPS
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.segments.refresh import refresh
from skene_dagster.store import subjects
from skene_dagster.store.engine import transaction

LIVE = Mode("live", "a simulation")
RETRIES = 2

AGREED_AT = datetime(2025, 3, 1)
"""When all agreed to be mailed about tips; long ago."""

OF_ACCOUNTS = ("account", "owner", "joins", "account's no")
"""Edits, where there is a loop about accounts."""

EDITS = ("membership", "no", "address", "name", "sours", "suppressed", "suppressed", "consent", "zone", "spooled")
ORDERS = ("pause", "resume", "cancel", "resume all")
OF_GATES = ("accept", "approve", "load")
"""Orders, where there are gates: a person lets a loop pass them, or what the product loads is loaded."""

OF_COMPARISONS = ("rewrite", "renew")
"""What a person does where some are compared: they change who, or have all arms drawn anew."""

ZONES = (None, "Pacific/Auckland", "America/New_York", "Pacific/Chatham", "Asia/Kolkata", "Somewhere/Else")
"""Where users live. A history begins on Monday at 9:00 UTC: in Auckland it is 22:00."""

HEAVY = (0.15, 0.05, 0.3, 0.0)


PASSES = ("cap", "new_address", "budget", "outranked", "new_recipient", "other_account")
"""Reasons for which nobody waits for ever."""


@dataclass(frozen=True)
class PutOff:
    """Somebody who is to be mailed once there is room for them, or their hours allow it."""

    user: int
    reason: str
    ask_at: datetime


@dataclass(frozen=True)
class Written:
    """What the author of the project has written."""

    limits: int
    variant: int
    whom: int
    """Which loop about accounts there is; 0: none."""


@dataclass
class World:
    """The world of one history, by its choices."""

    product: Product
    choices: drawn.Choices
    version: int = 0
    """Of the template."""
    backup: Backup | None = None
    """The last one."""
    backed_up_at: datetime = datetime.min  # noqa: DTZ901 - UTC, without a zone
    ticks: dict[str, datetime] = field(init=False)
    """The last one of each loop."""

    def __post_init__(self) -> None:
        choices = self.choices
        heavy = HEAVY[choices.pick("profile", len(HEAVY), 0.75)]
        self.scheduler = Scheduler(choices, Trouble(2 * heavy, heavy, heavy, heavy))
        self.database = self.product.database
        self.database.reset()
        late_locks = choices.yes("late locks", 0.5)
        if isinstance(self.database, Sqlite):
            self.database.late_locks = late_locks
        # What is read to keep others out, SQLite reads like anything else.
        self.may_erase = not (late_locks and isinstance(self.database, Sqlite))
        variant = choices.pick("variant", len(VARIANTS), 0.6)
        number = choices.pick("limits", len(LIMITS), 0.3)
        limits = LIMITS[number]
        about = () if limits.has_budget else self.product.about_accounts[number]
        self.written = Written(number, variant, choices.pick("accounts", 1 + len(about), 0.03))
        self._read_the_project()
        self.batch = (100, 1, 2, 3)[choices.pick("batch", 4, 0.7)]
        self.page = (5000, 2)[choices.pick("page", 2, 0.5)]
        self.is_refreshed_for_real = choices.yes("real refresh", 0.1)
        self.eyes = Eyes(self.database)
        said = {self.plan.name: VARIANTS[variant], **BESIDE}
        loops = {plan.name: _loop(plan, *said.get(plan.name, ABOUT_ACCOUNTS)) for plan in self.plans}
        self.topic = loops[self.plan.name].topic
        scopes = {name: loop.scope for name, loop in loops.items()}
        resends = {name for name, loop in loops.items() if loop.on_doubt == "resend"}
        self.sharing = Sharing(self.eyes, limits, scopes, resends, not self.is_refreshed_for_real)
        about_accounts = [name for name, loop in loops.items() if loop.recipient is not None]
        self.comparing = Comparing(self.eyes, limits.compared is not None, about_accounts)
        manners = Manners(self.scheduler, limits)
        self.oracle = Oracle(self.scheduler, self.eyes, loops, manners, self.sharing, self.comparing)
        self.gates = Gates(self.eyes)
        self.provider = Model(self.scheduler, self.oracle)
        self.ticks = dict.fromkeys(loops, self.scheduler.now)
        self._reserving: list[str] = []
        self._begun = 0
        for file in self.settings[0].spool.glob("*"):
            file.unlink()
        self._add_users()

    def _read_the_project(self) -> None:
        number, variant, whom = self.written.limits, self.written.variant, self.written.whom
        self.settings, self.plan = self.product.settings[number], self.product.plans[number][variant]
        self.plans = [self.plan, *self.product.others[number]]
        if whom:
            self.plans.append(self.product.about_accounts[number][whom - 1])

    def rewrite(self) -> None:
        """The author changes who is compared: runs that have begun go on with the loops as they were."""
        self.written = replace(self.written, limits=rewritten(self.written.limits))
        self._read_the_project()
        self.scheduler.say(self.scheduler.me.name, f"compares from now on: {LIMITS[self.written.limits].compared}")

    def renew(self) -> None:
        """A person has all arms of a loop drawn anew, or those of all loops together."""
        names = [*self.oracle.loops, ALL_LOOPS]
        loop = names[self.choices.pick("renewed", len(names), 0.7)]
        self.commit(lambda connection: draw_anew(connection, loop), f"draws the arms of {loop} anew", lambda: None)

    def run(self, plan: LoopPlan) -> None:
        """A run of a loop's job, for a tick of its own."""
        self.ticks[plan.name] = self.scheduler.now
        self.run_again(plan)

    def run_again(self, plan: LoopPlan) -> None:
        """A run for the last tick, which the daemon starts again, or a person by hand; each op is tried again."""
        as_of = self.ticks[plan.name]
        self._tried_again(lambda: self._refresh(plan, as_of))
        self._tried_again(lambda: self._reserve(plan, as_of))
        self._tried_again(partial(self.deliver, plan))

    def deliver(self, plan: LoopPlan) -> None:
        """The last op alone, as Dagster tries it again."""
        me = self.scheduler.me
        templates = self.product.templates[self.version]
        delivered = deliver(self._session(), plan=plan, step=plan.steps[0], templates=templates)
        self.scheduler.say(me.name, f"{delivered}")

    def reconcile(self) -> None:
        """The job that closes what runs left behind, if it has anything to do."""
        if is_wanted(self.database.engine, "live", self.scheduler.clock, self.plans):
            self.scheduler.say(self.scheduler.me.name, f"{reconcile(self._session(), self.plans)}")

    def retain(self) -> None:
        """The job of each night: what no cap counts any more is forgotten."""
        forgotten = forget_contacts(self.database.engine, self.settings[0].limits.caps, self.scheduler.clock)
        self.scheduler.say(self.scheduler.me.name, f"forgets to whom {forgotten} emails went")

    def put_off(self) -> list[PutOff]:
        """List who waits for what passes.

        Not those with an email to their address in doubt, nor those whose email cannot be made: it takes the place of
        their next one at each tick, until it is found out.
        """
        people = self.oracle.people
        deferred = [row for row in self.eyes.put_off() if row.reason in PASSES]
        if not deferred and not self.oracle.accounts:
            return []
        in_doubt = [row.user_id for row in self.eyes.sends().values() if row.state == "in_doubt"]
        doubtful = {address.lower() for user in in_doubt if user in people for address in people[user].addresses}
        nameless = {person.address.lower() for person in people.values() if not person.has_name}
        free = [row for row in deferred if people[row.user_id].address.lower() not in doubtful | nameless]
        if self.oracle.accounts and not doubtful | nameless:
            free += [row for row in self.eyes.put_off(subjects.ACCOUNTS) if row.reason in PASSES]
        return [PutOff(row.user_id, row.reason, row.ask_at) for row in free]

    def recover(self) -> None:
        """A person tells a ledger from a backup what it sent since."""
        self.scheduler.say(self.scheduler.me.name, f"{recover(self._session(), ['resend'])}")

    def edit(self, what: str, user: int) -> None:
        """The product changes something about a user, or their account: what was true is not, or again."""
        if what in OF_ACCOUNTS:
            self._edit_account(what, user)
        elif not self.oracle.people[user].is_gone:
            self._edit_of(what, user)()

    def _edit_of(self, what: str, user: int) -> Callable[[], None]:
        person = self.oracle.people[user]
        now = self.scheduler.clock

        def work() -> None:
            match what:
                case "membership" if person.left_since is None:
                    self._edit(user, "leaves", {"dormant": False}, lambda: person.leaves(now()))
                case "membership":
                    self._edit(user, "enters", {"dormant": True}, person.enters)
                case "no" if person.no_since is None:
                    self._edit(user, "says no", {"verified": False}, lambda: person.says_no(now()))
                case "no":
                    self._edit(user, "says yes", {"verified": True}, person.says_yes)
                case "address":
                    address = f"u{user}.{len(person.addresses)}@example.com"
                    self._edit(user, "moves", {"email": address}, lambda: person.moves(address))
                case "suppressed":
                    self._suppress(user)
                case "spooled":
                    self._spool(user)
                case "consent" if person.disagrees_since is None:
                    self._edit(user, "disagrees", {"last_activity_at": None}, lambda: person.disagrees(now()))
                case "consent":
                    self._edit(user, "agrees", {"last_activity_at": AGREED_AT}, person.agrees)
                case "zone":
                    zone = ZONES[(ZONES.index(person.zones[-1][1]) + 1) % len(ZONES)]
                    moved = lambda: person.zones.append((now(), zone))  # noqa: E731 - the others are as short
                    self._edit(user, "travels", {"timezone": zone}, moved)
                case "name":
                    person.has_name = not person.has_name
                    self._edit(user, "is renamed", {"name": person.name if person.has_name else None}, lambda: None)
                case _:
                    self.scheduler.say("", f"the provider refuses the addresses of user {user} from now on")
                    self.provider.bad |= person.addresses

        return work

    def an_order(self, what: str, loop: str | None = None) -> Callable[[], None]:
        """A person orders something at the command line: about a loop, which is the first one by default."""
        loop = loop or self.plan.name

        def change(connection: Connection) -> None:
            now = self.scheduler.now
            match what:
                case "pause":
                    controls.pause(connection, loop, now)
                case "resume":
                    controls.resume(connection, loop, now)
                case "resume all":
                    controls.resume(connection, None, now)
                case _:
                    controls.cancel(connection, loop, now)
                    ledger.cancel(connection, loop, now, now)

        def happened() -> None:
            oracle, now = self.oracle, self.scheduler.now
            if what == "pause":
                oracle.paused_since.setdefault(loop, now)
            if what in ("resume", "resume all"):
                name = EVERY if what == "resume all" else loop
                oracle.paused_since.pop(name, None)
                oracle.resumed_at[name] = now

        return lambda: self.commit(change, what, happened)

    def told(self, email: tuple[str, str, str]) -> None:
        """The provider posts that a recipient complained of an email."""
        send_id, key, identity = email
        address, accepted_at, origin = self.provider.email(key, send_id)
        whose, now = self.oracle.whose(send_id), self.scheduler.now
        assert whose is not None
        report = Report(
            f"ev-{identity}",
            "email.complained",
            "complained",
            now,
            provider_id=identity,
            send_id=send_id,
            origin=origin,
            address=address,
        )
        complaint = Complaint(send_id, address.lower(), whose.loop.scope.loop, accepted_at, now)

        def happened() -> None:
            if send_id not in (one.send_id for one in self.oracle.complaints):
                self.oracle.complaints.append(complaint)

        what = f"is told that {address} complains"
        self.commit(lambda connection: inbox.put(connection, "resend", [report], now), what, happened)

    def hear(self) -> None:
        """The sensor that reads what was told, and pauses what too much came back of."""
        me, oracle, engine, clock = self.scheduler.me, self.oracle, self.database.engine, self.scheduler.clock
        told = list(oracle.complaints)

        def read() -> None:
            for one in told:
                oracle.stopped.setdefault(one.address, self.scheduler.now)

        me.on_commit = read
        drained = feedback.drain(engine, clock, seconds=30.0, monotonic=self.scheduler.monotonic)
        complained = self.eyes.complained()

        def acted() -> None:
            for name in oracle.breaks(complained, self.scheduler.now):
                if oracle.resumed_at.get(name, START) < me.looked_at:
                    oracle.paused_since.setdefault(name, self.scheduler.now)

        me.on_commit = acted
        paused = breaker.act(engine, clock)
        self.scheduler.say(me.name, f"{drained}; paused: {[one.loop for one in paused]}")

    def passes(self, what: str) -> None:
        """A person lets all loops pass a gate; or the product's tables are loaded."""
        gates, names, now = self.gates, list(self.oracle.loops), self.scheduler.now

        def change(connection: Connection) -> None:
            for name, loop in self.oracle.loops.items():
                if what == "accept":
                    ledger.accept(connection, loop.scope, ["fresh"])
                elif what == "approve":
                    controls.approve(connection, name, loop.scope.step, now)
            if what == "load":
                connection.execute(update(loads).values(loaded_at=now))

        def happened() -> None:
            if what == "load":
                gates.loaded_at = max(gates.loaded_at, now)
            else:
                (gates.accepted if what == "accept" else gates.approved).update(names)

        self.commit(change, what, happened)

    def _spool(self, user: int) -> None:
        """A user says no while the database is away from the process that hears it."""
        person, now = self.oracle.people[user], self.scheduler.now
        with self.database.eyes.connect() as connection:
            names = Recipients.of(connection).of_user(user, person.address)
        is_tips = self.topic == "tips"
        scope = topic_scope(self.topic) if is_tips else "marketing"
        Spool(self.settings[0].spool).add([Choices(names, (("no", scope),), Said(now, "a simulation"))])
        person.spooled.setdefault(self.topic if is_tips else "", now)
        self.scheduler.say("", f"user {user} says no, and it waits in a file")

    def _suppress(self, user: int) -> None:
        """A user says that they want no marketing, or none of the topic, or their address is dead."""
        person, now = self.oracle.people[user], self.scheduler.now
        is_dead = self.choices.yes(f"dead:{user}", 0.5)
        address = person.address

        def change(connection: Connection) -> None:
            by_hash, source = Recipients.of(connection), "a simulation"
            if is_dead:
                dead = Suppression(by_hash.address(address), "all", now, "bounce", source)
                suppressions.suppress(connection, [dead], now)
            elif self.topic == "tips":
                names, scope = by_hash.of_user(user, address), topic_scope(self.topic)
                preferences.say_no(connection, names, scope, Said(now, source), now)
            else:
                no = Suppression(by_hash.user(user), "marketing", now, "said_no", source)
                suppressions.suppress(connection, [no], now)

        def happened() -> None:
            if is_dead:
                self.oracle.stopped.setdefault(address.lower(), self.scheduler.now)
            else:
                person.stopped.setdefault(self.topic if self.topic == "tips" else "", self.scheduler.now)

        self.commit(change, f"user {user} is suppressed by {'address' if is_dead else 'user'}", happened)

    def _edit_account(self, what: str, user: int) -> None:
        """The product changes something about the account of a user, or who they are of it."""
        oracle, now = self.oracle, self.scheduler.clock
        person = oracle.people[user]
        number, account = person.account, oracle.accounts[person.account]
        mine = update(accounts).where(accounts.c.id == number)
        match what:
            case "account":
                is_inside = account.left_since is None

                def moves() -> None:
                    account.entries += not is_inside and account.left_since is not None
                    account.left_since = now() if is_inside else None

                values = mine.values(dormant=not is_inside)
                self.commit(
                    lambda c: c.execute(values), f"account {number} {'leaves' if is_inside else 'enters'}", moves
                )
            case "owner":

                def is_owned() -> None:
                    account.owner, account.owned_since = user, now()

                owned = mine.values(owner_id=user)
                self.commit(lambda c: c.execute(owned), f"user {user} owns account {number}", is_owned)
            case "joins":
                other = number % len(ACCOUNTS) + 1

                def has_joined() -> None:
                    person.account, person.joined_at = other, now()

                self._edit(user, f"joins account {other}", {"account_id": other}, has_joined)
            case _:

                def stops() -> None:
                    account.stopped_since = account.stopped_since or now()

                def change(connection: Connection) -> None:
                    at = now()
                    no = Suppression(
                        Recipients.of(connection).account(number), "marketing", at, "manual", "a simulation"
                    )
                    suppressions.suppress(connection, [no], at)

                self.commit(change, f"account {number} is suppressed", stops)

    def _edit(self, user: int, what: str, values: dict[str, object], happened: Callable[[], None]) -> None:
        change = update(users).where(users.c.id == user).values(values)
        self.commit(lambda connection: connection.execute(change), f"user {user} {what}", happened)

    def commit(self, change: Callable[[Connection], object], what: str, happened: Callable[[], None]) -> None:
        """Change something in a transaction, and say what is true from its COMMIT on."""
        me = self.scheduler.me
        me.on_commit = happened

        def again(connection: Connection) -> None:
            # Somebody else may have changed it meanwhile: it is changed once more.
            change(connection)
            me.on_commit = happened

        try:
            transaction(self.database.engine, change, resolve=again)
        except IntegrityError:
            # Another gave the first order at the same moment.
            transaction(self.database.engine, change, resolve=again)
        self.scheduler.say(me.name, what)

    def _refresh(self, plan: LoopPlan, as_of: datetime) -> None:
        engine, name, clock = self.database.engine, self.scheduler.me.name, self.scheduler.clock
        if not self.is_refreshed_for_real:
            refreshed(engine, plan, as_of)
            return
        refresh(
            engine,
            plan=plan,
            step=plan.steps[0],
            settings=self.settings[0],
            as_of=as_of,
            clock=clock,
            run_id=name,
            chunk=self.page,
            beating=beating(self.scheduler),
        )

    def _reserve(self, plan: LoopPlan, as_of: datetime) -> None:
        begun, others = self.scheduler.now, list(self._reserving)
        topic = self.oracle.loops[plan.name].topic
        noes = {user for user, one in self.oracle.people.items() if {"", topic} & one.spooled.keys()}
        self._reserving.append(plan.name)
        self._begun += 1
        try:
            self._decide(plan, as_of)
            if plan.name not in others and self._reserving.count(plan.name) == 1:
                self._judge_decided(plan, noes, begun)
        finally:
            self._reserving.remove(plan.name)

    def _judge_decided(self, plan: LoopPlan, noes: set[int], begun: datetime) -> None:
        """Nobody is to be mailed whose "no" waited in a file when this run began, which was the only one."""
        if not noes or self.oracle.loops[plan.name].is_asked_for:
            return
        for row in self.eyes.sends().values():
            is_mine = row.loop == plan.name and row.state == "reserved" and row.decided_at >= begun
            if is_mine and row.user_id in noes:
                self.oracle.violated("decided in spite of a no that waits in a file", f"user {row.user_id}")

    def _decide(self, plan: LoopPlan, as_of: datetime) -> None:
        sharing, oracle, scheduler = self.sharing, self.oracle, self.scheduler
        is_judged = len(self.plans) > 1 and not oracle.is_restored
        if is_judged:
            sharing.judge_waiting(scheduler.now, oracle.violated)
            before, begun = sharing.before(plan.name, as_of, scheduler.now), self._begun
        has_gates, at = sharing.limits.has_gates and not oracle.is_restored, scheduler.now
        found = self.gates.before(plan.name, as_of) if has_gates else None
        reserved = reserve(
            self.database.engine,
            plan=plan,
            step=plan.steps[0],
            settings=self.settings[0],
            mode=LIVE,
            as_of=as_of,
            clock=scheduler.clock,
            others=self.plans,
            page=self.page,
            batch=self.batch,
        )
        scheduler.say(scheduler.me.name, f"{reserved}")
        if found is not None:
            self.gates.judge_decided(plan.name, as_of, at, found, oracle.violated)
        if is_judged:
            sharing.judge_waiting(scheduler.now, oracle.violated)
            is_alone = self._begun == begun and self._reserving == [plan.name]
            was_paused = bool(oracle.paused_since or oracle.resumed_at) and not scheduler.is_well
            sharing.judge_decided(
                plan.name,
                as_of,
                before,
                scheduler.now,
                is_alone=is_alone,
                was_paused=was_paused,
                violated=oracle.violated,
            )

    def _tried_again(self, op: Callable[[], None]) -> None:
        for tries in range(RETRIES):
            try:
                op()
            except SkeneError as error:
                if not error.retryable:
                    raise
                self.scheduler.say(self.scheduler.me.name, f"will try again: {error}")
                self.scheduler.sleep(10.0 * 2**tries)
            else:
                return
        op()

    def _session(self) -> DeliverySession:
        me, scheduler = self.scheduler.me, self.scheduler
        return DeliverySession(
            self.database.engine,
            self.settings[self.version],
            LIVE,
            lambda _name: self.provider,
            scheduler.clock,
            f"{me.name}.{me.begins}",
            pause=scheduler.sleep,
            monotonic=scheduler.monotonic,
            say=lambda text: scheduler.say(me.name, text),
        )

    def _add_users(self) -> None:
        choices = self.choices
        badness = (0.0, 0.25, 0.7)[choices.pick("badness", 3, 0.6)]
        outside = (0.0, 0.5)[choices.pick("outside", 2, 0.5)]
        shared = (0.0, 0.5)[choices.pick("sharing", 2, 0.2)]
        for user in range(1, 2 + choices.pick("users", 8, 0.9)):
            # To a mail program it is one address.
            shares = user > 1 and choices.yes(f"shares:{user}", shared)
            address = "U1@example.com" if shares else f"u{user}@example.com"
            is_outside = choices.yes(f"outside:{user}", outside)
            left_since = self.scheduler.now if is_outside else None
            zone = ZONES[choices.pick(f"zone:{user}", len(ZONES), 0.7 if self.oracle.manners.has_hours else 0.0)]
            self.oracle.people[user] = Person(
                f"User {user}",
                address,
                zones=[(AGREED_AT, zone)],
                entries=int(not is_outside),
                left_since=left_since,
                account=(user - 1) // len(ACCOUNTS) + 1,
            )
            if choices.yes(f"bad:{user}", badness):
                self.provider.bad.add(address)
        columns = {"verified": True, "reminded": False, "last_activity_at": AGREED_AT}
        rows = [
            {
                "id": user,
                "email": person.address,
                "name": person.name,
                "timezone": person.zones[-1][1],
                "account_id": person.account,
                "dormant": bool(person.entries),
                **columns,
            }
            for user, person in self.oracle.people.items()
        ]
        with self.database.eyes.begin() as connection:
            connection.execute(insert(users), rows)
            if self.comparing.is_on:
                self.comparing.salt_the_coin(connection, choices.pick("salt", SALTS, 0.95))
            connection.execute(insert(loads), [{"id": 1, "loaded_at": self.gates.loaded_at}])
            if len(self.plans) > 1 and self.plans[-1].steps[0].per_account:
                self._add_accounts(connection)

    def _add_accounts(self, connection: Connection) -> None:
        """Each is the first one's of it; the last ones may have nobody."""
        for number in ACCOUNTS:
            owner = (number - 1) * len(ACCOUNTS) + 1
            self.oracle.accounts[number] = Account(f"Account {number}", owner)
            row = {"id": number, "title": f"Account {number}", "owner_id": owner, "dormant": True}
            connection.execute(insert(accounts), [row])


def _loop(plan: LoopPlan, on_doubt: OnDoubt, topic: str, repeat: Repeat) -> Loop:
    step = plan.steps[0]
    return Loop(scope_of("live", plan, step), topic, repeat, on_doubt, step.recipient)


@contextmanager
def shared_locks() -> Iterator[None]:
    """Have actors wait for each other's locks of files by the virtual clock."""
    held: set[Path] = set()

    @contextmanager
    def locked(file: Path, seconds: float | None = None) -> Iterator[None]:
        actor = running()
        waited = 0.0
        while file in held and actor is not None:
            if seconds is not None and waited > seconds:
                raise TimeoutError
            actor.scheduler.sleep(0.02)
            waited += 0.02
        held.add(file)
        try:
            yield
        finally:
            held.discard(file)

    with patch.object(spool, "locked", locked):
        yield


@contextmanager
def small_slices(limits: Limits) -> Iterator[None]:
    """Have waves of a few users leave in slices, where the limits say so."""
    with ExitStack() as changes:
        if limits.is_sliced:
            changes.enter_context(patch.object(slices, "FIRST", SMALL_FIRST))
            changes.enter_context(patch.object(first_wave, "LARGE", SMALL_LARGE))
        yield


@contextmanager
def numbered_ids() -> Iterator[None]:
    """Have `uuid4` give the same ids in each replay: those of batches order the work."""
    ids = random.Random(1)
    with patch.object(uuid, "uuid4", lambda: uuid.UUID(int=ids.getrandbits(128), version=4)):
        yield
