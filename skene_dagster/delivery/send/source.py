"""What the emails of a step are made from."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from skene_dagster.delivery.decide.accounts.checking import AccountsOfBatch
from skene_dagster.delivery.email.templates import Templates
from skene_dagster.delivery.model import Batch, ReservedSend
from skene_dagster.delivery.send.late import LateTicks
from skene_dagster.delivery.send.records import Policy
from skene_dagster.delivery.send.session import DeliverySession
from skene_dagster.goals.arms import arms_of
from skene_dagster.loops.plan import Email, LoopPlan, StepPlan
from skene_dagster.loops.variants import in_variant
from skene_dagster.store.tables import account_arms, arms


@dataclass(frozen=True)
class Source:
    """What the emails of a step are made from."""

    plan: LoopPlan
    step: StepPlan
    templates: Templates
    ledger_id: str
    """What an email says about where it came from."""
    late: LateTicks
    """Who no longer qualifies, if the tick is late."""

    @staticmethod
    def of(session: DeliverySession, plan: LoopPlan, step: StepPlan, templates: Templates, ledger_id: str) -> "Source":
        """Describe a step's emails for one run."""
        return Source(plan, step, templates, ledger_id, LateTicks(plan, step, session.settings, session.mode))

    @property
    def email(self) -> Email:
        """The step's own."""
        assert self.step.email is not None
        return self.step.email

    def emails(
        self, connection: Connection, batch: Batch, waiting: Sequence[ReservedSend], accounts: AccountsOfBatch
    ) -> dict[str, Email]:
        """Say which variant of the email each send of a batch is, by send_id: by its user, or by their account."""
        variants = self.email.variants
        if not variants:
            return dict.fromkeys((row.send_id for row in waiting), self.email)
        keys = {row.send_id: accounts.key(row) if self.step.per_account else row.user_id for row in waiting}
        of = account_arms.c.account_id if self.step.per_account else arms.c.user_id
        asked = list(dict.fromkeys(keys.values()))
        known = arms_of(connection, batch.mode, batch.loop, 0.0, asked, variants=variants, of=of)
        return {send_id: in_variant(self.email, known.variant_of(key)) for send_id, key in keys.items()}

    def policy(self, session: DeliverySession) -> Policy:
        """Read what the loop says of a batch's outcome."""
        return Policy.of(session, self.email, self.plan.on_doubt)
