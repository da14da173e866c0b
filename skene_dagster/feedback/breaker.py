"""The breaker: it pauses a loop, or all of them, when too much comes back of what was mailed.

Mailbox providers judge a sender by what its recipients do: whoever mails on when people complain, or when a tenth of a
list is dead, is soon delivered nowhere. A pause is a row, as a person's is, and `resume` ends it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, time, timedelta
from functools import partial
from itertools import groupby

from sqlalchemy import Connection, Engine

from skene_dagster.consent import preferences
from skene_dagster.consent.writing import write
from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.controls import EVERY
from skene_dagster.delivery.ledger import Judged
from skene_dagster.feedback import inbox
from skene_dagster.feedback.bounces import judge
from skene_dagster.feedback.rates import BOUNCES, COMPLAINTS, REFUSALS, Limit, Verdict
from skene_dagster.store.engine import Clock

MODE = "live"
"""What comes back of a rehearsal is the tester's."""

LOOKED_AT = timedelta(days=7)
"""Emails that were accepted so lately are judged, by whole days (UTC)."""

LATELY = timedelta(hours=1)
"""Bounces that were told so lately are counted by domain."""

BLOCKS = 20
"""So many bounces that are about us, from one domain, say that it takes nothing of ours."""

LIMITS: Mapping[str, Limit] = {"complained": COMPLAINTS, "bounced": BOUNCES, "said_no": REFUSALS}
"""By what is counted."""


@dataclass(frozen=True)
class Judgement:
    """What is to be said about a loop, or about all of them."""

    loop: str
    """EVERY: all loops."""
    verdict: Verdict
    words: str
    """How many of how many, and what the limit is."""


def judgements(connection: Connection, now: datetime) -> list[Judgement]:
    """Judge what was mailed lately, each loop by itself and all together; what is well is left out."""
    first_day, anew = (now - LOOKED_AT).date(), controls.judged_from(connection)
    by_loop = ledger.counted_by_loop(connection, MODE, first_day)
    of_all = _together(by_loop.values())
    for loop, since in anew.items():
        if since.date() < first_day:
            continue
        if loop == EVERY:
            of_all = _since(connection, None, since)
        elif loop in by_loop:
            by_loop[loop] = _since(connection, loop, since)
    found = [one for loop, judged in sorted(by_loop.items()) for one in _judge(loop, judged)]
    lately = max(now - LATELY, anew.get(EVERY, now - LATELY))
    return [*found, *_judge(EVERY, of_all), *_blocked(connection, lately, anew.get(EVERY))]


def act(engine: Engine, clock: Clock) -> list[Judgement]:
    """Pause what too much came back of; return what was paused.

    Raises:
        StoreError: the database refused.
    """
    return write(engine, partial(_act, now=clock()))


def _act(connection: Connection, now: datetime) -> list[Judgement]:
    _hear_refusals(connection, now)
    bad = [one for one in judgements(connection, now) if one.verdict == "pause"]
    return [one for one in bad if controls.pause(connection, None if one.loop == EVERY else one.loop, now, one.words)]


def _hear_refusals(connection: Connection, now: datetime) -> None:
    """Write down in receipts by which emails somebody said "no"."""
    refused = preferences.refusals_by_link(connection, now - LOOKED_AT)
    new = ledger.not_unsubscribed(connection, sorted(refused))
    before = ledger.receipts_of(connection, new, [])
    after = [replace(one, unsubscribed_at=refused[one.send_id]) for one in before if one.unsubscribed_at is None]
    for one in after:
        ledger.change_receipt(connection, one.send_id, {"unsubscribed_at": one.unsubscribed_at})
    was = {one.send_id: one for one in before}
    ledger.count_changes(connection, [(was[one.send_id], one) for one in after])


def _since(connection: Connection, loop: str | None, since: datetime) -> Judged:
    """Count what was accepted after a moment: its own day receipt by receipt, the days after it as they are counted."""
    next_day = since.date() + timedelta(days=1)
    rest = ledger.counted_by_loop(connection, MODE, next_day)
    midnight = datetime.combine(next_day, time())
    first = ledger.judged_within(connection, MODE, loop, since, midnight)
    return _together([first, *(judged for name, judged in rest.items() if loop in (None, name))])


def _judge(loop: str, judged: Judged) -> Iterator[Judgement]:
    for name, limit in LIMITS.items():
        count: int = getattr(judged, name)
        verdict = limit.judge(count, judged.accepted)
        words = f"{limit.in_words(count)} of {judged.accepted:,} emails in 7 days"
        if name == "complained" and verdict == "pause":
            verdict = limit.judge(judged.complained_unasked, judged.accepted)
            if verdict != "pause":
                verdict, words = "warn", f"{words}; those about transactional mail pause nothing"
        if verdict != "ok":
            yield Judgement(loop, verdict, words)


def _together(many: Iterable[Judged]) -> Judged:
    every = list(many)
    return Judged(*(sum(getattr(one, field.name) for one in every) for field in fields(Judged)))


def _blocked(connection: Connection, since: datetime, accepted_since: datetime | None) -> Iterator[Judgement]:
    about_us = [
        one
        for one in inbox.bounces(connection, since, accepted_since)
        if judge(one.bounce_type, one.bounce_sub_type, one.status_codes) == "blocked"
    ]
    for domain, some in groupby(about_us, key=lambda one: one.domain):
        blocks = list(some)
        number = sum(one.number for one in blocks)
        if number >= BLOCKS:
            most = max(blocks, key=lambda one: one.number)
            answer = most.status_codes or most.bounce_sub_type or most.bounce_type
            yield Judgement(EVERY, "pause", f"{domain} refused {number:,} emails because of us ({answer})")
