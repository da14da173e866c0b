"""What the emails of a step are made from."""

from dataclasses import dataclass

from skene_dagster.delivery.email.templates import Templates
from skene_dagster.delivery.send.late import LateTicks
from skene_dagster.delivery.send.records import Policy
from skene_dagster.delivery.send.session import DeliverySession
from skene_dagster.loops.plan import Email, LoopPlan, StepPlan


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

    def policy(self, session: DeliverySession) -> Policy:
        """Read what the loop says of a batch's outcome."""
        return Policy.of(session, self.email, self.plan.on_doubt)
