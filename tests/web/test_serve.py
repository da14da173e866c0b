"""`skene-dagster serve`: what it refuses before it listens, and what it says."""

import socket
import subprocess
from pathlib import Path

import limited
import pytest
from event_rows import make_users
from forked import Piped, completed
from resend_events import SECRET
from web_world import PATIENCE, Served, command, environment

from skene_dagster.settings import Users
from skene_dagster.store.engine import open_engine
from skene_dagster.store.schema import upgrade


def refused(root: Path, *arguments: str, **environ: str) -> tuple[int, str]:
    url = f"sqlite:///{root / 'skene.db'}"
    done = completed(limited.serve, *arguments, cwd=Path.cwd(), env=environment(url, root) | environ)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("arguments", "environ"),
    [
        pytest.param(("--host", "0.0.0.0"), {}, id="an address that others reach"),
        pytest.param(("--host", "example.com"), {}, id="a name"),
        pytest.param((), {"SKENE_ENV": "production"}, id="production"),
    ],
)
def test_without_a_write_key_nothing_is_served_but_on_ones_own_machine(
    tmp_path: Path, arguments: tuple[str, ...], environ: dict[str, str]
) -> None:
    status, said = refused(tmp_path, *arguments, SKENE_WRITE_KEY="", **environ)

    assert status == 1
    assert "SKENE_WRITE_KEY is not set" in said


def test_on_ones_own_machine_no_write_key_is_needed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'skene.db'}"
    engine = open_engine(url)
    make_users(engine)
    process = subprocess.Popen(
        command("--port", "0"),
        env=environment(url, tmp_path, SKENE_WRITE_KEY=""),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    served = Served(process)

    answers = [served.post("/v1/track", {"userId": 7, "event": "used"}, auth=auth).status for auth in (None, "any:")]

    assert served.stop()[0] == 0
    assert answers == [200, 200]
    engine.dispose()


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'skene.db'}")
    make_users(engine)
    engine.dispose()
    with socket.create_server(("127.0.0.1", 0)) as other:
        status, said = refused(tmp_path, "--port", str(other.getsockname()[1]))

    assert status == 2
    assert "Nothing can listen on 127.0.0.1" in said


def test_a_folder_without_a_database_is_told_in_one_message_and_left_as_it_is(tmp_path: Path) -> None:
    done = subprocess.run(
        command("--port", "0"),
        env={
            name: value
            for name, value in environment("", tmp_path, PYTHONDONTWRITEBYTECODE="1").items()
            if name != "SKENE_DATABASE_URL"
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert done.returncode == 3
    assert " ".join(done.stderr.split()) == (
        f"error There is no database {tmp_path}/.skene/skene.db. Set SKENE_DATABASE_URL to the product's database."
    )
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_the_tables_is_told_before_anything_is_served(tmp_path: Path) -> None:
    (tmp_path / "skene.db").touch()

    status, said = refused(tmp_path, "--port", "0")

    assert status == 1
    assert "'users' is not in the database" in said


def test_events_that_no_loop_reads_are_spoken_of(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'skene.db'}")
    make_users(engine)
    engine.dispose()
    (tmp_path / "skene.yaml").write_text("events: {table: product_events}\n", encoding="utf-8")
    process = Piped(limited.serve, "--port", "0", env=environment(f"sqlite:///{tmp_path / 'skene.db'}", tmp_path))
    said = process.stdout.readline()
    process.terminate()
    process.communicate(timeout=PATIENCE)

    assert said.startswith("notice  skene.yaml reads events from product_events")


@pytest.mark.parametrize(
    ("secret", "takes_in"), [(SECRET, "ok      Taking in what providers post at /webhooks/resend.\n"), ("", "")]
)
def test_whether_webhooks_are_taken_in_is_said(tmp_path: Path, secret: str, takes_in: str) -> None:
    url = f"sqlite:///{tmp_path / 'skene.db'}"
    engine = open_engine(url)
    make_users(engine)
    engine.dispose()
    (tmp_path / "skene.yaml").write_text("", encoding="utf-8")
    environ = environment(url, tmp_path) | {"RESEND_WEBHOOK_SECRET": secret}
    process = Piped(limited.serve, "--port", "0", env=environ)
    while not process.stdout.readline().endswith(".\n"):
        pass
    told = process.stdout.readline() if secret else ""
    process.terminate()
    rest, _ = process.communicate(timeout=PATIENCE)

    assert told + rest == takes_in


def test_the_public_pages_say_what_to_do_about_what_they_lack(tmp_path: Path) -> None:
    status, said = refused(tmp_path, "--public", "--port", "0")

    assert status == 3
    assert "Set SKENE_DATABASE_URL to the product's database." in " ".join(said.split())

    engine = open_engine(f"sqlite:///{tmp_path / 'skene.db'}")
    make_users(engine)
    upgrade(engine, Users())
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM skene_meta WHERE name LIKE 'signing_key%'")
    engine.dispose()
    _, said = refused(tmp_path, "--public", "--port", "0")

    assert "Restore the rows signing_key_… of skene_meta from a backup" in " ".join(said.split())
