"""The action's `set`: columns of the users or accounts table, written once the provider has accepted the email."""

from sqlalchemy import Connection, TableClause, Update, false, update
from sqlalchemy.exc import IntegrityError

from skene_dagster.delivery import ledger
from skene_dagster.delivery.model import Batch
from skene_dagster.delivery.send.session import DeliverySession
from skene_dagster.errors import StoreError
from skene_dagster.loops.plan import Email, StepPlan, segment_name
from skene_dagster.loops.planning.accounts import selected_from
from skene_dagster.segments import members
from skene_dagster.segments.conditions import subject
from skene_dagster.settings import Keyed, Settings
from skene_dagster.store.engine import users_table


def write_back(session: DeliverySession, batch: Batch, step: StepPlan) -> None:
    """Write `set` to the users, or accounts, of a batch whose email was accepted. Idempotent, and repeated until it is
    done.

    Raises:
        StoreError: the product's table refuses it.
    """
    email, mapped, about = _email(step), selected_from(step, session.settings), subject(step)

    accepted_in = ledger.accounts_accepted_in if step.per_account else ledger.accepted_in

    def write(connection: Connection) -> None:
        accepted = accepted_in(connection, batch.batch_id)
        if accepted and email.set:
            table = _table(mapped, email)
            try:
                connection.execute(_change(table, mapped, email).where(table.c[mapped.key].in_(accepted)))
            except IntegrityError:
                # Without its cause, which quotes values of a row.
                raise StoreError(
                    f"The table {mapped.table!r} refuses what `set` writes: it violates a key or a constraint.",
                    advice="Change the rows or the loop's `set`: it is written by the next run.",
                ) from None
            segment = segment_name(batch.loop, batch.step)
            members.expect_exits(connection, segment, accepted, session.clock(), about)
        ledger.written_back(connection, batch.batch_id, session.clock())

    session.do(write)


def refuse_what_cannot_be_written(session: DeliverySession, step: StepPlan) -> None:
    """Have the database check `set` by changing no row, before emails leave that cannot be called back.

    Raises:
        StoreError: it refuses: a right or a column is missing, or nothing can be written now.
    """
    change = change_of_nobody(step, session.settings)
    try:
        session.do(lambda connection: connection.execute(change))
    except StoreError as error:
        if error.retryable:
            raise
        columns = ", ".join(name for name, _ in _email(step).set)
        table = selected_from(step, session.settings).table
        raise StoreError(
            f"No email is sent, because `set` could not be written ({columns} of {table}). {error.message}",
            advice=error.advice,
        ) from error


def change_of_nobody(step: StepPlan, settings: Settings) -> Update:
    """Write `set` to no row; whether it may be written is checked all the same."""
    email, mapped = _email(step), selected_from(step, settings)
    return _change(_table(mapped, email), mapped, email).where(false())


def _email(step: StepPlan) -> Email:
    assert step.email is not None
    return step.email


def _table(mapped: Keyed, email: Email) -> TableClause:
    return users_table(mapped, *dict(email.set), *([mapped.updated_at.column] if mapped.updated_at else []))


def _change(table: TableClause, mapped: Keyed, email: Email) -> Update:
    # The product's own time of change stays as it is, so that our writes trigger no loop.
    changed = mapped.updated_at.column if mapped.updated_at else None
    kept = {} if changed is None else {changed: table.c[changed]}
    return update(table).values({**dict(email.set), **kept})
