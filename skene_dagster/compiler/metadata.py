"""What a run reports. Counts come from the database, not from the op: after a retry only the ledger knows them.

Dagster's event log is kept for ever and seen by many: no address and no name may reach it, and a user's key only if it
cannot be one.
"""

import hashlib
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import dagster as dg
from sqlalchemy import Row

from skene_dagster.checks.unreadable import Unreadable
from skene_dagster.delivery.blocking.entitlements import Entitled
from skene_dagster.delivery.decide.reserve import Reserved
from skene_dagster.delivery.ledger import ReceiptCounts
from skene_dagster.delivery.modes import Mode
from skene_dagster.delivery.send.deliver import Delivered
from skene_dagster.loops.plan import LoopPlan, Query, StepPlan
from skene_dagster.segments.refresh import Refreshed
from skene_dagster.settings import Settings
from skene_dagster.store.server.capabilities import Capabilities

STATES = ("accepted", "reserved", "deferred", "held_out", "skipped", "refused", "in_doubt")
"""The states of a send; each is reported, even if it is 0, so that Dagster plots it from tick to tick."""

RATES = ("delivered", "bounced", "complained", "said_no", "opened", "clicked")
"""The counts that are reported as parts of what was accepted, too."""

COLUMN = 60
"""Characters that a column of the UI shows."""

Metadata = dict[str, dg.MetadataValue]


def of_segment(plan: LoopPlan, step: StepPlan) -> Metadata:
    """Report a segment's condition, where it is written and in its author's words."""
    found = _of_file(plan)
    if isinstance(step.condition, Query):
        found["condition"] = _sql(step.condition.author)
    return found


def of_sends(plan: LoopPlan, step: StepPlan) -> Metadata:
    """Report where a step is written, and which template it sends."""
    found = _of_file(plan)
    if step.email is not None:
        found["template"] = dg.MetadataValue.text(step.email.template)
    return found


def segment(refreshed: Refreshed, sample: Sequence[Row[Any, Any]], server: Capabilities) -> Metadata:
    """Report a refresh: how many are in, who came and left, the SQL that decided it, and what the database can do."""
    return {
        "dagster/row_count": dg.MetadataValue.int(refreshed.members),
        "entered": dg.MetadataValue.int(refreshed.entered),
        "exited": dg.MetadataValue.int(refreshed.exited),
        "unknown_keys": dg.MetadataValue.int(refreshed.unknown_keys),
        "as_of": dg.MetadataValue.text(f"{refreshed.as_of} UTC"),
        "refreshed_before": dg.MetadataValue.bool(refreshed.already),
        "seconds": dg.MetadataValue.float(round(refreshed.seconds, 3)),
        "sql": _sql(refreshed.sql),
        "sample": _sample(sample),
        "database": dg.MetadataValue.text(": ".join(filter(None, (server.name, ", ".join(sorted(server.has)))))),
    }


def unreadable(found: Sequence[Unreadable]) -> Metadata:
    """Report values that count as NULL because they are not moments, and how many there are in all."""
    told: Metadata = {"unreadable_moments": dg.MetadataValue.int(sum(one.values for one in found))}
    if found:
        told["unreadable"] = dg.MetadataValue.md("\n".join(f"- {one}" for one in found))
    return told


def entitled(changed: Entitled, blocked: int, mode: Mode) -> Metadata:
    """Report an update of the entitlements: how many are blocked now, and who came and went."""
    return {
        "dagster/row_count": dg.MetadataValue.int(blocked),
        "blocked": dg.MetadataValue.int(changed.blocked),
        "lifted": dg.MetadataValue.int(changed.lifted),
        "paused": dg.MetadataValue.bool(changed.paused),
        "mode": dg.MetadataValue.text(f"{mode.name}: {mode.why}"),
    }


def reserved(found: Reserved, mode: Mode) -> Metadata:
    """Report what was decided in this attempt."""
    return {
        "mode": dg.MetadataValue.text(f"{mode.name}: {mode.why}"),
        "batches": dg.MetadataValue.int(found.batches),
        "decisions": dg.MetadataValue.json(found.counts),
    }


def sends(delivered: Delivered, counts: Mapping[str, int], mode: Mode, settings: Settings) -> Metadata:
    """Report a delivery: the outcomes of this tick's decisions (`counts`), and of all the step's decisions so far."""
    found: Metadata = {
        state: dg.MetadataValue.int(sum(n for name, n in counts.items() if name.split(":")[0] == state))
        for state in STATES
    }
    found["outcomes"] = _outcomes(counts, delivered.counts)
    found["batches_waiting"] = dg.MetadataValue.int(delivered.open)
    found["mode"] = dg.MetadataValue.text(f"{mode.name}: {mode.why}")
    if delivered.stopped_because:
        found["stopped_because"] = dg.MetadataValue.text(delivered.stopped_because)
    if not mode.leaves:
        found["outbox"] = dg.MetadataValue.path(settings.outbox / "index.html")
    return found


def came_back(counts: ReceiptCounts) -> Metadata:
    """Report what became of a step's emails of the last days, in numbers and as parts of what was accepted."""
    found: Metadata = {}
    for field in fields(counts):
        found[f"week_{field.name}"] = dg.MetadataValue.int(getattr(counts, field.name))
    for name in RATES:
        found[f"week_{name}_rate"] = dg.MetadataValue.float(round(counts.rate(name), 6))
    return found


def masked(key: object) -> str:
    """Show a user's key so that it can be recognised but identifies nobody: a string may be an address."""
    if isinstance(key, int):
        return str(key)
    text = key if isinstance(key, bytes) else str(key).encode()
    return f"sha256:{hashlib.sha256(text).hexdigest()[:12]}"


def wrapped(text: str) -> str:
    """Break long lines: Dagster, 2026-11, cuts code off at the edge of its column."""
    return "\n".join(
        textwrap.fill(
            line,
            COLUMN,
            subsequent_indent=line[: len(line) - len(line.lstrip())],
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in text.splitlines()
    )


def _outcomes(tick: Mapping[str, int], ever: Mapping[str, int]) -> dg.MetadataValue:
    records = [
        dg.TableRecord({"outcome": name, "this_tick": tick.get(name, 0), "ever": n}) for name, n in sorted(ever.items())
    ]
    columns = [dg.TableColumn("outcome"), dg.TableColumn("this_tick", "int"), dg.TableColumn("ever", "int")]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns))


def _sample(rows: Sequence[Row[Any, Any]]) -> dg.MetadataValue:
    records = [dg.TableRecord({"user": masked(row.user_id), "entered_at": f"{row.entered_at}"}) for row in rows]
    columns = [dg.TableColumn("user", "string"), dg.TableColumn("entered_at", "string", description="UTC")]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns))


def _sql(text: str) -> dg.MetadataValue:
    return dg.MetadataValue.md(f"```sql\n{wrapped(text.strip())}\n```")


def _of_file(plan: LoopPlan) -> Metadata:
    return {"file": dg.MetadataValue.text(plan.document.file)}


def table(texts: Sequence[str], numbers: Sequence[str], rows: Sequence[dict[str, str | int]]) -> dg.MetadataValue:
    """Show rows as a table, columns of texts first."""
    columns = [dg.TableColumn(name) for name in texts] + [dg.TableColumn(name, "int") for name in numbers]
    return dg.MetadataValue.table([dg.TableRecord(row) for row in rows], schema=dg.TableSchema(columns))
