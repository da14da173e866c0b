"""The page's other configurations run, unchanged, as Dagster runs them: woken by their sensors, once for each row."""

import json
import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from small_project import MJML, SETTINGS, TEXT, write_project

from skene_dagster.compiler import compile_folder
from skene_dagster.settings import load
from skene_dagster.store.engine import open_engine

LOOPS = Path(__file__).parents[1] / "loops"
CONFIGURED = ("SKENE_DATABASE_URL", "SKENE_ENV", "SKENE_REDIRECT_TO", "RESEND_API_KEY", "RESEND_API_URL")


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CONFIGURED:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as opened:
        yield opened


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = write_project(tmp_path / "project", {}, SETTINGS.replace("name: name", "name: name\n  plan: plan"))
    for template in ("activation_welcome", "upgrade_prompt"):
        for ending, source in (("mjml", MJML), ("txt", TEXT)):
            (root / "templates" / f"{template}.{ending}").write_text(
                source.replace("Hello {{ name }}", "Hello").replace("We miss you, {{ name }}", "News"), encoding="utf-8"
            )
    (root / ".skene").mkdir()
    do(
        root,
        "CREATE TABLE users (id INTEGER PRIMARY KEY NOT NULL, email VARCHAR(255), name VARCHAR(255), "
        "plan VARCHAR(20), activation_link VARCHAR(255), created_at DATETIME)",
    )
    do(root, "CREATE TABLE user_actions (user_id INTEGER, action_type VARCHAR(50))")
    return root


def do(root: Path, sql: str, *values: object) -> None:
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        connection.execute(sql, values)


def ask(root: Path, sql: str) -> list[Any]:
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        return connection.execute(sql).fetchall()


def sign_up(root: Path, key: int, plan: str = "free") -> None:
    do(
        root,
        "INSERT INTO users VALUES (?, ?, ?, ?, ?, ?)",
        key,
        f"user-{key}@example.com",
        f"User {key}",
        plan,
        f"https://example.com/{key}",
        f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M:%S.%f}",
    )


class Daemon:
    """Looks with one sensor, and runs what it asks for."""

    def __init__(self, root: Path, instance: dg.DagsterInstance, name: str) -> None:
        self._root, self._instance, self._name = root, instance, name
        self._cursor: str | None = None

    def looks(self) -> bool:
        """Look, and run what is asked for; say whether anything was."""
        definitions = compile_folder(self._root)
        repository = definitions.get_repository_def()
        engine = open_engine(load(self._root).database_url)
        try:
            context = dg.build_sensor_context(
                instance=self._instance,
                repository_def=repository,
                cursor=self._cursor,
                resources={"skene_database": engine},
            )
            data = repository.get_sensor_def(self._name).evaluate_tick(context)
        finally:
            engine.dispose()
        self._cursor = data.cursor
        for request in data.run_requests or []:
            job = definitions.resolve_job_def(self._name.partition("__")[0])
            result = job.execute_in_process(
                instance=self._instance, tags=dict(request.tags), asset_selection=request.asset_selection
            )
            assert result.success
        return bool(data.run_requests)

    def minutes_pass(self, minutes: int) -> None:
        """Let its last run lie so far back."""
        assert self._cursor is not None
        said = json.loads(self._cursor)
        woke = datetime.fromisoformat(said["woke"]) - timedelta(minutes=minutes)
        self._cursor = json.dumps(said | {"woke": woke.isoformat()})


def migrated(root: Path, instance: dg.DagsterInstance, loop: str) -> None:
    """Run the loop once by hand, which makes the tables of the embedded database."""
    assert compile_folder(root).resolve_job_def(loop).execute_in_process(instance=instance).success


def mailed(root: Path) -> list[tuple[int, str]]:
    return ask(root, "SELECT user_id, occurrence FROM skene_sends WHERE state = 'accepted' ORDER BY 1, 2")


def test_the_activation_loop_mails_a_new_user_once_his_first_action_is_there(
    root: Path, instance: dg.DagsterInstance
) -> None:
    shutil.copy(LOOPS / "activation.ts", root / "loops")
    sign_up(root, 1)
    do(root, "INSERT INTO user_actions VALUES (1, 'first_project_created')")
    migrated(root, instance, "activation")
    daemon = Daemon(root, instance, "activation__main")
    first = daemon.looks()
    quiet = daemon.looks()
    sign_up(root, 2)
    sign_up(root, 3)
    came = daemon.looks()
    before = mailed(root)
    do(root, "INSERT INTO user_actions VALUES (2, 'first_project_created')")
    daemon.minutes_pass(5)

    again = daemon.looks()

    assert (first, quiet, came, again) == (True, False, True, True)
    assert (before, mailed(root)) == ([], [(2, "2")])


def test_the_email_of_an_activation_is_the_template_s_and_its_link_the_user_s(
    root: Path, instance: dg.DagsterInstance
) -> None:
    shutil.copy(LOOPS / "activation.ts", root / "loops")
    text = root / "templates" / "activation_welcome.txt"
    text.write_text(text.read_text(encoding="utf-8") + "Go: {{ activationLink }}\n", encoding="utf-8")
    migrated(root, instance, "activation")
    sign_up(root, 2)
    do(root, "INSERT INTO user_actions VALUES (2, 'first_project_created')")

    migrated(root, instance, "activation")

    (email,) = (root / ".skene" / "outbox").rglob("*.eml")
    assert "https://example.com/2" in email.read_text(encoding="utf-8")


def calls(root: Path, user: int, times: int, *, days_ago: int = 0, name: str = "POST /api/features/export") -> None:
    now = datetime.now(timezone.utc)
    at, arrived = (f"{moment:%Y-%m-%d %H:%M:%S.%f}" for moment in (now - timedelta(days=days_ago), now))
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        connection.executemany(
            "INSERT INTO skene_events (event_id, user_id, name, occurred_at, received_at) VALUES (?, ?, ?, ?, ?)",
            [(uuid.uuid4().hex, user, name, at, arrived) for _ in range(times)],
        )


def blocked(root: Path) -> list[tuple[int, str]]:
    return ask(
        root,
        "SELECT user_id, message FROM skene_entitlements WHERE mode = 'outbox' AND lifted_at LIKE '9999-12-31%'",
    )


def test_the_freemium_loop_blocks_who_has_used_up_his_plan_prompts_him_once_and_lets_him_go(
    root: Path, instance: dg.DagsterInstance
) -> None:
    shutil.copy(LOOPS / "freemium.ts", root / "loops")
    for user, plan in ((1, "free"), (2, "free"), (3, "paid"), (4, "free")):
        sign_up(root, user, plan)
    migrated(root, instance, "freemium")
    daemon = Daemon(root, instance, "freemium__main")
    daemon.looks()
    calls(root, 1, 100)
    calls(root, 2, 99)
    calls(root, 3, 500)
    calls(root, 4, 100, name="GET /api/features/export")
    came = daemon.looks()
    first = blocked(root)
    prompted = mailed(root)
    calls(root, 2, 1)
    do(root, "UPDATE users SET plan = 'paid' WHERE id = 1")

    again = daemon.looks()

    assert (came, again) == (True, True)
    assert first == [(1, "You've reached your free tier limit. Upgrade to continue.")]
    assert prompted == [(1, "1")]
    assert [user for user, _ in blocked(root)] == [2]
    assert mailed(root) == [(1, "1"), (2, "1")]


def test_who_was_let_go_is_blocked_again_once_they_are_over_the_limit_again(
    root: Path, instance: dg.DagsterInstance
) -> None:
    shutil.copy(LOOPS / "freemium.ts", root / "loops")
    sign_up(root, 1)
    migrated(root, instance, "freemium")
    daemon = Daemon(root, instance, "freemium__main")
    daemon.looks()
    calls(root, 1, 100)
    daemon.looks()
    do(root, "UPDATE users SET plan = 'paid' WHERE id = 1")
    calls(root, 1, 1)
    daemon.looks()
    let_go = blocked(root)
    do(root, "UPDATE users SET plan = 'free' WHERE id = 1")
    calls(root, 1, 1)

    daemon.looks()

    assert let_go == []
    assert [user for user, _ in blocked(root)] == [1]
    assert ask(root, "SELECT COUNT(*) FROM skene_entitlements") == [(2,)]


def test_uses_that_lie_before_the_period_do_not_count(root: Path, instance: dg.DagsterInstance) -> None:
    shutil.copy(LOOPS / "freemium.ts", root / "loops")
    sign_up(root, 1)
    migrated(root, instance, "freemium")
    calls(root, 1, 60, days_ago=31)
    calls(root, 1, 60)

    migrated(root, instance, "freemium")

    assert blocked(root) == []


def test_a_rollup_reports_how_many_users_it_touched_and_days_it_counted(
    root: Path, instance: dg.DagsterInstance
) -> None:
    shutil.copy(LOOPS / "freemium.ts", root / "loops")
    for user in (1, 2):
        sign_up(root, user)
    migrated(root, instance, "freemium")
    calls(root, 1, 3)
    calls(root, 2, 1)

    result = compile_folder(root).resolve_job_def("skene__usage").execute_in_process(instance=instance)

    (made,) = (
        m for m in result.asset_materializations_for_node("skene__rollup") if m.asset_key.path[-1] == "user_activity"
    )
    told = {name: made.metadata[name].value for name in ("dagster/row_count", "active_today", "users_touched")}
    assert told == {"dagster/row_count": 2, "active_today": 2, "users_touched": 2}
    assert [made.metadata[name].value for name in ("days_counted", "days_too_late")] == [2, 0]


DISCOVERY = """\
type: adoption
steps:
  - name: discover
    trigger: {type: schedule, cron: "0 9 * * *"}
    condition: {type: feature, name: export, state: untried}
    action: {type: email, template: re_engagement, personalization: {name: "{{user.name}}"}, repeat: once}
  - name: guide
    trigger: {type: after, step: discover, wait: 1d}
    condition: {type: feature, name: export, state: adopted, timeout: 30d}
    action: {type: email, template: re_engagement, personalization: {name: "used {{row.uses}} times"}}
"""


def test_who_never_used_a_feature_is_told_of_it_and_gets_the_guide_once_he_has_adopted_it(
    root: Path, instance: dg.DagsterInstance
) -> None:
    settings = (root / "skene.yaml").read_text(encoding="utf-8")
    features = "features:\n  export: {title: Export, events: [exported], adopted_uses: 2, adopted_days: 1}\n"
    (root / "skene.yaml").write_text(settings + features, encoding="utf-8")
    (root / "loops" / "adoption.yaml").write_text(DISCOVERY, encoding="utf-8")
    for user in (1, 2):
        sign_up(root, user)

    def day(number: int) -> list[tuple[str, int]]:
        moment = datetime.now(timezone.utc) - timedelta(days=10 - number)
        job = compile_folder(root).resolve_job_def("adoption")
        assert job.execute_in_process(instance=instance, tags={"skene/as_of": moment.isoformat()}).success
        return ask(root, "SELECT step, user_id FROM skene_sends WHERE state = 'accepted' ORDER BY 1, 2")

    discovered = day(0)
    calls(root, 1, 2, days_ago=8, name="exported")
    calls(root, 2, 1, days_ago=8, name="exported")
    too_early = day(1)
    guided = day(4)

    assert discovered == too_early == [("discover", 1), ("discover", 2)]
    assert guided == [*discovered, ("guide", 1)]
    assert day(6) == guided


def test_lineage_goes_from_events_over_what_follows_from_them_to_segments_and_emails(root: Path) -> None:
    (root / "loops" / "adoption.yaml").write_text(DISCOVERY, encoding="utf-8")
    settings = (root / "skene.yaml").read_text(encoding="utf-8")
    (root / "skene.yaml").write_text(
        settings + "features:\n  export: {title: Export, events: [exported]}\n", encoding="utf-8"
    )

    graph = compile_folder(root).resolve_asset_graph()

    def above(*path: str) -> set[str]:
        return {key.to_user_string() for key in graph.get(dg.AssetKey(list(path))).parent_keys}

    assert above("skene", "user_activity") == {"tidb/skene_events"}
    assert above("skene", "feature_adoption") == above("skene", "milestones") == {"skene/user_activity"}
    assert above("skene", "adoption", "discover", "segment") == {"skene/feature_adoption"}
    assert above("skene", "adoption", "guide", "segment") == {"skene/feature_adoption", "skene/adoption/discover/sends"}
    assert above("skene", "adoption", "guide", "sends") == {"skene/adoption/guide/segment"}
