"""What `deploy/compose.yaml` names runs; its code server is killed during a run, and everybody is mailed once."""

import json
import os
import re
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import servers
from composed import Composed, composed
from conftest import NOT_RUN
from dagster_dev import LAUNCH, LOADED, ask, launched
from resends import KEY, LocalResend, local_resend
from scene import REPOSITORY
from sqlalchemy import create_engine, text

pytestmark = pytest.mark.long

PEOPLE = 450
"""Five batches; the first mail of a loop leaves in slices of 500."""

PRODUCT = """\
CREATE TABLE users (
    id INTEGER PRIMARY KEY, email VARCHAR(255), name VARCHAR(100), last_activity_at DATETIME,
    re_engagement_sent BOOLEAN NOT NULL DEFAULT 0, created_at DATETIME NOT NULL, deleted_at DATETIME,
    plan VARCHAR(20) NOT NULL, activation_link VARCHAR(255) NOT NULL
);
CREATE TABLE user_actions (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, action_type VARCHAR(50) NOT NULL);
CREATE TABLE events (
    id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, name VARCHAR(128) NOT NULL, happened_at DATETIME NOT NULL
)
"""
"""What the example's skene.yaml and loops read."""

RUNS = """
query ($tick: String!) {
  runsOrError(filter: {tags: [{key: "skene/as_of", value: $tick}]}) {
    ... on Runs { results { runId status parentRunId } }
  }
}
"""
LOCATION = "skene"
"""As deploy/workspace.yaml names it."""


class Product:
    """The product's database."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = create_engine(url)

    def do(self, statements: str, **values: object) -> None:
        with self.engine.begin() as connection:
            for statement in statements.split(";"):
                if statement.strip():
                    connection.execute(text(statement), values)

    def ask(self, query: str) -> list[Any]:
        with self.engine.begin() as connection:
            return list(connection.execute(text(query)).scalars())

    @contextmanager
    def public_user(self) -> Iterator[str]:
        """Make the user of docs/deploy.md; yield its URL. What it is granted are tables, which have to be there."""
        page = (REPOSITORY / "docs" / "deploy.md").read_text(encoding="utf-8")
        (grants,) = re.findall(r"```sql\n(GRANT .*? TO 'skene_public'.*?)```", page, re.DOTALL)
        name = f"public_{uuid.uuid4().hex[:12]}"
        self.do(f"CREATE USER '{name}'@'%' IDENTIFIED BY 'secret'")
        try:
            url = self.engine.url.set(username=name, password="secret")
            self.grants = grants.replace("skene.", f"{self.engine.url.database}.").replace("skene_public", name)
            yield url.render_as_string(hide_password=False)
        finally:
            self.do(f"DROP USER '{name}'@'%'")
            self.engine.dispose()


@pytest.fixture
def resend(tmp_path: Path) -> Iterator[LocalResend]:
    with local_resend(tmp_path) as running:
        yield running


@pytest.fixture(params=["mariadb", "tidb"])
def product(request: pytest.FixtureRequest) -> Iterator[Product]:
    server = request.getfixturevalue(request.param)
    with servers.new_database(server, f"skene_{os.urandom(8).hex()}") as url:
        product = Product(url)
        product.do(PRODUCT)
        rows = ", ".join(
            f"({n}, 'u{n}@example.com', 'User {n}', '2026-01-01', 0, '2025-01-01', NULL, 'free', '')"
            for n in range(1, PEOPLE + 1)
        )
        product.do(f"INSERT INTO users VALUES {rows}")
        yield product


@pytest.fixture
def deployment(tmp_path: Path, product: Product, resend: LocalResend) -> Iterator[Composed]:
    with product.public_user() as public:
        given = {
            "DAGSTER_POSTGRES_PASSWORD": "a long random text",
            "SKENE_DATABASE_URL": product.url,
            "SKENE_PUBLIC_DATABASE_URL": public,
            "SKENE_ENV": "production",
            "SKENE_WRITE_KEY": "AnotherLongRandomText",
            **resend.variables,
        }
        try:
            with composed(tmp_path / "deployment", {"web", "public"}, given) as running:
                yield running
        except servers.Absent as absent:
            if os.environ.get("CI"):
                pytest.fail(f"Postgres has to be there in CI: {absent}")
            pytest.skip(f"{NOT_RUN} Postgres: {absent}")


@pytest.fixture
def webserver(deployment: Composed, product: Product) -> str:
    """Start everything, as docs/deploy.md says; return where the UI is."""
    deployment.up(without="public")
    product.do(product.grants)
    deployment.up()
    webserver = deployment.services["webserver"].url()
    deployment.until(lambda: "Repository" in str(ask(webserver, LOADED, location=LOCATION)))
    return webserver


def test_the_code_server_is_killed_during_a_run_and_everybody_is_mailed_once(
    deployment: Composed, webserver: str, product: Product, resend: LocalResend
) -> None:
    resend.is_slow(per_second=1)
    tick = datetime.now(timezone.utc).isoformat()
    tags = [{"key": "skene/as_of", "value": tick}]
    first = launched(webserver, LAUNCH, job="retention", location=LOCATION, tags=tags)
    deployment.until(lambda: resend.posts() >= 2)
    deployment.kill("code")
    before = len(resend.emails())
    resend.faults()
    deployment.start("code")
    deployment.until_well("code")
    # The minute is over for which a batch belongs to its process; that between two looks for dead runs is waited for.
    product.do("UPDATE skene_batches SET lease_until = '2026-01-01' WHERE lease_until IS NOT NULL")

    def ended() -> list[tuple[str, str | None]]:
        runs = ask(webserver, RUNS, tick=tick)["runsOrError"]["results"]
        return [(run["status"], run["parentRunId"]) for run in reversed(runs)]

    deployment.until(lambda: len(ended()) == 2 and ended()[1][0] in {"SUCCESS", "FAILURE"})

    assert ended() == [("FAILURE", None), ("SUCCESS", first)], deployment.output()
    assert 0 < before < PEOPLE
    everybody = [f"u{n}@example.com" for n in range(1, PEOPLE + 1)]
    assert Counter(email.to for email in resend.emails()) == Counter(everybody)
    accepted = product.ask("SELECT send_id FROM skene_sends WHERE state = 'accepted'")
    assert sorted(accepted) == sorted(email.send for email in resend.emails())
    assert says_no(deployment.services["public"].url(), resend) == 200
    # Of the address, and of the user.
    assert product.ask("SELECT scope FROM skene_suppressions") == ["marketing", "marketing"]
    # What is written to elsewhere would be gone with its container, or refused there: it belongs to root.
    assert deployment.written() == set()


def says_no(public: str, resend: LocalResend) -> int:
    """Do what a mail program does at a click on its own button, at the web service that everybody reaches."""
    headers = {"Authorization": f"Bearer {KEY}", "User-Agent": "test"}
    with urllib.request.urlopen(urllib.request.Request(f"{resend.url}/emails?limit=1", headers=headers)) as answer:
        (email,) = json.load(answer)["data"]
    (link,) = re.findall(r"<https://mail\.example\.com(/u/[^>]+)>", email["headers"]["List-Unsubscribe"])
    with urllib.request.urlopen(f"{public}{link}", b"List-Unsubscribe=One-Click") as answer:
        return int(answer.status)
