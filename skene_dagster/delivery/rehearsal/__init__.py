"""Rehearse: what a tick would decide and send, found without writing anything.

The decisions come from the same pure function, and the facts from the same queries, as those of `reserve`. Where the
skene_* tables are not there yet, everybody enters for the first time.
"""

from skene_dagster.delivery.rehearsal.rehearse import held_before, rehearse, rehearse_recipient, rehearse_user
from skene_dagster.delivery.rehearsal.stage import Case, Rehearsal, Stage, budgets_of, known, language, render

__all__ = [
    "Case",
    "Rehearsal",
    "Stage",
    "budgets_of",
    "held_before",
    "known",
    "language",
    "rehearse",
    "rehearse_recipient",
    "rehearse_user",
    "render",
]
