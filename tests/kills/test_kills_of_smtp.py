"""Processes are killed around a message to a mail server: one email a run is in doubt at most, and nobody's is doubled.

Every run is a real `dagster job execute` in a process of its own; the server is one that others made, in a process of
its own as well. The verdict is taken from what it took and from the ledger, never from what the runs said.
"""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import servers
from mail_servers import LocalMailServer, local_mail_server
from scene import PATIENCE, Scene, make_scene
from sqlalchemy import create_engine, text

pytestmark = pytest.mark.long

CUTS = [
    ("begin_attempt", "after", 2, "the attempt is written, nothing sent"),
    ("content", "after", 2, "all is sent but the dot"),
    # Replies of the first message: to the connection, EHLO, MAIL, RCPT, DATA and the dot; of the second, three before.
    ("reply", "inside", 10, "the dot is sent, and its answer not read"),
    ("dot", "after", 2, "it is answered, and nothing written"),
    ("settle", "after", 2, "it is accepted, and that committed"),
]


@pytest.fixture(params=["sqlite", "mariadb"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'skene.db'}"
        return
    with servers.new_database(request.getfixturevalue("mariadb"), f"skene_{os.urandom(8).hex()}") as url:
        yield url


@pytest.fixture
def mail_server(tmp_path: Path) -> Iterator[LocalMailServer]:
    with local_mail_server(tmp_path) as running:
        yield running


def states(scene: Scene) -> dict[str, str]:
    """The state of each user's email, by address."""
    engine = create_engine(scene.url)
    with engine.connect() as connection:
        query = "SELECT users.email, skene_sends.state FROM skene_sends JOIN users ON users.id = skene_sends.user_id"
        found = {row.email: row.state for row in connection.execute(text(query))}
    engine.dispose()
    return found


def run_until_nothing_is_on_its_way(scene: Scene) -> None:
    """Run again: a run that comes within a second of a death leaves what died to the next one."""
    for _ in range(12):
        assert scene.start().wait(PATIENCE) == 0, scene.output()
        if "reserved" not in states(scene).values():
            return
    raise AssertionError(scene.output())


def test_a_death_around_a_message_leaves_one_email_in_doubt_at_most_and_doubles_nobody(
    url: str, tmp_path: Path, mail_server: LocalMailServer
) -> None:
    scene = make_scene(tmp_path / "project", url, mail_server, seed=0)
    file = scene.root / "skene.yaml"
    file.write_text(
        file.read_text(encoding="utf-8").replace("sender:\n", "sender:\n  provider: smtp\n"), encoding="utf-8"
    )
    doubts = 0
    for point, when, nth, what in CUTS:
        scene.add_users(4)

        scene.die_at(point, when, nth)
        run_until_nothing_is_on_its_way(scene)

        before, doubts = doubts, sum(state == "in_doubt" for state in states(scene).values())
        assert doubts - before <= 1, what

    found, times = states(scene), Counter(arrived.to for arrived in mail_server.emails())
    assert len(found) == scene.users
    assert set(times.values()) == {1}
    assert {state for address, state in found.items() if address in times} <= {"accepted", "in_doubt"}
    assert {state for address, state in found.items() if address not in times} == {"in_doubt"}
    # After the last of the cuts nothing is left open.
    assert doubts == len(CUTS) - 1
