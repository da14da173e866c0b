"""The skene_* tables, as statements see them. The migrations create them; a test holds the two together.

Times are DATETIME(6) in UTC. `user_id` has the very type and collation of the mapped users key (NullType here:
values pass through as the driver gives them); TiDB compares a number column with a text column as DOUBLE and
matches the wrong people (seen 2026-11), so no statement may ever compare the key with anything else.
"""

from skene_dagster.store.tables.accounts import (
    account_arms,
    account_decisions,
    account_deferred,
    account_members,
    account_people,
    account_sends,
    account_triggered,
    accounts_of_type,
)
from skene_dagster.store.tables.consent import erasures, preferences, suppressions
from skene_dagster.store.tables.database import OPEN, Moment, meta, metadata
from skene_dagster.store.tables.feedback import receipt_counts, receipts, webhooks
from skene_dagster.store.tables.incidents import alerts, failures, incidents
from skene_dagster.store.tables.membership import entitlements, segment_members, segments, triggered
from skene_dagster.store.tables.outcomes import arms, goals, outcome_counts, outcomes
from skene_dagster.store.tables.sending import (
    batches,
    contacts,
    controls,
    deferred,
    pacing,
    recovered,
    sends,
    steps,
    warm_ups,
)
from skene_dagster.store.tables.usage import (
    definitions,
    engagement_levels,
    events,
    events_ahead,
    feature_adoption,
    milestones,
    rollups,
    user_activity,
    user_days,
)
from skene_dagster.store.tables.versions import versions

__all__ = [
    "OPEN",
    "Moment",
    "account_arms",
    "account_decisions",
    "account_deferred",
    "account_members",
    "account_people",
    "account_sends",
    "account_triggered",
    "accounts_of_type",
    "alerts",
    "arms",
    "batches",
    "contacts",
    "controls",
    "deferred",
    "definitions",
    "engagement_levels",
    "entitlements",
    "erasures",
    "events",
    "events_ahead",
    "failures",
    "feature_adoption",
    "goals",
    "incidents",
    "meta",
    "metadata",
    "milestones",
    "outcome_counts",
    "outcomes",
    "pacing",
    "preferences",
    "receipt_counts",
    "receipts",
    "recovered",
    "rollups",
    "segment_members",
    "segments",
    "sends",
    "steps",
    "suppressions",
    "triggered",
    "user_activity",
    "user_days",
    "versions",
    "warm_ups",
    "webhooks",
]
