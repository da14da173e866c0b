"""The outbox: a folder that emails are written to in place of being sent."""

from datetime import timedelta

from skene_dagster.delivery.providers.base import Terms

TERMS = Terms(
    batch_limit=100,
    # The folder keeps its records for ever; how long is asked only so that a rehearsal goes as the real thing does.
    key_lives=timedelta(hours=23),
    key_is_kept=timedelta(hours=24),
    proves_after=timedelta(minutes=10),
    starts_at=1000.0,
)
