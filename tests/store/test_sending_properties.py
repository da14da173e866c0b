"""Whatever happens, in whatever order: each member is mailed exactly once, or the ledger says why not.

A machine of hypothesis plays a growth team's worst month: lost answers, refusals, throttling, crashes between any two
transactions, second runs inside the first one's request, days that pass, templates that are edited, pauses. The
provider is honest and forgets keys after 24 hours: a batch that is sent again later is a second email.
"""

import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from delivery_world import MJML, START, Script, World, make_world
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from neighbours import own
from sqlalchemy import event, select

from skene_dagster.delivery import controls
from skene_dagster.delivery.message import Frozen, Message
from skene_dagster.delivery.providers.base import (
    Absent,
    Accepted,
    Answer,
    Finding,
    Found,
    Refused,
    Throttled,
    Turns,
    Unknown,
    Unprovable,
    at_once,
)
from skene_dagster.delivery.reconcile import reconcile
from skene_dagster.errors import SkeneError
from skene_dagster.store.engine import open_engine, transaction
from skene_dagster.store.tables import batches, sends

KEY_LIVES = timedelta(hours=24)
FAULTS = [
    *("lost", "never", "throttled", "late", "quota", "409", "dies before", "dies after", "second run", "slept"),
    "worked on",
]
WORKED_ON = timedelta(minutes=9)
"""How long the provider may still work on a request of which the connection was cut."""


class Died(BaseException):
    """The process is gone; nothing of ours catches it."""


@dataclass
class Honest(Script):
    """A provider that keeps its word: a key for 24 hours, a strict batch, and records of what it accepted.

    Its records prove no absence unless they show something that came after the attempt in question.
    """

    world: World | None = None
    bad: set[str] = field(default_factory=set)
    """Addresses that it refuses."""
    may_read: bool = True
    times: Counter[str] = field(default_factory=Counter)
    """How often each send was accepted."""
    ids: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    _kept: dict[str, tuple[datetime, tuple[Message, ...], tuple[str, ...]]] = field(default_factory=dict)
    _working: dict[str, tuple[datetime, tuple[Message, ...]]] = field(default_factory=dict)
    """What it is still working on, and until when."""
    _last: datetime = START
    """When it last answered a request."""

    def send_batch(self, batch: Frozen, key: str) -> Answer:
        assert self.world is not None
        self._look_at_the_ledger(batch, key)
        self._work_on()
        messages = batch.messages()
        if key in self._working:
            return Throttled(5.0, "still running", everybody=False)
        fault = self.faults.pop(0) if self.faults else ""
        match fault:
            case "worked on":
                self._working[key] = (self.world.now + WORKED_ON, messages)
                return Unknown("the connection was cut")
            case "never":
                return Unknown("no route to host")
            case "throttled":
                return Throttled(1.0, "slow down")
            case "late":
                self.world.days_pass(25 / 24)
                return Throttled(1.0, "slow down")
            case "quota":
                return Throttled(3600.0, "quota")
            case "409":
                return Throttled(5.0, "still running", everybody=False)
            case "dies before":
                raise Died
            case "second run":
                self._run_another()
            case "slept":
                self.world.now += timedelta(minutes=2)
                self._run_another()
        answer = self._take(messages, key)
        if fault == "dies after":
            raise Died
        return Unknown("the connection was cut") if fault == "lost" else answer

    def find(self, batch: Frozen, since: datetime, until: datetime, turn: Turns = at_once) -> Finding:
        del turn
        self._work_on()
        if not self.may_read:
            return Unprovable("denied")
        for at, messages, ids in self._kept.values():
            if since <= at and tuple(m.send_id for m in messages) == batch.send_ids:
                return Found(ids)
        return Absent() if self._last > until else Unprovable("perhaps they are older")

    def _work_on(self) -> None:
        assert self.world is not None
        for key, (until, messages) in list(self._working.items()):
            if until <= self.world.now:
                del self._working[key]
                self._take(messages, key, until)

    def _take(self, messages: Sequence[Message], key: str, at: datetime | None = None) -> Answer:
        assert self.world is not None
        self._last = self.world.now
        known = self._kept.get(key)
        if known is not None and self.world.now - known[0] < KEY_LIVES:
            return Accepted(known[2]) if known[1] == tuple(messages) else Unknown("409: another payload")
        if any(message.to in self.bad for message in messages):
            return Refused("invalid address")
        ids = tuple(f"{len(self._kept)}-{message.send_id}"[:60] for message in messages)
        self._kept[key] = (at or self.world.now, tuple(messages), ids)
        for message, identity in zip(messages, ids, strict=True):
            self.times[message.send_id] += 1
            self.ids[message.send_id] = identity
        return Accepted(ids)

    def _run_another(self) -> None:
        assert self.world is not None
        with suppress(SkeneError):
            self.world.deliver(owner="another")

    def _look_at_the_ledger(self, batch: Frozen, key: str) -> None:
        """At each request the ledger says already that the provider may have these very bytes."""
        assert self.world is not None
        with self.world.engine.connect() as connection:
            row = connection.execute(
                select(batches).where(own(batches), batches.c.batch_id == key.rpartition("/")[2])
            ).one()
        assert row.unresolved_since is not None
        assert Frozen.unpacked(row.send_ids.split(), row.payload) == batch


class Sending(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.engine = open_engine(f"sqlite:///{self.folder / 'skene.db'}")
        self.world = make_world(self.engine, self.folder)
        generous = self.world.settings.limits.model_copy(update={"least_change": 10**6})
        self.world.settings = replace(self.world.settings, limits=generous)
        self.provider = Honest(world=self.world)
        self.world.provider = self.provider
        self.users = 0
        self.crash_in: int | None = None
        for moment in ("begin", "commit"):
            event.listen(self.engine, moment, self._maybe_crash)

    @rule(count=st.sampled_from([1, 3, 120]), bad=st.booleans())
    def users_come(self, count: int, bad: bool) -> None:
        first, self.users = self.users + 1, self.users + count
        self.world.add(*range(first, self.users + 1))
        if bad:
            self.provider.bad.add(f"u{first}@example.com")

    @rule(
        faults=st.lists(st.sampled_from(FAULTS), max_size=4),
        crash_in=st.none() | st.integers(1, 40),
        refreshes=st.booleans(),
    )
    def a_run(self, faults: list[str], crash_in: int | None, refreshes: bool) -> None:
        self.provider.faults, self.crash_in = list(faults), crash_in
        try:
            if refreshes:
                self.world.refresh()
                self.world.reserve()
            self.world.deliver()
        except SkeneError:
            pass
        except Died:
            # The connections of a process die with it.
            self.engine.dispose()
        self.provider.faults, self.crash_in = [], None

    @rule(faults=st.lists(st.sampled_from(FAULTS), max_size=2))
    def a_reconciliation(self, faults: list[str]) -> None:
        self.provider.faults = list(faults)
        with suppress(SkeneError, Died):
            reconcile(self.world.desk(owner="reconcile"), [self.world.plan])
        self.engine.dispose()
        self.provider.faults = []

    @rule(hours=st.sampled_from([0.05, 0.12, 0.2, 1.5, 25.0]))
    def time_passes(self, hours: float) -> None:
        self.world.days_pass(hours / 24)

    @rule(words=st.sampled_from(["Hello", "Dear", "Good morning"]))
    def the_template_is_edited(self, words: str) -> None:
        (self.folder / "templates" / "hello.mjml").write_text(MJML.replace("Hello", words), encoding="utf-8")

    @rule(paused=st.booleans())
    def an_order(self, paused: bool) -> None:
        if paused:
            transaction(self.engine, lambda c: controls.pause(c, "retention", self.world.now))
        else:
            transaction(self.engine, lambda c: controls.resume(c, "retention"))

    @rule(may_read=st.booleans())
    def the_records(self, may_read: bool) -> None:
        self.provider.may_read = may_read

    @invariant()
    def nobody_is_mailed_twice(self) -> None:
        if hasattr(self, "provider"):
            assert [send for send, times in self.provider.times.items() if times > 1] == []

    def teardown(self) -> None:
        if not hasattr(self, "provider"):
            return
        try:
            self._heal()
            self.nobody_is_mailed_twice()
            self._judge()
        finally:
            self.engine.dispose()
            shutil.rmtree(self.folder)

    def _heal(self) -> None:
        self.an_order(paused=False)
        self.provider.may_read = True
        for hours in (25.0, 0.2, 1.1, 1.1, 0.2, 0.2):
            self.world.days_pass(hours / 24)
            # Whoever comes new shows that the records are as new.
            self.users_come(1, bad=False)
            self.world.tick()
            self.world.days_pass(0.1 / 24)
            reconcile(self.world.desk(owner="healer"), [self.world.plan])

    def _judge(self) -> None:
        with self.engine.connect() as connection:
            rows = connection.execute(select(sends).where(own(sends))).all()
            open_batches = connection.execute(
                select(batches).where(own(batches), batches.c.state.not_in(("settled", "split")))
            ).all()
        assert open_batches == []
        assert len(rows) == self.users
        for row in rows:
            times = self.provider.times[row.send_id]
            match row.state:
                case "accepted":
                    assert (times, row.provider_id) == (1, self.provider.ids[row.send_id])
                case "refused":
                    assert (times, f"u{row.user_id}@example.com" in self.provider.bad) == (0, True)
                case "skipped":
                    assert (times, row.reason) == (0, "too_late")
                case _:
                    raise AssertionError(f"{row.state} {row.reason}, accepted {times} times")

    def _maybe_crash(self, _connection: object) -> None:
        if self.crash_in is not None:
            self.crash_in -= 1
            if self.crash_in == 0:
                self.crash_in = None
                raise Died


TestSending = Sending.TestCase
TestSending.settings = settings(
    max_examples=40,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
