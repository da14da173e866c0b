"""One history's world: what the actors work with, and what each of them does."""

import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from unittest.mock import patch

from choices import Choices
from databases import Sqlite
from eyes import Backup, Eyes
from oracle import Oracle, Person
from product import VARIANTS, Product, users
from provider import Model
from refreshing import beating, refreshed
from scheduler import Scheduler, Trouble
from sqlalchemy import Connection, insert, update
from sqlalchemy.exc import IntegrityError

from skene_dagster.consent import preferences, suppressions
from skene_dagster.consent.preferences import Said
from skene_dagster.consent.recipient import Recipients
from skene_dagster.consent.suppressions import Suppression, topic_scope
from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.backup_recovery import recover
from skene_dagster.delivery.decide.reserve import reserve
from skene_dagster.delivery.ledger import StepScope
from skene_dagster.delivery.modes import Mode
from skene_dagster.delivery.reconcile import is_wanted, reconcile
from skene_dagster.delivery.send.deliver import deliver
from skene_dagster.delivery.send.session import DeliverySession
from skene_dagster.errors import SkeneError
from skene_dagster.loops.plan import StepPlan
from skene_dagster.segments.refresh import refresh
from skene_dagster.store.engine import transaction

LIVE = Mode("live", "a simulation")
RETRIES = 2

AGREED_AT = datetime(2025, 3, 1)
"""When all agreed to be mailed about tips."""

EDITS = ("membership", "no", "address", "name", "sours", "suppressed", "suppressed", "consent")
ORDERS = ("pause", "resume", "cancel")

HEAVY = (0.15, 0.05, 0.3, 0.0)


@dataclass
class World:
    """The world of one history, by its choices."""

    product: Product
    choices: Choices
    version: int = 0
    """Of the template."""
    backup: Backup | None = None
    """The last one."""
    backed_up_at: datetime = datetime.min  # noqa: DTZ901 - UTC, without a zone
    as_of: datetime = field(init=False)
    """The last tick."""

    def __post_init__(self) -> None:
        choices = self.choices
        heavy = HEAVY[choices.pick("profile", len(HEAVY), 0.75)]
        self.scheduler = Scheduler(choices, Trouble(2 * heavy, heavy, heavy, heavy))
        self.database = self.product.database
        self.database.reset()
        late_locks = choices.yes("late locks", 0.5)
        if isinstance(self.database, Sqlite):
            self.database.late_locks = late_locks
        variant = choices.pick("variant", len(VARIANTS), 0.6)
        self.plan = self.product.plans[variant]
        on_doubt, self.topic, repeat = VARIANTS[variant]
        self.batch = (100, 1, 2, 3)[choices.pick("batch", 4, 0.7)]
        self.page = (5000, 2)[choices.pick("page", 2, 0.5)]
        self.is_refreshed_for_real = choices.yes("real refresh", 0.1)
        self.eyes = Eyes(self.database)
        scope = StepScope("live", self.plan.name, self.step.name)
        self.oracle = Oracle(self.scheduler, self.eyes, scope, repeat, on_doubt, self.topic == "tips")
        self.provider = Model(self.scheduler, self.oracle)
        self.as_of = self.scheduler.now
        self._add_users()

    @property
    def step(self) -> StepPlan:
        return self.plan.steps[0]

    def run(self) -> None:
        """A run of the loop's job, for a tick of its own."""
        self.as_of = self.scheduler.now
        self.run_again()

    def run_again(self) -> None:
        """A run for the last tick, which the daemon starts again, or a person by hand; each op is tried again."""
        as_of = self.as_of
        self._tried_again(lambda: self._refresh(as_of))
        self._tried_again(lambda: self._reserve(as_of))
        self._tried_again(self.deliver)

    def deliver(self) -> None:
        """The last op alone, as Dagster tries it again."""
        me = self.scheduler.me
        templates = self.product.templates[self.version]
        delivered = deliver(self._session(), plan=self.plan, step=self.step, templates=templates)
        self.scheduler.say(me.name, f"{delivered}")

    def reconcile(self) -> None:
        """The job that closes what runs left behind, if it has anything to do."""
        if is_wanted(self.database.engine, "live", self.scheduler.clock, [self.plan]):
            self.scheduler.say(self.scheduler.me.name, f"{reconcile(self._session(), [self.plan])}")

    def recover(self) -> None:
        """A person tells a ledger from a backup what it sent since."""
        self.scheduler.say(self.scheduler.me.name, f"{recover(self._session(), ['resend'])}")

    def an_edit(self, what: str, user: int) -> Callable[[], None]:
        """The product changes something about a user: what was true is not, and the other way round."""
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
                    self._edit(user, "moves", {"email": address}, lambda: person.addresses.add(address))
                case "suppressed":
                    self._suppress(user)
                case "consent" if person.disagrees_since is None:
                    self._edit(user, "disagrees", {"last_activity_at": None}, lambda: person.disagrees(now()))
                case "consent":
                    self._edit(user, "agrees", {"last_activity_at": AGREED_AT}, person.agrees)
                case "name":
                    person.has_name = not person.has_name
                    self._edit(user, "is renamed", {"name": person.name if person.has_name else None}, lambda: None)
                case _:
                    self.scheduler.say("", f"the provider refuses the addresses of user {user} from now on")
                    self.provider.bad |= person.addresses

        return work

    def an_order(self, what: str) -> Callable[[], None]:
        """A person orders something at the command line."""

        def change(connection: Connection) -> None:
            now, loop = self.scheduler.now, self.plan.name
            match what:
                case "pause":
                    controls.pause(connection, loop, now)
                case "resume":
                    controls.resume(connection, loop, now)
                case _:
                    controls.cancel(connection, loop, now)
                    ledger.cancel(connection, loop, now, now)

        def happened() -> None:
            if what == "pause":
                self.oracle.paused_since = self.oracle.paused_since or self.scheduler.now
            if what == "resume":
                self.oracle.paused_since = None

        return lambda: self._commit(change, what, happened)

    def _suppress(self, user: int) -> None:
        """A user says that they want no marketing, or none of the topic, or their address is dead."""
        person, now = self.oracle.people[user], self.scheduler.now
        is_dead = self.choices.yes(f"dead:{user}", 0.5)
        moves = len(person.addresses) - 1
        address = f"u{user}.{moves}@example.com" if moves else f"u{user}@example.com"

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
            stopped = {address: self.scheduler.now} if is_dead else {"": self.scheduler.now}
            person.stopped = {**stopped, **person.stopped}

        self._commit(change, f"user {user} is suppressed by {'address' if is_dead else 'user'}", happened)

    def _edit(self, user: int, what: str, values: dict[str, object], happened: Callable[[], None]) -> None:
        change = update(users).where(users.c.id == user).values(values)
        self._commit(lambda connection: connection.execute(change), f"user {user} {what}", happened)

    def _commit(self, change: Callable[[Connection], object], what: str, happened: Callable[[], None]) -> None:
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

    def _refresh(self, as_of: datetime) -> None:
        engine, name, clock = self.database.engine, self.scheduler.me.name, self.scheduler.clock
        if not self.is_refreshed_for_real:
            refreshed(engine, self.plan, as_of)
            return
        refresh(
            engine,
            plan=self.plan,
            step=self.step,
            settings=self.product.settings[0],
            as_of=as_of,
            clock=clock,
            run_id=name,
            chunk=self.page,
            beating=beating(self.scheduler),
        )

    def _reserve(self, as_of: datetime) -> None:
        reserved = reserve(
            self.database.engine,
            plan=self.plan,
            step=self.step,
            settings=self.product.settings[0],
            mode=LIVE,
            as_of=as_of,
            clock=self.scheduler.clock,
            page=self.page,
            batch=self.batch,
        )
        self.scheduler.say(self.scheduler.me.name, f"{reserved}")

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
            self.product.settings[self.version],
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
        for user in range(1, 2 + choices.pick("users", 8, 0.9)):
            address = f"u{user}@example.com"
            is_outside = choices.yes(f"outside:{user}", outside)
            left_since = self.scheduler.now if is_outside else None
            self.oracle.people[user] = Person(f"User {user}", {address}, int(not is_outside), left_since=left_since)
            if choices.yes(f"bad:{user}", badness):
                self.provider.bad.add(address)
        columns = {"verified": True, "reminded": False, "last_activity_at": AGREED_AT}
        rows = [
            {
                "id": user,
                "email": f"u{user}@example.com",
                "name": person.name,
                "dormant": bool(person.entries),
                **columns,
            }
            for user, person in self.oracle.people.items()
        ]
        with self.database.eyes.begin() as connection:
            connection.execute(insert(users), rows)


@contextmanager
def numbered_ids() -> Iterator[None]:
    """Have `uuid4` give the same ids in each replay: those of batches order the work."""
    ids = random.Random(1)
    with patch.object(uuid, "uuid4", lambda: uuid.UUID(int=ids.getrandbits(128), version=4)):
        yield
