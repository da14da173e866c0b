"""What the decisions of a step depend on beside its users, in short."""

import hashlib

from skene_dagster.loops.plan import LoopPlan, StepPlan
from skene_dagster.settings import Settings


def digest(plan: LoopPlan, step: StepPlan, settings: Settings) -> str:
    """Return 64 hex digits that differ where a decision might: then all who wait are due."""
    users, email = settings.users, step.email
    assert email is not None
    topic = () if email.topic is None else (email.topic, settings.topics[email.topic])
    depends_on: tuple[object, ...] = (
        email.repeat,
        plan.start,
        plan.priority,
        plan.zone_of(step).key,
        email.template,
        email.hours,
        settings.limits.caps,
        topic and (topic[0], topic[1].default, topic[1].asked),
        (users.table, users.key, users.email, users.mailable),
    )
    if step.recipient is not None:
        depends_on += (step.recipient, settings.accounts)
    return hashlib.sha256(repr(depends_on).encode()).hexdigest()
