"""Whom a tick decides about, and what was decided."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from skene_dagster.delivery.decide.eligibility import Decision, Mail
from skene_dagster.delivery.ledger.decisions.account_model import NewAccount
from skene_dagster.delivery.model import Past, Waiting


@dataclass(frozen=True)
class Candidate:
    """A user to decide about, or one of their rows; or an account."""

    user_id: object
    """The account's key, where the step is about accounts."""
    entered_at: datetime | None
    """The tick at which they entered, or their row was found; None: they left, or it is forgotten."""
    occurrence: str | None = None
    """The row; None: a member who entered."""
    waiting: Waiting | None = None
    """They were deferred."""


@dataclass(frozen=True)
class CandidateDecision:
    """What was decided about a candidate, and what the ledger knew before about the user or the row."""

    candidate: Candidate
    decision: Decision
    past: Past | None
    recipient: str | None = None
    """To whom the email is counted; None: it is not, or there is none."""
    account: NewAccount | None = None
    """What is to be written down about an account; None: the candidate is a user."""
    mailed: Sequence[object] = ()
    """The users who are mailed about the account."""

    @property
    def emails(self) -> int:
        """How many emails it makes."""
        return len(self.mailed) if self.account is not None else int(isinstance(self.decision, Mail))
