"""A loop that is about accounts: who of one is mailed, what its steps may be, and from what they select."""

from skene_dagster.loops import model
from skene_dagster.loops.field_types import Recipient
from skene_dagster.loops.plan import LoopPlan, StepPlan
from skene_dagster.loops.planning.faults import Faults
from skene_dagster.settings import FILE, Accounts, Keyed, Settings


def recipient_of(loop: model.Loop, settings: Settings, faults: Faults) -> Recipient | None:
    """Say who of an account a loop mails; None of a loop that is about users."""
    if loop.per == "user":
        if loop.recipient is not None:
            advice = "Leave it out, or write `per: account`."
            faults.refuse(
                ("recipient",), "'recipient' says who of an account is mailed; this loop is about users.", advice
            )
        return None
    if settings.accounts is None:
        faults.refuse(
            ("per",), f"{FILE} does not say where the accounts are.", "Add `accounts:` there, with their table."
        )
    if loop.recipient is None:
        advice = "Add `recipient: owner`, most_recently_active or everybody."
        faults.refuse(("per",), "The loop does not say who of an account is mailed.", advice)
    elif loop.recipient == "owner" and settings.accounts is not None and not settings.accounts.owner.strip():
        advice = f"Add `owner: <a column, or SQL>` under `accounts:` in {FILE}."
        faults.refuse(("recipient",), f"{FILE} does not say who owns an account.", advice)
    return loop.recipient or "owner"


def is_per_account(plan: LoopPlan) -> bool:
    """Whether a loop is about accounts, not about users."""
    return any(step.per_account for step in plan.steps)


def selected_from(step: StepPlan, settings: Settings) -> Keyed:
    """Return the product's table whose rows the step's condition selects."""
    return accounts_of(settings) if step.per_account else settings.users


def accounts_of(settings: Settings) -> Accounts:
    """Return where the accounts are; planning refuses a loop that is per account where there are none."""
    assert settings.accounts is not None
    return settings.accounts
