"""The breaker: it pauses a loop, or all of them, when too much comes back of what was mailed.

Mailbox providers judge a sender by what its recipients do: whoever mails on when people complain, or when a tenth of a
list is dead, is soon delivered nowhere. A pause is a row, as a person's is, and `resume` ends it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby

from sqlalchemy import Connection, Engine

from skene_dagster.consent import preferences
from skene_dagster.consent.writing import write
from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.controls import EVERY
from skene_dagster.delivery.ledger import Outcomes
from skene_dagster.feedback import inbox
from skene_dagster.feedback.bounces import judge
from skene_dagster.feedback.rates import BOUNCES, COMPLAINTS, NOES, Limit, Verdict
from skene_dagster.store.engine import Clock

MODE = "live"
"""What comes back of a rehearsal is the tester's."""

LOOKED_AT = timedelta(days=7)
"""Emails that were accepted so lately are judged."""

LATELY = timedelta(hours=1)
"""Bounces that were told so lately are counted by domain."""

BLOCKS = 20
"""So many bounces that are about us, from one domain, say that it takes nothing of ours."""

LIMITS: Mapping[str, Limit] = {"complained": COMPLAINTS, "bounced": BOUNCES, "said_no": NOES}
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
    since, anew = now - LOOKED_AT, controls.judged_from(connection)
    of_all = _since(connection, max(since, anew.get(EVERY, since)))
    by_loop = _since(connection, since) if EVERY in anew else dict(of_all)
    for loop, begun in anew.items():
        if loop in by_loop and begun > since:
            by_loop[loop] = ledger.outcomes_by_loop(connection, MODE, begun, loop).get(loop, Outcomes())
    found = [one for loop, outcomes in sorted(by_loop.items()) for one in _judged(loop, outcomes)]
    found += _judged(EVERY, _together(of_all.values()))
    return [*found, *_blocked(connection, max(now - LATELY, anew.get(EVERY, since)))]


def act(engine: Engine, clock: Clock) -> list[Judgement]:
    """Pause what too much came back of; return what was paused.

    Raises:
        StoreError: the database refused.
    """
    return write(engine, partial(_act, now=clock()))


def _act(connection: Connection, now: datetime) -> list[Judgement]:
    ledger.unsubscribed_by(connection, preferences.noes_to_emails(connection, now - LOOKED_AT))
    bad = [one for one in judgements(connection, now) if one.verdict == "pause"]
    return [one for one in bad if controls.pause(connection, None if one.loop == EVERY else one.loop, now, one.words)]


def _since(connection: Connection, since: datetime) -> dict[str, Outcomes]:
    return ledger.outcomes_by_loop(connection, MODE, since)


def _judged(loop: str, outcomes: Outcomes) -> Iterator[Judgement]:
    for name, limit in LIMITS.items():
        count: int = getattr(outcomes, name)
        verdict = limit.judge(count, outcomes.accepted)
        if verdict != "ok":
            yield Judgement(loop, verdict, f"{limit.in_words(count)} of {outcomes.accepted:,} emails in 7 days")


def _together(many: Iterable[Outcomes]) -> Outcomes:
    every = list(many)
    return Outcomes(*(sum(getattr(one, field.name) for one in every) for field in fields(Outcomes)))


def _blocked(connection: Connection, since: datetime) -> Iterator[Judgement]:
    about_us = [
        one
        for one in inbox.bounces(connection, since)
        if judge(one.bounce_type, one.bounce_sub_type, one.status_codes) == "blocked"
    ]
    for domain, some in groupby(about_us, key=lambda one: one.domain):
        blocks = list(some)
        number = sum(one.number for one in blocks)
        if number >= BLOCKS:
            most = max(blocks, key=lambda one: one.number)
            answer = most.status_codes or most.bounce_sub_type or most.bounce_type
            yield Judgement(EVERY, "pause", f"{domain} refused {number:,} emails because of us ({answer})")
