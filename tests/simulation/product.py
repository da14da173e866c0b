"""The product of a simulation: its users, its loop in every variant, and what is made once for all histories."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from databases import Database, Server, Sqlite
from sqlalchemy import BigInteger, Boolean, Column, DateTime, MetaData, String, Table

from skene_dagster import settings as settings_module
from skene_dagster.delivery.email.templates import Templates
from skene_dagster.loops.files.loaders import load_file
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.loops.planning.loop import plan_loop
from skene_dagster.settings import Settings
from skene_dagster.store import environment, schema

SETTINGS = """\
users: {name: name, mailable: "verified = 1"}
sender:
  from: Little Product <hello@example.com>
  postal_address: 1 Example Street, Example Town
  unsubscribe_url: https://example.com/unsubscribe/{{user.id}}
topics:
  product: {title: Product news}
  tips: {title: Tips, default: off, asked: last_activity_at}
"""

LOOP = """\
type: retention
on_doubt: %s
topic: %s
steps:
  - trigger: {type: schedule, cron: "0 9 * * *"}
    condition: {type: query, query: SELECT id FROM users WHERE dormant = true}
    action: {type: email, template: hello, personalization: {name: "{{user.name}}"}, repeat: %s, set: {reminded: true}}
"""

MJML = """\
<mjml>
  <mj-head><mj-title>Hello</mj-title></mj-head>
  <mj-body><mj-section><mj-column><mj-text>Hello {{ name }}, %s.</mj-text></mj-column></mj-section></mj-body>
</mjml>
"""

WORDS = ("come back", "we miss you", "so long")
"""What three versions of the template say."""

VARIANTS: tuple[tuple[Literal["skip", "resend"], Literal["product", "tips"], Literal["once", "every_entry"]], ...] = (
    ("skip", "product", "once"),
    ("skip", "product", "every_entry"),
    ("resend", "product", "once"),
    ("skip", "tips", "every_entry"),
)
"""on_doubt, topic and repeat of the loop. About tips only those are mailed who agreed, which all have at first."""

users = Table(
    "users",
    MetaData(),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("email", String(255)),
    Column("name", String(100)),
    Column("dormant", Boolean, nullable=False),
    Column("verified", Boolean, nullable=False),
    Column("reminded", Boolean, nullable=False),
    Column("last_activity_at", DateTime),
    mysql_collate="utf8mb4_bin",
)


@dataclass(frozen=True)
class Product:
    """A project and its database, as each history finds them."""

    database: Database
    settings: tuple[Settings, ...]
    """By version of the template."""
    templates: tuple[Templates, ...]
    plans: tuple[LoopPlan, ...]
    """By variant."""


@contextmanager
def product(server: str | None = None, *, waits: bool = False) -> Iterator[Product]:
    """Make a product on an SQLite file in memory, or in an empty database of a server."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        root = Path(folder)
        database = Sqlite(root / "skene.db") if server is None else Server(server, waits=waits)
        try:
            yield _made(root, database)
        finally:
            database.engine.dispose()
            database.eyes.dispose()


def _made(root: Path, database: Database) -> Product:
    (root / "loops").mkdir()
    (root / "skene.yaml").write_text(SETTINGS, encoding="utf-8")
    for words in WORDS:
        folder = root / words.replace(" ", "_")
        folder.mkdir()
        (folder / "hello.mjml").write_text(MJML % words, encoding="utf-8")
        (folder / "hello.txt").write_text(f"Hello {{{{ name }}}}, {words}.\n", encoding="utf-8")
    settings = settings_module.load(root, {})
    # A refresh of eight users is not judged.
    settings = replace(settings, limits=settings.limits.model_copy(update={"least_change": 10**6}))
    versions = tuple(replace(settings, templates=root / words.replace(" ", "_")) for words in WORDS)
    users.metadata.create_all(database.eyes)
    schema.upgrade(database.eyes, settings.users)
    environment.belong(database.eyes, "development")
    database.keep()
    templates = tuple(Templates(version.templates, root) for version in versions)
    return Product(database, versions, templates, tuple(_planned(root, settings, LOOP % one) for one in VARIANTS))


def _planned(root: Path, settings: Settings, loop: str) -> LoopPlan:
    file = root / "loops" / "retention.yaml"
    file.write_text(loop, encoding="utf-8")
    loaded = load_file(file, root)
    assert loaded.loop is not None, loaded.error
    assert loaded.document is not None
    return plan_loop(loaded.loop, loaded.document, settings)
