"""The action's `set`: columns of the users table, written once the provider has accepted the email."""

from sqlalchemy import Connection, TableClause, Update, false, update
from sqlalchemy.exc import IntegrityError

from skene_dagster.delivery import ledger
from skene_dagster.delivery.model import Batch
from skene_dagster.delivery.send.session import DeliverySession
from skene_dagster.errors import StoreError
from skene_dagster.loops.plan import Email, segment_name
from skene_dagster.segments import members
from skene_dagster.settings import Users
from skene_dagster.store.engine import users_table


def write_back(session: DeliverySession, batch: Batch, email: Email) -> None:
    """Write `set` to the users of a batch whose email was accepted. Idempotent, and repeated until it is done.

    Raises:
        StoreError: the users table refuses it.
    """
    users = session.settings.users

    def write(connection: Connection) -> None:
        accepted = ledger.accepted_in(connection, batch.batch_id)
        if accepted and email.set:
            table = _table(users, email)
            try:
                connection.execute(_change(table, users, email).where(table.c[users.key].in_(accepted)))
            except IntegrityError:
                # Without its cause, which quotes values of a row.
                raise StoreError(
                    f"The table {users.table!r} refuses what `set` writes: it violates a key or a constraint.",
                    advice="Change the rows or the loop's `set`: it is written by the next run.",
                ) from None
            members.expect_exits(connection, segment_name(batch.loop, batch.step), accepted, session.clock())
        ledger.written_back(connection, batch.batch_id, session.clock())

    session.do(write)


def refuse_what_cannot_be_written(session: DeliverySession, email: Email) -> None:
    """Have the database check `set` by changing no row, before emails leave that cannot be called back.

    Raises:
        StoreError: it refuses: a right or a column is missing, or nothing can be written now.
    """
    users = session.settings.users
    change = change_of_nobody(users, email)
    try:
        session.do(lambda connection: connection.execute(change))
    except StoreError as error:
        if error.retryable:
            raise
        columns = ", ".join(name for name, _ in email.set)
        raise StoreError(
            f"No email is sent, because `set` could not be written ({columns} of {users.table}). {error.message}",
            advice=error.advice,
        ) from error


def change_of_nobody(users: Users, email: Email) -> Update:
    """Write `set` to no row; whether it may be written is checked all the same."""
    return _change(_table(users, email), users, email).where(false())


def _table(users: Users, email: Email) -> TableClause:
    return users_table(users, *dict(email.set), *([users.updated_at.column] if users.updated_at else []))


def _change(table: TableClause, users: Users, email: Email) -> Update:
    # The product's own time of change stays as it is, so that our writes trigger no loop.
    changed = users.updated_at.column if users.updated_at else None
    kept = {} if changed is None else {changed: table.c[changed]}
    return update(table).values({**dict(email.set), **kept})
