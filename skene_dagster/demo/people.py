"""The invented users of the demo's product: who they are and how they live. Pure; the same every time.

Nothing here is drawn one after the other: what a person does on a day depends on the person and the day alone, so
that more people or more days leave the others as they are.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

SEED = 2026
DAY = timedelta(days=1)
HISTORY = 60
"""Days that were lived before the first tick."""

_FIRST_NAMES = (
    "Ada", "Amir", "Ana", "Björn", "Chloé", "Daniel", "Deniz", "Elena", "Emeka", "Eva", "Farid", "Grace", "Hana",
    "Ines", "Ivan", "Jana", "João", "Kaito", "Lars", "Lea", "Leila", "Liam", "Lucía", "Maja", "Malik", "Marta",
    "Mateo", "Mei", "Mina", "Nadia", "Nils", "Noor", "Oskar", "Petra", "Priya", "Rafael", "Rosa", "Sami", "Sara",
    "Sofia", "Tariq", "Tomas", "Uma", "Vera", "Viktor", "Wei", "Yara", "Yusuf", "Zoë",
)  # fmt: skip
_LAST_NAMES = (
    "Adler", "Almeida", "Andersson", "Bakker", "Banerjee", "Bauer", "Castillo", "Chen", "Costa", "Demir", "Diallo",
    "Dubois", "Eriksen", "Farah", "Ferrari", "Fischer", "García", "Haddad", "Hansen", "Horvat", "Ivanova", "Jansen",
    "Kim", "Kovács", "Larsen", "Lindholm", "Marino", "Mbeki", "Moreau", "Nakamura", "Novák", "O'Brien", "Okafor",
    "Olsen", "Patel", "Petrov", "Quinn", "Rossi", "Sato", "Schmidt", "Silva", "Tanaka", "Tran", "Varga", "Weber",
    "Wójcik", "Yilmaz", "Zhou",
)  # fmt: skip


@dataclass(frozen=True)
class Person:
    """One user and their habits."""

    id: int
    name: str | None
    email: str | None
    created_at: datetime
    flagged: bool
    """Whether the product's own `re_engagement_sent` is set: somebody wrote to them by hand once."""
    comes: float
    """How likely a visit is on a day; 0 for who signed up and was never seen."""
    quits: datetime | None
    """From when on they no longer come by themselves."""
    answers: float
    """How likely an email brings them back."""
    closes: datetime | None
    """When they close their account."""
    plan: str
    asks: int
    """How many questions they ask at a visit, at most."""
    summarises: bool
    """Whether they found Monday summaries by themselves."""
    tries: float
    """How likely an email about them makes them try."""


def person(identity: int, first_tick: datetime, signed_up: datetime | None = None) -> Person:
    """Invent the user with this key; who `signed_up` during the demo did so then."""
    draw = Random(f"{SEED}/person/{identity}")  # noqa: S311 - invented people, no secrets
    first, last = draw.choice(_FIRST_NAMES), draw.choice(_LAST_NAMES)
    created_at = signed_up or first_tick - timedelta(seconds=draw.randrange(9 * 86400, 400 * 86400))
    kind = draw.random()
    quits = None
    if kind < 0.42:
        comes, answers = draw.uniform(0.4, 0.9), 0.5
    elif kind < 0.78:
        comes, answers = draw.uniform(0.22, 0.4), 0.35
    elif kind < 0.86:
        comes, answers = draw.uniform(0.04, 0.12), 0.25
    elif kind < 0.95:
        comes, answers = draw.uniform(0.3, 0.8), 0.12
        quits = max(created_at + DAY, first_tick - timedelta(days=draw.uniform(-6, 40)))
    else:
        comes, answers = (0.0 if signed_up is None else 0.3), 0.0
    odd = draw.random()
    return Person(
        id=identity,
        name=None if odd < 0.004 else first,
        email=None if 0.004 <= odd < 0.012 else f"{_ascii(first)}.{_ascii(last)}.{identity}@example.com",
        created_at=created_at,
        flagged=draw.random() < 0.02,
        comes=comes,
        quits=quits,
        answers=answers,
        closes=first_tick + timedelta(days=draw.uniform(-20, 30)) if draw.random() < 0.02 else None,
        plan="paid" if draw.random() < 0.15 else "free",
        asks=draw.choice((1, 2, 2, 3, 3, 4, 6)),
        summarises=draw.random() < 0.3,
        tries=min(1.0, comes * draw.uniform(0.1, 0.8)),
    )


def visit(someone: Person, day: datetime) -> datetime | None:
    """Say when they come by themselves in the 24 hours that end at `day`, if they do."""
    draw = Random(f"{SEED}/visit/{someone.id}/{day:%Y-%m-%d}")  # noqa: S311 - invented people, no secrets
    comes, at = draw.random() < someone.comes, day - timedelta(seconds=draw.randrange(1, 86400))
    gone = at >= min(someone.quits or datetime.max, someone.closes or datetime.max)  # noqa: DTZ901 - a bound, no moment
    return at if comes and at > someone.created_at and not gone else None


def comes_anyway(someone: Person, after: datetime, ticks: Iterable[datetime]) -> bool:
    """Whether they come by themselves after a moment, on one of the days that end at these ticks."""
    visits = (visit(someone, tick) for tick in ticks if tick > after)
    return any(at is not None and at > after for at in visits)


def answer(someone: Person, mailed_at: datetime) -> datetime | None:
    """Say when an email brings them back, if it does: within three days."""
    draw = Random(f"{SEED}/answer/{someone.id}/{mailed_at:%Y-%m-%d}")  # noqa: S311 - invented people, no secrets
    at = mailed_at + timedelta(seconds=draw.randrange(600, 3 * 86400))
    closed = someone.closes is not None and at >= someone.closes
    return at if draw.random() < someone.answers and not closed else None


def last_visit(someone: Person, first_tick: datetime) -> datetime | None:
    """Say when they were last seen before the demo begins; None for who was never seen."""
    visits = (visit(someone, first_tick - n * DAY) for n in range(HISTORY))
    seen = next((at for at in visits if at is not None), None)
    if seen is None and someone.comes > 0:
        return someone.created_at
    return seen


def _ascii(name: str) -> str:
    table = str.maketrans("öéãíáłóë'", "oeaialoe-")
    return name.translate(table).replace("-", "").lower()
