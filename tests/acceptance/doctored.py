"""A product that `doctor` looks at, and a database user with the rights that docs/tidb.md grants, and no more."""

import re
import uuid
from pathlib import Path

from click.testing import CliRunner, Result
from small_project import RETENTION
from sqlalchemy import Engine, make_url, text

from skene_dagster.cli import main

GRANTS = Path(__file__).parents[2] / "docs" / "tidb.md"
LOOP = RETENTION.replace(
    'personalization: {name: "{{user.name}}"}',
    'personalization: {name: "{{user.name}}"}\n      set: {re_engagement_sent: true}',
)


def doctor(root: Path) -> Result:
    return CliRunner().invoke(main, ["--project", str(root), "doctor"])


def told(result: Result) -> str:
    return " ".join(result.output.split())


def make_users(engine: Engine, table: str = "users") -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                f"CREATE TABLE {table} (id INTEGER PRIMARY KEY NOT NULL, email VARCHAR(255), name VARCHAR(255), "
                "last_activity_at DATETIME, re_engagement_sent BOOLEAN)"
            )
        )
        connection.execute(
            text(f"INSERT INTO {table} VALUES (1, 'ada@example.com', 'Ada', '2020-01-01 00:00:00', FALSE)")
        )


class Limited:
    """A database of the product's, one of ours, and a user with the rights that docs/tidb.md grants."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.ours, self.user = engine, f"ours_{uuid.uuid4().hex[:12]}", f"skene_{uuid.uuid4().hex[:8]}"
        self.product = str(engine.url.database)
        self.do(f"CREATE DATABASE {self.ours}", f"CREATE USER '{self.user}'@'%'")
        make_users(engine)

    def do(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def grant(self, block: int) -> None:
        """Execute a block of SQL of the page."""
        found = re.findall(r"```sql\n(.*?)```", GRANTS.read_text(encoding="utf-8"), re.DOTALL)[block]
        named = found.replace("product.", f"{self.product}.").replace("skene.*", f"{self.ours}.*")
        self.do(*(line.replace("'skene'@", f"'{self.user}'@") for line in named.split(";\n") if line.strip()))

    @property
    def url(self) -> str:
        own = make_url(self.engine.url).set(username=self.user, database=self.ours)
        return own.render_as_string(hide_password=False)

    def drop(self) -> None:
        self.do(f"DROP USER '{self.user}'@'%'", f"DROP DATABASE {self.ours}")
