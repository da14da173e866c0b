"""The product of a simulation: its users, its loop in every variant, and what is made once for all histories."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, time
from fractions import Fraction
from pathlib import Path
from typing import Literal, TypeAlias

from databases import Database, Server, Sqlite
from scheduler import START
from sqlalchemy import BigInteger, Boolean, Column, DateTime, MetaData, String, Table

from skene_dagster import settings as settings_module
from skene_dagster.delivery.email.templates import Templates
from skene_dagster.loops.field_types import Recipient
from skene_dagster.loops.files.loaders import load_file
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.loops.planning.loop import plan_loop
from skene_dagster.settings import Settings
from skene_dagster.store import environment, schema

SETTINGS = """\
users: {name: name, timezone: timezone, mailable: "verified = 1"}
accounts: {owner: owner_id}
sender:
  from: Little Product <hello@example.com>
  postal_address: 1 Example Street, Example Town
  unsubscribe_url: https://example.com/unsubscribe/{{user.id}}
topics:
  product: {title: Product news}
  tips: {title: Tips, default: off, asked: last_activity_at}
"""

LOOP = """\
name: %s
type: retention
on_doubt: %s
%s
priority: %s
steps:
  - trigger: {type: schedule, cron: "0 9 * * *"}
    condition: {type: query, query: SELECT id FROM %s WHERE dormant = true}
    action:
      type: email
      template: hello
      personalization: {name: "%s"}
      repeat: %s
      %s
"""

MJML = """\
<mjml>
  <mj-head><mj-title>Hello</mj-title></mj-head>
  <mj-body><mj-section><mj-column><mj-text>Hello {{ name }}, %s.</mj-text></mj-column></mj-section></mj-body>
</mjml>
"""

WORDS = ("come back", "we miss you", "so long")
"""What three versions of the template say."""

Said: TypeAlias = tuple[Literal["skip", "resend"], Literal["product", "tips", ""], Literal["once", "every_entry"]]
"""on_doubt, topic and repeat of a loop. No topic: its emails were asked for."""

VARIANTS: tuple[Said, ...] = (
    ("skip", "product", "once"),
    ("skip", "product", "every_entry"),
    ("resend", "product", "once"),
    ("skip", "tips", "every_entry"),
)
"""Of the loop. About tips only those are mailed who agreed, which all have at first."""

BESIDE: dict[str, Said] = {"news": ("skip", "product", "every_entry"), "receipts": ("skip", "", "every_entry")}
"""Of other loops that mail the same users, where the emails of all are counted."""

ABOUT_ACCOUNTS: Said = ("skip", "product", "every_entry")

RECIPIENTS: tuple[Recipient, ...] = ("owner", "everybody")
"""Whom a loop about accounts mails."""


@dataclass(frozen=True)
class Compared:
    """Who is compared: how many of a hundred get no email, and how the others are divided over two variants."""

    held_out: int
    """Of a loop."""
    held_out_of_all: int
    """Of all loops."""
    variants: tuple[int, int]


COMPARED = (Compared(40, 20, (1, 1)), Compared(75, 50, (1, 9)))
"""Of a project, before its author has changed it and after, or the other way round."""

TOLD_APART = ("plain", "warm")
"""The variants; each says its name."""


@dataclass(frozen=True)
class Limits:
    """What a project says about how often and when somebody is mailed; the judge reads it, too."""

    caps: tuple[tuple[int, int], ...] = ()
    """How many in how many hours."""
    quiet: tuple[time, time] | None = None
    send_at: time | None = None
    is_sliced: bool = False
    """A wave of so few users is large."""
    daily: int | None = None
    """The emails of a day."""
    warm_up: int | None = None
    """The emails of the first day, which is that of a history's beginning."""
    priorities: tuple[int, int] = (0, 0)
    """Of the loop, and of the one beside it."""
    has_gates: bool = False
    """A table must have changed lately, and first emails are approved."""
    has_receipts: bool = False
    """There is a loop whose emails were asked for."""
    compared: Compared | None = None
    """Who is compared; None: nobody."""

    @property
    def beside(self) -> tuple[str, ...]:
        """Name the loops with which it is shared how much somebody is mailed, or everybody."""
        if not (self.caps or self.has_budget):
            return ()
        return ("news", "receipts") if self.has_receipts else ("news",)

    @property
    def has_budget(self) -> bool:
        """Whether a day has a number of emails."""
        return self.daily is not None or self.warm_up is not None

    def total(self, day: date) -> int:
        """Say how many emails a day has, while the warm-up is not over."""
        if self.warm_up is None:
            assert self.daily is not None
            return self.daily
        return int(self.warm_up * GROWS ** max((day - START.date()).days, 0))

    def settings(self) -> str:
        """Write them as skene.yaml has them."""
        # To look whether a wave is large takes a sixth of a history.
        parts = [] if self.is_sliced else ["slices: off"]
        if self.caps:
            parts.append("caps: [" + ", ".join(f"{{count: {n}, within: {hours}h}}" for n, hours in self.caps) + "]")
        if self.quiet:
            parts.append('quiet_hours: {{from: "{:%H:%M}", to: "{:%H:%M}"}}'.format(*self.quiet))
        if self.has_gates:
            parts.append("first_wave: 2")
        if self.daily:
            parts.append(f"daily: {self.daily}")
        fresh = "fresh: [{table: loads, column: loaded_at, within: 26h}]\n" if self.has_gates else ""
        compared = f"holdout: {self.compared.held_out_of_all}%\n" if self.compared else ""
        return compared + fresh + (f"limits: {{{', '.join(parts)}}}\n" if parts else "")

    def sender(self) -> str:
        """Write what is the sender's."""
        return f"  warm_up: {{from: {START:%Y-%m-%d}, first_day: {self.warm_up}}}\n" if self.warm_up else ""

    def loop(self, name: str, said: Said, recipient: Recipient | None) -> str:
        """Write a loop file; of a loop about accounts, if it says whom of them it mails."""
        on_doubt, topic, repeat = said
        lines = [f'send_at: "{self.send_at:%H:%M}"'] if self.send_at and topic else []
        if not topic:
            lines.append("transactional: true")
        about = f"topic: {topic}" if topic else ""
        priority = self.priorities[name == "news"]
        if recipient is None:
            table, words = "users", "{{user.name}}"
            lines.append("set: {reminded: true}")
        else:
            table, words = "accounts", "{{user.name}} of {{account.title}}"
            about += f"\nper: account\nrecipient: {recipient}"
        if self.compared:
            shares = zip(TOLD_APART, self.compared.variants, strict=True)
            lines.append(f"variants: {{{', '.join(f'{variant}: {part}' for variant, part in shares)}}}")
            about += f"\nholdout: {self.compared.held_out}%"
        return LOOP % (name, on_doubt, about, priority, table, words, repeat, "\n      ".join(lines))


GROWS = Fraction(8, 5)
"""How much larger the budget of each further day of a warm-up is."""

AT_NIGHT = (time(22), time(8))
IN_THE_DAY = (time(9, 10), time(17))
"""By the loop's own clock they begin ten minutes after a history does."""

LIMITS = (
    Limits(),
    Limits(caps=((1, 48),)),
    Limits(caps=((2, 72), (1, 3))),
    # Longer than contacts are kept where no cap asks for more.
    Limits(caps=((1, 40 * 24),)),
    Limits(quiet=AT_NIGHT),
    Limits(quiet=IN_THE_DAY),
    Limits(send_at=time(10)),
    Limits(caps=((1, 20),), quiet=AT_NIGHT, send_at=time(10)),
    Limits(is_sliced=True),
    Limits(is_sliced=True, quiet=AT_NIGHT),
    Limits(daily=4, has_receipts=True, priorities=(1, 0)),
    Limits(daily=3, priorities=(0, 1)),
    Limits(warm_up=1),
    Limits(caps=((1, 48),), priorities=(0, 1)),
    Limits(caps=((1, 20),), priorities=(1, 0), daily=4, has_receipts=True),
    Limits(has_gates=True),
    *(Limits(compared=one) for one in COMPARED),
    *(Limits(caps=((2, 72), (1, 3)), compared=one) for one in COMPARED),
)


def rewritten(number: int) -> int:
    """Say which limits a project has once its author has changed who is compared."""
    limits = LIMITS[number]
    return LIMITS.index(replace(limits, compared=next(one for one in COMPARED if one != limits.compared)))


_metadata = MetaData()

users = Table(
    "users",
    _metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("email", String(255)),
    Column("name", String(100)),
    Column("dormant", Boolean, nullable=False),
    Column("verified", Boolean, nullable=False),
    Column("reminded", Boolean, nullable=False),
    Column("last_activity_at", DateTime),
    Column("timezone", String(64)),
    Column("account_id", BigInteger),
    mysql_collate="utf8mb4_bin",
)

loads = Table("loads", _metadata, Column("id", BigInteger, primary_key=True), Column("loaded_at", DateTime))
"""When the product's tables were loaded last."""

accounts = Table(
    "accounts",
    _metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("title", String(100)),
    Column("owner_id", BigInteger),
    Column("dormant", Boolean, nullable=False),
    mysql_collate="utf8mb4_bin",
)


@dataclass(frozen=True)
class Product:
    """A project and its database, as each history finds them."""

    database: Database
    settings: tuple[tuple[Settings, ...], ...]
    """By limits, and by version of the template."""
    templates: tuple[Templates, ...]
    plans: tuple[tuple[LoopPlan, ...], ...]
    """By limits, and by variant."""
    others: tuple[tuple[LoopPlan, ...], ...]
    """By limits: the loops beside it."""
    about_accounts: tuple[tuple[LoopPlan, ...], ...]
    """By limits, and by recipient."""


@contextmanager
def product(server: str | None = None, *, waits: bool = False) -> Iterator[Product]:
    """Make a product on an SQLite file in memory, or in an empty database of a server."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="skene-simulation-", dir=memory if memory.is_dir() else None) as folder:
        root = Path(folder)
        database = Sqlite(root / "skene.db") if server is None else Server(server, waits=waits)
        try:
            yield _made(root, database)
        finally:
            database.engine.dispose()
            database.eyes.dispose()


def _made(root: Path, database: Database) -> Product:
    (root / "loops").mkdir()
    for words in WORDS:
        folder = root / words.replace(" ", "_")
        folder.mkdir()
        (folder / "hello.mjml").write_text(MJML % words, encoding="utf-8")
        (folder / "hello.txt").write_text(f"Hello {{{{ name }}}}, {words}.\n", encoding="utf-8")
        for variant in TOLD_APART:
            (folder / f"hello.{variant}.mjml").write_text(MJML % f"{words}: {variant}", encoding="utf-8")
            (folder / f"hello.{variant}.txt").write_text(f"Hello {{{{ name }}}}, {words}: {variant}.\n", "utf-8")
    users.metadata.create_all(database.eyes)
    settings = tuple(_read(root, limits) for limits in LIMITS)
    schema.upgrade(database.eyes, settings[0].users, settings[0].accounts)
    environment.belong(database.eyes, "development")
    database.keep()
    templates = tuple(root / words.replace(" ", "_") for words in WORDS)
    plans, others, about = [], [], []
    for limits, one in zip(LIMITS, settings, strict=True):
        plans.append(tuple(_planned(root, one, limits, "retention", variant) for variant in VARIANTS))
        others.append(tuple(_planned(root, one, limits, name, BESIDE[name]) for name in limits.beside))
        about.append(tuple(_planned(root, one, limits, "workspaces", ABOUT_ACCOUNTS, whom) for whom in RECIPIENTS))
    return Product(
        database,
        tuple(tuple(replace(one, templates=folder) for folder in templates) for one in settings),
        tuple(Templates(folder, root) for folder in templates),
        tuple(plans),
        tuple(others),
        tuple(about),
    )


def _read(root: Path, limits: Limits) -> Settings:
    text = SETTINGS.replace("topics:\n", f"{limits.sender()}topics:\n") + limits.settings()
    (root / "skene.yaml").write_text(text, encoding="utf-8")
    settings = settings_module.load(root, {})
    # A refresh of eight users is not judged.
    return replace(settings, limits=settings.limits.model_copy(update={"least_change": 10**6}))


def _planned(
    root: Path, settings: Settings, limits: Limits, name: str, said: Said, recipient: Recipient | None = None
) -> LoopPlan:
    file = root / "loops" / f"{name}.yaml"
    file.write_text(limits.loop(name, said, recipient), encoding="utf-8")
    loaded = load_file(file, root)
    assert loaded.loop is not None, loaded.error
    assert loaded.document is not None
    return plan_loop(loaded.loop, loaded.document, settings)
