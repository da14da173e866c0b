"""What a provider posts is in the inbox before it is acknowledged, once; what nobody signed never is."""

import http.client
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from delivery_world import make_world
from event_rows import make_users
from feedback_world import mailed, read, receipt, sent_to, suppressed
from page_world import Browser
from resend_events import OTHER_SECRET, SECRET, TYPES, event, posted
from servers import Absent, MortalMariadb
from sqlalchemy import Engine, select
from web_world import PATIENCE, Answer, Served, serving, until

from skene_dagster.consent.recipient import Recipients
from skene_dagster.consent.tokens import Signer, Token
from skene_dagster.feedback import breaker
from skene_dagster.feedback.reading import drain
from skene_dagster.store.engine import database_clock, open_engine
from skene_dagster.store.environment import ledger_id
from skene_dagster.store.tables import webhooks

PATH = "/webhooks/resend"
SECRETS = {"RESEND_WEBHOOK_SECRET": SECRET}
LONG_AGO = 300 + 60
READER = """
import sys
from skene_dagster.feedback.reading import drain
from skene_dagster.store.engine import database_clock, open_engine

engine = open_engine(sys.argv[1])
drain(engine, database_clock(engine), seconds=60, page=1)
"""
"""Reads the inbox, one event to a transaction."""


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def inbox(engine: Engine) -> dict[str, Any]:
    """Return the kept events by their ids."""
    with engine.connect() as connection:
        return {row["event_id"]: row for row in connection.execute(select(webhooks)).mappings()}


def post(served: Served, told: object, event_id: str = "msg_1", **how: Any) -> Answer:
    body, headers = posted(told, event_id, **how)
    return served.post(PATH, body, headers, auth=None)


def test_every_type_of_event_is_taken_and_read(engine: Engine, tmp_path: Path) -> None:
    make_users(engine)
    at = database_clock(engine)()
    with serving(url_of(engine), tmp_path, SECRETS) as served:
        statuses = {post(served, event(type_, at), f"msg_{type_}").status for type_ in (*TYPES, "email.of_tomorrow")}

    assert statuses == {200}
    assert {row["type"] for row in inbox(engine).values()} == {*TYPES, "email.of_tomorrow"}
    drain(engine, database_clock(engine), seconds=PATIENCE)
    assert {row["read_as"] for row in inbox(engine).values()} == {"unknown", "noted"}
    assert {row["due_at"] for row in inbox(engine).values()} == {None}


def test_what_becomes_of_an_email_comes_all_the_way_into_its_receipt(engine: Engine, tmp_path: Path) -> None:
    world = make_world(engine, tmp_path)
    mailed(world, 1, 2)
    send = sent_to(world, 1)
    with engine.connect() as connection:
        tags = {"send": send["send_id"], "origin": f"{ledger_id(connection)}-{send['batch_id']}"}
    at = world.now
    events = [
        event(type_, at, tags=tags, email_id=send["provider_id"]) for type_ in ("email.delivered", "email.bounced")
    ]
    with serving(url_of(engine), tmp_path, SECRETS) as served:
        answers = [post(served, told, f"msg_{number % 2}").status for number, told in enumerate(events * 3)]

    assert answers == [200] * 6
    assert len(inbox(engine)) == 2
    world.now = database_clock(engine)()
    read(world)
    assert receipt(world, 1) == {
        "delivered_at": at,
        "bounced_at": at,
        "bounce": "hard",
        "bounce_type": "Permanent",
        "bounce_sub_type": "General",
        "status_codes": "5.1.1",
    }
    assert suppressed(world) == {"u1@example.com": ("bounce", "resend", None)}


def test_a_no_by_the_link_in_an_email_comes_into_its_receipt(engine: Engine, tmp_path: Path) -> None:
    world = make_world(engine, tmp_path)
    mailed(world, 1, 2)
    with engine.connect() as connection:
        names, signer = Recipients.of(connection), Signer.of(connection)
        token = Token(
            names.address("u1@example.com"),
            names.user(1),
            *("product", "marketing", ""),
            ledger_id(connection),
            sent_to(world, 1)["send_id"],
        )
    with serving(url_of(engine), tmp_path) as served:
        answers = [Browser(served.port).post(signer.sign(token)).status for _ in range(2)]
    breaker.act(engine, database_clock(engine))

    assert answers == [200, 200]
    assert set(receipt(world, 1)) == {"unsubscribed_at"}
    assert receipt(world, 2) == {}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Engine]]:
    root = tmp_path_factory.mktemp("web")
    url = f"sqlite:///{root / 'skene.db'}"
    engine = open_engine(url)
    make_users(engine)
    with serving(url, root, SECRETS) as served:
        yield served, engine
        # Nothing that was posted here ended it, or made it show a stack trace or who was written to.
        assert post(served, event("email.opened", database_clock(engine)()), "last").status == 200
        status, logged = served.stop()
        assert status == 0
        assert "Traceback" not in logged
        assert "example.com" not in logged
    engine.dispose()


TOLD = event("email.complained", datetime(2026, 3, 2))


def hostile(**how: Any) -> dict[str, str]:
    return posted(TOLD, "hostile", **how)[1]


HOSTILE: dict[str, Callable[[], dict[str, str]]] = {
    "no headers": dict,
    "no signature": lambda: {name: text for name, text in hostile().items() if name != "svix-signature"},
    "another id": lambda: {**hostile(), "svix-id": "hostile_2"},
    "the other secret": lambda: hostile(secret=OTHER_SECRET),
    "posted long ago": lambda: hostile(at=time.time() - LONG_AGO),
    "posted in the future": lambda: hostile(at=time.time() + LONG_AGO),
    "letters": lambda: {**hostile(), "svix-timestamp": "now"},
    "no comma": lambda: {**hostile(), "svix-signature": hostile()["svix-signature"][3:]},
    "other letters": lambda: {**hostile(), "svix-signature": "v1,\xe9\xff"},
    "a name of another product": lambda: {name.replace("svix", "webhook"): text for name, text in hostile().items()},
    "a write key": lambda: {"Authorization": "Basic YS13cml0ZS1rZXk6"},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_resend_did_not_sign_a_moment_ago_is_answered_with_400(world: tuple[Served, Engine], name: str) -> None:
    served, engine = world
    body, _ = posted(TOLD)

    answer = served.post(PATH, body, HOSTILE[name](), auth=None)

    assert (answer.status, answer.body["code"]) == (400, "invalid_request")
    assert not {"hostile", "hostile_2"} & set(inbox(engine))


@pytest.mark.parametrize("is_signed", [True, False])
@pytest.mark.parametrize("size", [256 * 1024 + 1, 10_000_000])
def test_a_body_that_is_too_large_is_refused_unread(
    world: tuple[Served, Engine], size: int, *, is_signed: bool
) -> None:
    served, engine = world
    body = b'{"type": "email.opened", "data": "' + b"x" * size + b'"}'

    answer = served.post(PATH, body, posted(body, "large")[1] if is_signed else {}, auth=None)

    assert (answer.status, answer.body["code"]) == (413, "too_large")
    assert "large" not in inbox(engine)


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"[" * 50_000])
def test_a_signed_body_that_is_no_event_is_answered_with_400(world: tuple[Served, Engine], body: bytes) -> None:
    served, _ = world

    assert post(served, body, "no_event").status == 400


def test_nothing_else_is_there(world: tuple[Served, Engine]) -> None:
    served, _ = world

    assert [served.get(PATH).status, served.post("/webhooks/smtp", b"{}").status] == [405, 404]


def test_without_a_secret_there_is_no_webhook(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'skene.db'}"
    engine = open_engine(url)
    make_users(engine)
    with serving(url, tmp_path) as served:
        answer = post(served, event("email.opened", database_clock(engine)()))

    assert answer.status == 404
    engine.dispose()


@pytest.mark.long
def test_while_the_database_is_down_it_is_to_be_posted_again(tmp_path: Path) -> None:
    try:
        mortal = MortalMariadb(tmp_path)
    except Absent as absent:
        pytest.skip(f"not run on MariaDB: {absent}")
    engine = open_engine(mortal.url)
    make_users(engine)
    told = event("email.complained", database_clock(engine)())
    with serving(mortal.url, tmp_path, SECRETS) as served:
        assert post(served, told, "before").status == 200
        mortal.kill()
        down = post(served, told, "while")
        mortal.start()
        until(lambda: post(served, told, "while").status == 200)
        again = post(served, told, "before").status

    assert (down.status, down.headers["retry-after"], again) == (503, "5", 200)
    assert down.body["message"] == "The database does not accept webhooks now. Send it again."
    assert set(inbox(engine)) == {"before", "while"}
    engine.dispose()
    mortal.kill()


@pytest.mark.long
def test_what_was_acknowledged_is_read_though_every_process_is_killed(engine: Engine, tmp_path: Path) -> None:
    world = make_world(engine, tmp_path)
    mailed(world, *range(1, 41))
    at = world.now
    acknowledged: set[int] = set()
    with engine.connect() as connection:
        mine = ledger_id(connection)
    sends = {user: sent_to(world, user) for user in range(1, 41)}
    with serving(url_of(engine), tmp_path, SECRETS) as served:
        killer = threading.Timer(0.5, served.process.kill)
        killer.start()
        while True:
            for user, send in sends.items():
                tags = {"send": send["send_id"], "origin": f"{mine}-{send['batch_id']}"}
                told = event("email.complained", at, to=f"u{user}@example.com", tags=tags)
                try:
                    acknowledged |= {user} if post(served, told, f"msg_{user}").status == 200 else set()
                except (OSError, http.client.HTTPException):
                    break
            else:
                continue
            break
        killer.join()

    reader = subprocess.Popen([sys.executable, "-c", READER, url_of(engine)])
    until(lambda: any(row["read_as"] for row in inbox(engine).values()))
    reader.kill()
    reader.wait()
    world.now = database_clock(engine)()
    read(world)

    assert acknowledged
    assert {f"u{user}@example.com" for user in acknowledged} <= set(suppressed(world))
    complained = {user for user in sends if "complained_at" in receipt(world, user)}
    assert acknowledged <= complained
    assert {f"u{user}@example.com" for user in complained} == set(suppressed(world))
