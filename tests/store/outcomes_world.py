"""People who are compared, what they then do, and a loop with goals that a test writes."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Engine, insert, select, text
from usage_world import World as Usage
from usage_world import at

from skene_dagster.documents import parse
from skene_dagster.errors import LoopInvalid, LoopSyntaxError, SettingsError
from skene_dagster.loops.all_loops import AllLoops, Compared
from skene_dagster.loops.model import Loop
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.loops.planning.goals import plan_all_loops
from skene_dagster.loops.planning.loop import plan_loop
from skene_dagster.outcomes import windows
from skene_dagster.outcomes.windows import Measured
from skene_dagster.settings import FILE, ProjectFile, Sender, Settings
from skene_dagster.store.engine import is_sqlite
from skene_dagster.store.tables import arms, outcomes
from skene_dagster.yaml_document import parse_yaml

MODE = "live"
LOOP = """\
type: retention
holdout: 50%
steps:
  - trigger: {type: schedule, cron: 0 9 * * *}
    condition: {type: query, query: SELECT id FROM users}
    action: {type: email, template: hello, transactional: true}
"""
BACK = "{returns_within: 7d}"
PAID = '{query: "SELECT user_id, paid_at AS at, amount AS value FROM invoices", within: 7d}'

ENROLLED = at(10)

Reached = dict[object, tuple[datetime | None, float | None, str]]


@dataclass
class World:
    engine: Engine
    key_type: str = "BIGINT"
    goal: str = BACK
    usage: Usage = field(init=False)

    def __post_init__(self) -> None:
        self.usage = Usage(self.engine, key_type=self.key_type)
        moment = "DATETIME" if is_sqlite(self.engine) else "DATETIME(6)"
        self.usage.sql(
            f"CREATE TABLE invoices (user_id {self.key_type}, paid_at {moment}, amount DECIMAL(10, 2), "
            "seconds BIGINT, note VARCHAR(40))"
        )

    @property
    def settings(self) -> Settings:
        sender = Sender.model_validate({"from": "Acme <hello@example.com>", "postal_address": "1 Example Street"})
        return replace(self.usage.settings, sender=sender)

    @property
    def all_loops(self) -> AllLoops:
        """What skene.yaml says of all loops together, with the goal of this world."""
        document = parse_yaml(f"holdout: 50%\ngoal: {self.goal}\n", FILE, SettingsError)
        project = parse(ProjectFile, document, SettingsError)
        settings = replace(self.settings, holdout=project.holdout, goals=tuple(project.goal or ()))
        return plan_all_loops(settings, document)

    @property
    def plan(self) -> LoopPlan:
        document = parse_yaml(f"{LOOP}goal: {self.goal}\n" if self.goal else LOOP, "loops/x.yaml", LoopSyntaxError)
        return plan_loop(parse(Loop, document, LoopInvalid), document, self.settings)

    def enrol(
        self,
        *users: object,
        when: datetime = ENROLLED,
        loop: str = "retention",
        arm: str = "mailed",
        share: float = 0.5,
        draw: int = 1,
        level: str | None = None,
        variant: str | None = None,
        weights: str | None = None,
    ) -> None:
        """Put users into the comparison."""
        row = {"mode": MODE, "loop": loop, "draw": draw, "arm": arm, "share": share, "level": level}
        row |= {"variant": variant, "weights": weights}
        with self.engine.begin() as connection:
            connection.execute(insert(arms), [row | {"user_id": user, "enrolled_at": when} for user in users])

    def pay(self, user: object, *when: datetime, amount: float | None = 1) -> None:
        rows = [{"user": user, "at": moment.isoformat(" ", "microseconds"), "amount": amount} for moment in when]
        with self.engine.begin() as connection:
            connection.execute(
                text("INSERT INTO invoices (user_id, paid_at, amount) VALUES (:user, :at, :amount)"), rows
            )

    def measure(
        self,
        as_of: datetime,
        number: int = 0,
        *,
        roll: bool = True,
        chunk: int = 3,
        of: Compared | None = None,
    ) -> Measured:
        """Measure a goal of the loop, or of what else is compared, after a rollup."""
        if roll:
            self.usage.roll(as_of)
        plan = of or self.plan
        return windows.measure(
            self.engine, plan=plan, goal=plan.goals[number], settings=self.settings, mode=MODE, as_of=as_of, chunk=chunk
        )

    def give_up(self, *plans: Compared) -> int:
        return windows.give_up(self.engine, MODE, plans, chunk=2)

    def outcomes(self, number: int = 0, plan: Compared | None = None) -> Reached:
        """By user: when they reached it, what it is worth, and the state of their window."""
        of = outcomes.c
        query = select(of.user_id, of.reached_at, of.value, of.state)
        asked = plan or self.plan
        key = asked.goals[number].key
        with self.engine.connect() as connection:
            rows = connection.execute(query.where(of.mode == MODE, of.loop == asked.name, of.goal == key))
            return {row[0]: (row[1], row[2], row[3]) for row in rows}

    def reached(self, number: int = 0) -> dict[object, datetime | None]:
        return {user: found[0] for user, found in self.outcomes(number).items()}
