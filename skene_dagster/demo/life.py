"""What the invented users do on a day, by themselves and because they were mailed. Pure; the same every time."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from random import Random

from skene_dagster.demo.people import DAY, SEED, Person, answer, visit

Mailed = Mapping[str, Mapping[int, datetime]]
"""When each user got the last email of a step, by the step (`retention.main`) and their key."""

CALL = "POST /api/features/questions"
"""The event of each question: what the freemium loop counts."""

_BRINGS_BACK = ("retention.main", "win_back.nudge", "win_back.last_call")
_DISCOVERY = "feature_discovery.discover"


def deeds(someone: Person, tick: datetime, mailed: Mailed) -> Iterator[tuple[datetime, str]]:
    """List what they do in the 24 hours that end at `tick`, as usage events: when, and its name."""
    since = tick - DAY
    if since < someone.created_at <= tick and someone.comes > 0:
        yield someone.created_at, "Signed Up"
    tried = _tries(someone, mailed)
    for at in _visits(someone, tick, mailed):
        if since < at <= tick:
            draw = Random(f"{SEED}/deeds/{someone.id}/{at}")  # noqa: S311 - invented people, no secrets
            for _ in range(draw.randint(1, someone.asks)):
                yield at, "Question Asked"
                yield at, CALL
            if (someone.summarises or (tried is not None and tried < at)) and draw.random() < 0.5:
                yield at, "Summary Opened"
    if tried is not None and since < tried <= tick:
        yield tried, "Summary Scheduled"


def starts_at_once(someone: Person) -> bool:
    """Whether a new user makes their first project on their first day."""
    return Random(f"{SEED}/starts/{someone.id}").random() < 0.6  # noqa: S311 - invented people, no secrets


def _visits(someone: Person, tick: datetime, mailed: Mailed) -> Iterator[datetime]:
    own = visit(someone, tick)
    if own is not None:
        yield own
    for step in _BRINGS_BACK:
        at = mailed.get(step, {}).get(someone.id)
        answered = answer(someone, at) if at is not None else None
        if answered is not None:
            yield answered


def _tries(someone: Person, mailed: Mailed) -> datetime | None:
    """Say when an email about Monday summaries makes them try those, if it does: within three days."""
    at = mailed.get(_DISCOVERY, {}).get(someone.id)
    if at is None:
        return None
    draw = Random(f"{SEED}/tries/{someone.id}")  # noqa: S311 - invented people, no secrets
    tried = at + timedelta(seconds=draw.randrange(600, 3 * 86400))
    gone = someone.closes is not None and tried >= someone.closes
    return tried if draw.random() < someone.tries and not gone else None
