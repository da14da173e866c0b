"""How every op and asset of ours begins, and what it then has at hand."""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from typing import TypeAlias

import dagster as dg
from sqlalchemy import Engine

from skene_dagster.compiler import window
from skene_dagster.compiler.retry_policy import working
from skene_dagster.delivery import modes
from skene_dagster.delivery.modes import Mode
from skene_dagster.delivery.send.session import DeliverySession
from skene_dagster.incidents.failures import Op, noted
from skene_dagster.settings import Settings
from skene_dagster.store import environment, schema
from skene_dagster.store.engine import Clock, database_clock

Context: TypeAlias = dg.OpExecutionContext | dg.AssetExecutionContext
Resources: TypeAlias = Mapping[str, dg.ResourceDefinition]


@dataclass(frozen=True)
class Work:
    """The work of one op: a database whose tables are ready and of this environment, its clock, and the run's tick."""

    context: Context
    database: Engine
    settings: Settings
    clock: Clock

    @property
    def run_id(self) -> str:
        """The run's own."""
        return self.context.run.run_id

    @cached_property
    def as_of(self) -> datetime:
        """Which moment the run is for."""
        return window.as_of(self.context.run, self.context.instance)

    @cached_property
    def mode(self) -> Mode:
        """Where emails go."""
        return modes.choose(self.settings)

    def refuse_the_future(self) -> None:
        """Refuse, in production, a run for a moment that is still to come."""
        window.refuse_the_future(self.as_of, self.clock(), self.settings)

    @contextmanager
    def session(self) -> Iterator[DeliverySession]:
        """Open a delivery session, whose owner is this attempt of this op in this process."""
        session = DeliverySession(
            self.database,
            self.settings,
            self.mode,
            partial(modes.provider, self.mode, self.settings, self.clock),
            self.clock,
            owner=f"{self.run_id}.{self.context.retry_number}.{os.getpid()}",
            say=self.context.log.info,
        )
        with closing(session):
            yield session


@contextmanager
def begun(context: Context, database: Engine, settings: Settings, *, loop: str = "", step: str = "") -> Iterator[Work]:
    """Begin an op: sign its statements, bring the tables up to date, and refuse another environment's database.

    While it fails, the database knows.
    """
    with working(context.run.run_id, loop=loop, step=step):
        schema.ready(database, settings.users, settings.accounts)
        environment.belong(database, settings.environment)
        clock = database_clock(database)
        with noted(database, Op(loop, step, _op(context)), clock):
            yield Work(context, database, settings, clock)


def _op(context: Context) -> str:
    inner = context.op_execution_context if isinstance(context, dg.AssetExecutionContext) else context
    return str(inner.op_def.name)
