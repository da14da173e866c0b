"""Writes docs/tables.md: every skene_* table with its columns, from where they are described (`store/tables`).

python docs/site/tables.py
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Table
from sqlalchemy.dialects.mysql import dialect
from sqlalchemy.types import NullType

from skene_dagster.store.tables import metadata

CLONE = Path(__file__).parents[2]
PAGE = CLONE / "docs" / "tables.md"
SOURCES = CLONE / "skene_dagster" / "store" / "tables"

HEAD = """# Tables

The `skene_*` tables, as a server has them. They are yours to read; write them through the commands alone. Moments are
UTC. What one row is, and which code writes it, is in [Architecture](../ARCHITECTURE.md#tables); how long rows are kept,
in [Settings](settings.md#retention). A column `user_id` has the type of your users key, `account_id` that of your
accounts key: compare them with nothing else. `loop` is a reserved word: write it in backquotes.

This page is written by `python docs/site/tables.py`, from the code.
"""

MEANINGS = {
    "mode": "`live`, `redirect` or `outbox`",
    "loop": "the loop's name",
    "step": "the step's name, or the one in `renamed_from`",
    "user_id": "the users key",
    "account_id": "the accounts key",
    "as_of": "the tick that it is about",
    "decided_at": "when it was decided",
    "reason": "why: [the reasons](sending.md#who-gets-no-email)",
    "detail": "what exactly, never a value of the user's",
    "occurrence": "which entry into the segment, or which row, this is about",
    "draw": "which comparison of the loop: `holdout renew` begins another",
    "segment": "`<loop>.<step>`",
    "owner": "the process that holds it now",
    "lease_until": "until when it holds it",
    "send_id": "the email, as in `skene_sends`",
    "provider_id": "the provider's own id of the email",
    "accepted_at": "when the provider accepted it",
    "entered_at": "since when they are inside",
    "exited_at": "until when; 9999-12-31 while it lasts",
    "event_id": "the event's own id: it is stored once",
    "source": "where it comes from: a page, a file, a provider",
    "goal": "which goal, by its kind and a hash of what it says",
    "bounce_type": "the provider's own words",
    "bounce_sub_type": "the provider's own words",
    "status_codes": "enhanced status codes (RFC 3463), with spaces between",
    "uses": "how many events",
    "first_at": "the first of them",
    "last_at": "the last of them",
    "to_do": "what to do about it",
    "said": "what is wrong",
    "first_as_of": "the tick of the first",
    "skene_account_decisions.state": "`skipped`, `mailed` (what became of it, its sends say) or `held_out`",
    "skene_account_sends.send_occurrence": "`occurrence` of `skene_sends`",
    "skene_alerts.refused_at": "when it refused the last one",
    "skene_alerts.answer": "what it answered",
    "skene_batches.state": "[its state](sending.md#the-life-of-a-batch)",
    "skene_batches.size": "how many emails",
    "skene_batches.parent_id": "the batch that it was cut out of, or replaces",
    "skene_batches.reserved_at": "when it was decided",
    "skene_batches.recipients": "hashes, as in `skene_suppressions`, with spaces between; gone with the body",
    "skene_batches.frozen_at": "when its bytes were made",
    "skene_batches.first_attempt_at": "when it was sent first",
    "skene_batches.last_attempt_at": "when it was sent last",
    "skene_batches.attempts": "how often it was sent",
    "skene_batches.settled_at": "when nothing was left to do",
    "skene_controls.paused_at": "since when it is paused; NULL: it is not",
    "skene_definitions.digest": "of what skene.yaml says of it",
    "skene_engagement_levels.left_at": "until when; 9999-12-31 while it lasts",
    "skene_engagement_levels.entered_at": "since when they are at the level",
    "skene_entitlements.lifted_at": "until when; 9999-12-31 while they are blocked",
    "skene_entitlements.blocked_at": "since when",
    "skene_entitlements.message": "what the product shows them",
    "skene_erasures.erasure_id": "a random id",
    "skene_erasures.erased_at": "when",
    "skene_events.name": "the event's name",
    "skene_events.occurred_at": "when it happened",
    "skene_events_ahead.day": "the day (UTC)",
    "skene_failures.op": "the op, as Dagster names it",
    "skene_feature_adoption.feature": "the feature, by its name in skene.yaml",
    "skene_feature_adoption.days": "on how many days",
    "skene_feature_adoption.state_since": "since when it is so",
    "skene_incidents.kind": "[its kind](alerts.md)",
    "skene_incidents.over_told_to": "which targets know that it is over, with spaces between",
    "skene_meta.name": "what it is",
    "skene_meta.value": "its value; of keys and salts, a secret",
    "skene_milestones.milestone": "the milestone, by its name in skene.yaml",
    "skene_outcomes.window_ends_at": "when their time to reach it is over",
    "skene_pacing.account": "a hash of the provider's account",
    "skene_preferences.said_at": "when they said it",
    "skene_receipt_counts.accepted": "emails that the provider accepted",
    "skene_receipt_counts.delivered": "that were delivered",
    "skene_receipt_counts.bounced": "that came back for good: the address is dead",
    "skene_receipt_counts.bounced_softly": "that came back for now",
    "skene_receipt_counts.blocked": "that came back for a reason that is about the sender",
    "skene_receipt_counts.failed": "that the provider could not send after all",
    "skene_receipt_counts.complained": "that were reported as spam",
    "skene_receipt_counts.said_no": "whose link was used to say no",
    "skene_receipt_counts.opened": "that were opened",
    "skene_receipt_counts.clicked": "that were clicked",
    "skene_receipt_counts.by_machines": "that machines opened, within seconds of delivery",
    "skene_receipts.delivered_at": "when it was delivered",
    "skene_receipts.delayed_at": "when it was delayed first",
    "skene_receipts.bounced_at": "when it came back",
    "skene_receipts.complained_at": "when it was reported as spam",
    "skene_receipts.opened_at": "when it was opened first",
    "skene_receipts.clicked_at": "when it was clicked first",
    "skene_receipts.last_clicked_at": "when it was clicked last",
    "skene_receipts.unsubscribed_at": "when its link was used to say no",
    "skene_rollups.rollup": "which rollup",
    "skene_rollups.fence": "grows with each rollup that starts; only the highest may write",
    "skene_rollups.finished_at": "when the last one was done",
    "skene_segments.members": "how many are inside",
    "skene_segments.exited": "how many left, by the last refresh",
    "skene_segments.refreshed_at": "when the last refresh was done",
    "skene_sends.batch_id": "the batch that carries it",
    "skene_sends.position": "its place in the batch",
    "skene_suppressions.recipient": "a salted hash: `1:…` of an address, `u:…` and `a:…` of a user's or account's key",
    "skene_suppressions.lift_reason": "why it was lifted",
    "skene_triggered.triggered_at": "when the row was written or changed",
    "skene_user_days.day": "the day (UTC)",
    "skene_user_days.event": "the event's name",
    "skene_warm_ups.domain": "the domain",
    "skene_warm_ups.waited_on": "the day",
    "skene_webhooks.provider": "who posted it",
    "skene_webhooks.happened_at": "when it happened",
    "skene_webhooks.received_at": "when it was posted here",
}
"""What columns mean that have no words beside them in the code: of one table, or wherever they stand."""

SAME_OF_USERS = {
    "skene_account_arms": "skene_arms",
    "skene_account_deferred": "skene_deferred",
    "skene_account_members": "skene_segment_members",
    "skene_account_triggered": "skene_triggered",
}
"""Tables about accounts whose columns are those of another, which is about users."""


def page() -> str:
    """Return the whole page."""
    texts = [file.read_text(encoding="utf-8") for file in sorted(SOURCES.glob("*.py"))]
    described = {name: said for text in texts for name, said in _described(text)}
    parts = [HEAD]
    for table in sorted(metadata.tables.values(), key=lambda one: one.name):
        rows = "\n".join(_row(table, column, described) for column in table.columns)
        parts.append(f"## {table.name}\n\n| column | type | meaning |\n|---|---|---|\n{rows}\n")
    return "\n".join(parts)


def _row(table: Table, column: Column[Any], described: dict[str, str]) -> str:
    of_users = SAME_OF_USERS.get(table.name, table.name)
    names = [f"{table.name}.{column.name}", f"{of_users}.{column.name}"]
    said = [described[name] for name in names if name in described]
    said += [MEANINGS[name] for name in (*names, column.name) if name in MEANINGS]
    if not said:
        raise SystemExit(f"{names[0]}: nothing says what it means; write a comment beside the column")
    kind = "as your key" if isinstance(column.type, NullType) else column.type.compile(dialect())
    key = ", key" if column.primary_key else ", may be NULL" if column.nullable else ""
    return f"| `{column.name}` | {kind}{key} | {said[0]} |"


def _described(source: str) -> Iterator[tuple[str, str]]:
    """Yield what the comments beside the columns of a file say, by `<table>.<column>`."""
    table = ""
    for line in source.splitlines():
        if named := re.match(r'\s+"(skene_\w+)",$', line):
            table = named[1]
        elif said := re.match(r'\s+Column\("(\w+)".*\),\s+# (.+)$', line):
            yield f"{table}.{said[1]}", said[2].replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
