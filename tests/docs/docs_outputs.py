"""What the pages show of a command's output, produced anew."""

import io
import sqlite3
import textwrap
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from click.testing import CliRunner
from docs_measures import changed_loops, replayed_loop
from docs_pages import ROOT
from docs_project import copy_example
from explained_world import everything_happens, make_scene, one_is_in_doubt
from listed_people import said as listed_said
from listed_people import write_listed_project
from resend_server import resend_server
from rich.console import Console
from small_project import RETENTION, write_project, write_users

from skene_dagster import ticks
from skene_dagster.checks.scans import Scan
from skene_dagster.cli import main
from skene_dagster.cli.consent import list_suppressions
from skene_dagster.cli.screen import Screen
from skene_dagster.cli.validate import findings, notices, validate
from skene_dagster.cli.why import sections
from skene_dagster.cli.why.why import speaker_for
from skene_dagster.consent.listing import Recorded
from skene_dagster.consent.people import Named
from skene_dagster.consent.suppressions import Suppression
from skene_dagster.delivery.controls import Pause
from skene_dagster.delivery.health import Left, Wait
from skene_dagster.explain.explaining import add_history, explain
from skene_dagster.explain.scope import Asked
from skene_dagster.incidents.messages import body_for
from skene_dagster.incidents.record import Incident
from skene_dagster.incidents.steps import problem_of_pause, problems_of_open
from skene_dagster.project import Project, load_project
from skene_dagster.settings import AlertTarget, load
from skene_dagster.store.engine import open_engine, reading

Scene = Callable[[Path, Path], str]
"""Produces an output in an empty folder, over the product's database."""


def mistaken_loop(root: Path, database: Path) -> str:
    copy_example(root, database)
    loop = root / "loops" / "win_back.yaml"
    loop.write_text(loop.read_text(encoding="utf-8").replace("exponential", "exponental"), encoding="utf-8")
    return said(root, "validate", "loops/win_back.yaml")


def missing_names(root: Path, _database: Path) -> str:
    root.mkdir()
    write_project(root, {"retention.yaml": RETENTION})
    write_users(root, dormant=12_000, active=0)
    with sqlite3.connect(root / ".skene" / "skene.db") as product:
        product.execute("UPDATE users SET name = NULL WHERE id <= 413")
    return said(root, "validate", "--database")


def local_time(root: Path, _database: Path) -> str:
    root.mkdir()
    write_project(root, {"retention.yaml": RETENTION})
    write_users(root, dormant=100, active=0)
    soon = f"{datetime.now(timezone.utc) + timedelta(hours=2):%Y-%m-%d %H:%M:%S}"
    with sqlite3.connect(root / ".skene" / "skene.db") as product:
        product.execute(
            "UPDATE users SET last_activity_at = datetime(?, (1 - id) || ' minutes') WHERE id <= 37", [soon]
        )
    return said(root, "validate", "--database")


def next_tick(_root: Path, _database: Path) -> str:
    (plan,) = (plan for plan in load_project(load(ROOT, {})).loops if plan.name == "retention")
    project = Project((plan,), ())
    looks = {plan.document.file: findings.Look(notices.next_ticks(plan, datetime(2026, 11, 29, 12)), [])}
    return printed(lambda screen: validate._print_loops(screen, project, {}, looks, None))


def whole_table(_root: Path, _database: Path) -> str:
    (plan,) = (plan for plan in load_project(load(ROOT, {})).loops if plan.name == "retention")
    place = plan.document.text_place(("steps", 0, "condition", "query"))
    columns = ("re_engagement_sent", "last_activity_at")
    index = f"CREATE INDEX users_{'_'.join(columns)} ON users ({', '.join(columns)});"
    words = findings.whole_table(Scan(place, "users", "about 1,200,000", index))
    return printed(lambda screen: screen.labelled("notice", str(place), words))


def waiting_emails(_root: Path, _database: Path) -> str:
    nine = datetime(2026, 3, 2, 9)
    later = nine.replace(minute=10)
    said = "422 validation_error: Invalid `to` field"
    left = Left("win_back", "nudge", (Wait(3, 300, nine, said, "", later, None),), in_doubt=0)
    (problem,) = problems_of_open(left, nine)
    return printed(lambda screen: screen.labelled("notice", problem.words))


def alert_in_slack(_root: Path, _database: Path) -> str:
    because = "3 complaints (limit 0.08%) of 1,000 emails in 7 days"
    nine = datetime(2026, 3, 2, 9)
    problem = problem_of_pause("win_back", Pause(nine, because))
    without_since = {name: value for name, value in asdict(problem).items() if name != "since"}
    told = Incident(**without_since, opened_at=nine, closed_at=None, told_to=frozenset(), concerns=None)
    body = body_for(AlertTarget("slack", "SLACK_WEBHOOK_URL", None), [told], "production")
    return "".join(f"{textwrap.fill(line, 80, break_on_hyphens=False)}\n" for line in body["text"].splitlines())


def history_of_an_address(_root: Path, _database: Path) -> str:
    address, other = Named("1:ada", "user-1@example.com"), Named("u:1", user_id=1, has="user-1@example.com")
    bounce = Suppression("1:ada", "all", datetime(2026, 3, 2, 9), "bounce", "resend.csv")
    lifted = datetime(2026, 2, 3, 8, 15)
    no = Suppression("1:ada", "marketing", datetime(2026, 2, 1, 12, 30), "said_no", "they wrote to us", until=lifted)
    records = [Recorded(bounce, None), Recorded(no, "they changed their mind")]
    given, now = ["user-1@example.com"], datetime(2026, 3, 3)

    def tell(screen: Screen) -> None:
        for one in (address, other):
            list_suppressions._tell_one(screen, one, records, given, now)

    return printed(tell)


def cost_of_a_push(root: Path, _database: Path) -> str:
    write_listed_project(root)
    listed_said(root, "add", "ada@example.com", "bob@example.com", "--scope", "all")
    with resend_server() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESEND_API_URL", server.url)
        patch.setenv("RESEND_API_KEY", "re_test")
        patch.setenv("SKENE_ENV", "production")
        return said(root, "suppressions", "export", "--to", "resend", "--yes")


def one_user_explained(root: Path, _database: Path) -> str:
    (root / ".skene").mkdir(parents=True)
    engine = open_engine(f"sqlite:///{root / '.skene' / 'skene.db'}")
    environ = {"SKENE_ENV": "production", "RESEND_API_KEY": "re_test"}
    scene = make_scene(engine, root / "project", datetime(2026, 11, 16, 9), environ=environ)
    everything_happens(scene, 4711)
    one_is_in_doubt(scene, 4711)
    scene.change(4711, dormant=1)
    scene.tick("win_back")
    scene.after(hours=1)
    asked = Asked(scene.settings, scene.project.loops, "live", scene.now, ticks.next_tick)
    found = reading(engine, lambda connection: explain(connection, asked, 4711))
    assert found is not None
    found = add_history(engine, asked, found)
    engine.dispose()
    speaker = speaker_for(asked, scene.project, found)

    def tell(screen: Screen) -> None:
        sections.tell(screen, speaker, found)
        sections.tell_outside(screen, speaker, found.outside)

    return printed(tell)


SCENES: dict[str, Scene] = {
    "is not a backoff": mistaken_loop,
    "This email cannot go to": missing_names,
    "It looks like local time": local_time,
    "Next tick:": next_tick,
    "Every run reads all of": whole_table,
    "wait since": waiting_emails,
    ":red_circle:": alert_in_slack,
    "no email at all": history_of_an_address,
    "holds for the whole team": cost_of_a_push,
    "MAY WE MAIL THEM": one_user_explained,
    "everybody's mails in 7 days": lambda _root, _database: changed_loops(printed),
    "would be mailed  ": lambda _root, _database: replayed_loop(printed),
}
"""By a part of the shown text."""


def said(root: Path, *arguments: str) -> str:
    return CliRunner().invoke(main, ["--project", str(root), *arguments]).output


def printed(tell: Callable[[Screen], None]) -> str:
    stream = io.StringIO()
    tell(Screen(Console(file=stream, width=80, highlight=False, markup=False, emoji=False)))
    return stream.getvalue()
