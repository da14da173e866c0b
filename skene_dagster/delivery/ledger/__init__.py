"""The ledger: what was decided about each member, and each batch on its way to the provider.

This package and `reserve` own skene_sends and skene_batches: rows are decided and batches cut there, and everything
that happens to them afterwards stands here, one statement or two to a function.
"""

from skene_dagster.delivery.ledger.reading import (
    TO_DO,
    accepted_in,
    batch_of,
    counts,
    emails_in_doubt,
    frozen,
    in_doubt,
    loops,
    members_of,
    oldest_open,
    steps_with_unsent_batches,
    to_do,
    unresolved,
    was_ever_reserved,
)
from skene_dagster.delivery.ledger.recovering import newest_attempt, recovered, remember, render_anew, set_apart, tried
from skene_dagster.delivery.ledger.scope import Scope, batches_of, send_id, sends_of
from skene_dagster.delivery.ledger.sending import LEASE, begin_attempt, begun, claim, freeze, nothing_happened, release
from skene_dagster.delivery.ledger.settling import (
    cancel,
    doubt,
    drop,
    drop_step,
    give_up,
    refuse,
    renew,
    settle,
    split,
    written_back,
)

__all__ = [
    "LEASE",
    "TO_DO",
    "Scope",
    "accepted_in",
    "batch_of",
    "batches_of",
    "begin_attempt",
    "begun",
    "cancel",
    "claim",
    "counts",
    "doubt",
    "drop",
    "drop_step",
    "emails_in_doubt",
    "freeze",
    "frozen",
    "give_up",
    "in_doubt",
    "loops",
    "members_of",
    "newest_attempt",
    "nothing_happened",
    "oldest_open",
    "recovered",
    "refuse",
    "release",
    "remember",
    "render_anew",
    "renew",
    "send_id",
    "sends_of",
    "set_apart",
    "settle",
    "split",
    "steps_with_unsent_batches",
    "to_do",
    "tried",
    "unresolved",
    "was_ever_reserved",
    "written_back",
]
