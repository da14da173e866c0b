"""Which values count as NULL because they are not moments, in what a step reads and what skene.yaml maps."""

from collections.abc import Iterator

from sqlalchemy import Connection

from skene_dagster.loops.plan import Query, StepPlan
from skene_dagster.loops.planning.user_tests import plan_asked, plan_mailable
from skene_dagster.loops.triggers import Rows
from skene_dagster.product import mapped_moments, sql_moments
from skene_dagster.product.mapped_moments import Unreadable
from skene_dagster.settings import Settings

__all__ = ["Unreadable", "of_step", "of_usage"]

MOST, MOST_OF_ROWS = 1_000_000, 100_000
"""Tables with more rows are not counted; the second number is for steps that single rows trigger, perhaps every
minute."""


def of_step(connection: Connection, step: StepPlan, settings: Settings) -> list[Unreadable]:
    """Count them in the columns that a step's condition and trigger read, `users.mailable`, and `asked`."""
    return list(dict.fromkeys(_of_step(connection, step, settings)))


def _of_step(connection: Connection, step: StepPlan, settings: Settings) -> Iterator[Unreadable]:
    most = MOST_OF_ROWS if step.by_row else MOST
    if isinstance(step.condition, Query):
        yield from sql_moments.unreadable(connection, step.condition, most=most)
    if isinstance(step.trigger, Rows):
        yield from mapped_moments.unreadable(connection, step.trigger.table, step.trigger.at, most=MOST_OF_ROWS)
    tests = [plan_mailable(settings.users)]
    if step.email is not None and step.email.topic is not None:
        asked = plan_asked(step.email.topic, settings.topics[step.email.topic])
        tests += [] if asked is None else [asked]
    for test in tests:
        yield from sql_moments.unreadable(connection, test, settings.users.table, most=most)


def of_usage(connection: Connection, settings: Settings) -> list[Unreadable]:
    """Count them in the columns from which events are counted."""
    users, events = settings.users, settings.events
    mapped = [(users.table, users.created_at), (events.table, events.at), (events.table, events.arrived)]
    return [
        found
        for table, column in mapped
        if column is not None
        for found in mapped_moments.unreadable(connection, table, column, most=MOST)
    ]
