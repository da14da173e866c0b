"""A product to measure on: the example project's own loop over a table of users of any size, 40 % of them dormant."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    case,
    cast,
    func,
    insert,
    inspect,
    literal,
    select,
    text,
    update,
)

from skene_dagster.loops.plan import LoopPlan
from skene_dagster.project import load_project
from skene_dagster.settings import Settings, load
from skene_dagster.store import schema
from skene_dagster.store.engine import is_sqlite, open_engine

REPOSITORY = Path(__file__).parents[1]

LONG_AGO, NEVER_DORMANT = datetime(2020, 1, 1), datetime(2999, 1, 1)

SETTINGS = """\
users: {name: name, mailable: verified = 1}
sender:
  from: "Orbit <hello@example.com>"
  postal_address: "Orbit, 1 Example Street, Exampletown"
  unsubscribe_url: "https://www.example.com/unsubscribe?u={{user.id}}"
"""

_metadata = MetaData()

users = Table(
    "users",
    _metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("email", String(255), nullable=False),
    Column("name", String(100)),
    Column("verified", Boolean, nullable=False),
    Column("last_activity_at", DateTime),
    Column("re_engagement_sent", Boolean, nullable=False),
    mysql_collate="utf8mb4_bin",
)

_numbers = Table("numbers", _metadata, Column("n", Integer, primary_key=True, autoincrement=False))


def write_project(root: Path) -> Path:
    """Write the retention loop and its template into a folder, with the settings of this product."""
    root.mkdir()
    for folder, name in (("loops", "skene.config.ts"), ("templates", "re_engagement.*")):
        (root / folder).mkdir()
        for file in (REPOSITORY / folder).glob(name):
            shutil.copy(file, root / folder)
    (root / "skene.yaml").write_text(SETTINGS, encoding="utf-8")
    return root


def write_home(home: Path) -> Path:
    """Make a folder for Dagster's own storage, configured as the repository's."""
    home.mkdir()
    shutil.copy(REPOSITORY / "dagster.yaml", home)
    return home


@contextmanager
def opened(url: str, number: int, *, mailable: float = 1.0, dormant: float = 0.4) -> Iterator[Engine]:
    """Yield the database with this many users, a multiple of 1,000, and empty skene_* tables; drop them all again."""
    engine = open_engine(url)
    _metadata.create_all(engine)
    try:
        _fill(engine, number, mailable=mailable, dormant=dormant)
        schema.upgrade(engine, load(REPOSITORY, {}).users)
        yield engine
    finally:
        for table in inspect(engine).get_table_names():
            if table.startswith("skene_"):
                _do(engine, f"DROP TABLE {table}")
        _metadata.drop_all(engine)
        engine.dispose()


def planned(root: Path, url: str) -> tuple[LoopPlan, Settings]:
    """Load the project's only loop."""
    settings = load(root, {"SKENE_DATABASE_URL": url})
    (plan,) = load_project(settings).loops
    return plan, settings


def forget_history(engine: Engine) -> None:
    """Make the segments as if they had never been refreshed."""
    for table in ("skene_segments", "skene_segment_members"):
        _do(engine, f"DELETE FROM {table}" if is_sqlite(engine) else f"TRUNCATE TABLE {table}")


def forget_sends(engine: Engine) -> None:
    """Make the ledger empty."""
    for table in ("skene_sends", "skene_batches", "skene_deferred", "skene_steps", "skene_contacts"):
        _do(engine, f"DELETE FROM {table}" if is_sqlite(engine) else f"TRUNCATE TABLE {table}")


def change_one_percent(engine: Engine, which: int) -> None:
    """Make dormant users active and active ones dormant, one in a hundred of all."""
    was = users.c.last_activity_at
    with engine.begin() as connection:
        connection.execute(
            update(users)
            .where(users.c.id % 100 == which)
            .values(last_activity_at=case((was == LONG_AGO, NEVER_DORMANT), else_=LONG_AGO))
        )


def _fill(engine: Engine, number: int, *, mailable: float, dormant: float) -> None:
    """Write the users inside the database, in statements that every server takes."""
    with engine.begin() as connection:
        connection.execute(insert(_numbers), [{"n": n} for n in range(10_000)])
    thousands, ones = _numbers.alias(), _numbers.alias()
    key = thousands.c.n * 1000 + ones.c.n
    # 7919 is prime to 1000, so that those who are dormant lie scattered over the whole table.
    kind = key * 7919 % 1000
    rows = select(
        key,
        literal("user-") + cast(key, String(20)) + literal("@example.com"),
        literal("User ") + cast(key, String(20)),
        case(((key * 104729 % 1000) < round(mailable * 1000), True), else_=False),
        case((kind < round(dormant * 1000), LONG_AGO), else_=NEVER_DORMANT),
        literal(False),
    ).select_from(thousands.join(ones, ones.c.n < 1000))
    for start in range(0, number // 1000, 50):
        part = rows.where(thousands.c.n >= start, thousands.c.n < min(start + 50, number // 1000))
        with engine.begin() as connection:
            connection.execute(insert(users).from_select(list(users.c), part))
    # A server that is in use has its statistics; here they would come in the middle of a round.
    _do(engine, "ANALYZE" if is_sqlite(engine) else "ANALYZE TABLE users")
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(users)).scalar_one() == number


def _do(engine: Engine, sql: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(sql))
