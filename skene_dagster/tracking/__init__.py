"""Record what users do, from inside the product: `skene_dagster.track("42", "Signed Up", {"plan": "pro"})`.

`track` never raises, and never waits for the database: a thread writes the events, in batches, to the table
skene_events of the database that SKENE_DATABASE_URL names. Events are kept while the database is down, up to
`LIMIT`; any more are dropped, counted, and logged (logger `skene_dagster`). docs/tracking.md says more.
"""

import atexit
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from skene_dagster.behaviour.event import new_event
from skene_dagster.errors import EventRefused
from skene_dagster.tracking.buffer import Buffer

if TYPE_CHECKING:
    from skene_dagster.behaviour.events import Journal

EXIT_SECONDS = 5.0
"""How long the end of the process waits for events to be written."""


def track(
    user: int | str | bytes | UUID,
    event: str,
    properties: Mapping[str, object] | None = None,
    *,
    at: datetime | None = None,
    event_id: str | None = None,
) -> None:
    """Note that a user did something. Returns at once, whatever happens.

    Args:
        user: the user's id: the users key (a binary one as bytes, a UUID or hex digits).
        event: what happened, in up to 128 characters: `Signed Up`.
        properties: what else there is to say, as JSON of up to 32 kB.
        at: when it happened, if that is not now; a naive datetime is in UTC.
        event_id: 1 to 64 ASCII characters; the same id sent twice is one event. Default: a new id.
    """
    try:
        _buffer.put(new_event(user, event, properties, at=at, event_id=event_id))
    except EventRefused as refused:
        _buffer.refuse(str(refused))
    except Exception as error:  # noqa: BLE001 - whatever it is, the product goes on
        _buffer.refuse(f"It could not be read ({type(error).__name__}).")


def flush(timeout: float = EXIT_SECONDS) -> bool:
    """Wait until all events of this process so far are written or refused.

    Args:
        timeout: seconds to wait at most.

    Returns:
        Whether they are; if not, writing goes on.
    """
    return _buffer.flush(timeout)


def _open_journal() -> "Journal":
    # Imported by the thread that writes, not by the product's first call.
    from skene_dagster.behaviour.events import open_journal  # noqa: PLC0415
    from skene_dagster.settings import load  # noqa: PLC0415

    return open_journal(load(Path(os.environ.get("SKENE_PROJECT") or ".").resolve()))


_buffer = Buffer(_open_journal)
# Registered now, so that exit handlers that the product registers later may still track.
atexit.register(_buffer.close, EXIT_SECONDS)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_buffer.before_fork,
        after_in_parent=_buffer.after_fork_in_parent,
        after_in_child=_buffer.after_fork_in_child,
    )
