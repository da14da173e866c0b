"""Whether a step may decide at all: what it is about stays what it was."""

from sqlalchemy import Connection

from skene_dagster.delivery import ledger
from skene_dagster.delivery.ledger import StepScope
from skene_dagster.errors import NoClearance
from skene_dagster.store.subjects import ACCOUNTS


def refuse_another_subject(connection: Connection, scope: StepScope) -> None:
    """Refuse a step that is about accounts and was about users, or the other way round.

    Raises:
        NoClearance: it is one.
    """
    if not ledger.was_about_others(connection, scope):
        return
    now, before = ("accounts", "users") if scope.subject is ACCOUNTS else ("users", "accounts")
    raise NoClearance(
        f"Step {scope.step!r} of {scope.loop!r} is about {now}, and what it decided before is about {before}.",
        advice="Give the step a new name, or the loop; or write `per` as it was.",
    )
