"""What only the database knows about a goal's query: whether it runs, and whether its columns are what a goal needs."""

from collections.abc import Iterator

from sqlalchemy import Connection, inspect, select

from skene_dagster.checks.db_errors import at_word, columns_in, meant, needed_at, planned, unknown_column, unknown_table
from skene_dagster.errors import DocumentError, QueryRejected, SkeneError, StoreError
from skene_dagster.goals.happened import answer, path_of, refuse_unfit
from skene_dagster.loops.all_loops import Compared
from skene_dagster.loops.plan import GoalPlan
from skene_dagster.settings import Settings
from skene_dagster.store.engine import is_sqlite, users_table
from skene_dagster.store.tables import metadata


def check_goals(connection: Connection, plan: Compared, settings: Settings) -> list[SkeneError]:
    """List what is wrong with the queries of goals, of a loop or of all loops; each has one fault at most.

    On a server nothing is evaluated. On SQLite, where a column may hold anything, what they return is read.

    Returns:
        QueryRejected; and for each right that the database user lacks a StoreError, at the query that needs it.

    Raises:
        StoreError: the database cannot be asked.
    """
    found: list[SkeneError] = []
    for goal in plan.goals:
        if goal.query is None:
            continue
        try:
            with needed_at(plan.document.text_place(path_of(plan, goal))):
                found += _check(connection, plan, goal, settings)
        except StoreError as denied:
            if denied.place is None:
                raise
            found.append(denied)
    return found


def _check(connection: Connection, plan: Compared, goal: GoalPlan, settings: Settings) -> Iterator[DocumentError]:
    query, path, users = goal.query, path_of(plan, goal), settings.users
    assert query is not None
    try:
        said = planned(connection, select(answer(connection, plan, goal)))
        if is_sqlite(connection) and unknown_table(said) in metadata.tables:
            return  # the first run creates it
        if not said:
            refuse_unfit(connection, plan, goal, settings, select(users_table(users).c[users.key]))
            return
    except QueryRejected as error:
        yield error
        return
    known = [name for source in query.tables for name in columns_in(connection, source)]
    advice = meant(said, known, inspect(connection).get_table_names())
    place = plan.document.text_place(path, at_word(query.author, unknown_column(said) or unknown_table(said)))
    yield QueryRejected(f"The database refuses this SQL: {said}.", advice=advice, place=place)
