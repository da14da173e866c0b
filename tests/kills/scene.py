"""A product whose loop is run by processes that die, and the verdict on what became of its users' emails."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from random import Random
from typing import Any, BinaryIO

from forked import Forked, skene_dagster
from killed_at import ORDERS, run
from resends import Taker
from sqlalchemy import create_engine, text

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
PATIENCE = 240.0
"""Seconds after which something that should happen did not."""

FILES = {
    "skene.yaml": """\
users: {name: name}
sender:
  from: Little Product <hello@example.com>
  postal_address: 1 Example Street, Example Town
  unsubscribe_url: https://example.com/unsubscribe/{{user.id}}
  rate_share: 1.0
limits: {first_wave: 1000000, slices: off}
""",
    "loops/retention.yaml": """\
type: retention
steps:
  - trigger: {type: schedule, cron: "0 9 * * *"}
    condition: {type: query, query: SELECT id FROM users WHERE dormant = 1}
    action:
      type: email
      template: hello
      personalization: {name: "{{user.name}}"}
      set: {reminded: 1}
recovery: {retries: 2, backoff: none, delay: 1s}
""",
    "templates/hello.mjml": """\
<mjml>
  <mj-head><mj-title>Hello {{ name }}</mj-title><mj-preview>Come back</mj-preview></mj-head>
  <mj-body><mj-section><mj-column>
    <mj-text>Hello {{ name }}. <a href="{{ unsubscribe_url }}">Unsubscribe</a> {{ postal_address }}</mj-text>
  </mj-column></mj-section></mj-body>
</mjml>
""",
    "templates/hello.txt": "Hello {{ name }}. {{ unsubscribe_url }} {{ postal_address }}\n",
}


@dataclass
class Verdict:
    """What became of everybody: all empty where the promise was kept."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong_ids: list[str] = field(default_factory=list)
    not_written_back: list[str] = field(default_factory=list)
    open_batches: list[str] = field(default_factory=list)


@dataclass
class Scene:
    root: Path
    url: str
    taker: Taker
    random: Random
    users: int = 0
    kills: int = 0
    job: str = "retention"
    """What is run."""
    home: Path | None = None
    """The folder of Dagster's instance; without it, each run has one of its own, which goes with it."""
    story: list[str] = field(default_factory=list)
    """What was killed where."""

    def add_users(self, count: int) -> None:
        first, self.users = self.users + 1, self.users + count
        rows = [{"id": n, "email": f"u{n}@example.com", "name": f"User {n}"} for n in range(first, self.users + 1)]
        with self._connected() as connection:
            connection.execute(
                text("INSERT INTO users (id, email, name, dormant, reminded) VALUES (:id, :email, :name, 1, 0)"), rows
            )

    def start(self, *point: object) -> Forked:
        """Start a run, which dies by itself at a point where one is given."""
        return self._forked(run, self.job, *point)

    def die_at(self, point: str, when: str, nth: int) -> None:
        """Run, and die there."""
        process = self.start(point, when, nth)
        assert process.wait(PATIENCE) == -signal.SIGKILL, f"never came to {point} {when} {nth}: {self.output()}"
        self._killed(f"{point} {when} {nth}")

    def kill_if_it_comes_to(self, point: str, when: str, nth: int) -> None:
        """Run, and die there; a run that does not come to it ends, and is no kill."""
        if self.start(point, when, nth).wait(PATIENCE) == -signal.SIGKILL:
            self._killed(f"{point} {when} {nth}")

    def die_while_sending(self) -> None:
        """Run, and be killed a moment after some requests were made; a run that was faster is no kill."""
        process = self.start()
        seen = self.taker.posts() + self.random.randint(1, 3)
        self.until(lambda: self.taker.posts() >= seen or process.poll() is not None, every=0.02)
        time.sleep(self.random.random() * 0.03)
        self.kill(process)

    def kill(self, process: Forked) -> None:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        if process.wait(PATIENCE) == -signal.SIGKILL:
            self._killed(f"after {self.taker.posts()} posts")

    def finish(self) -> None:
        """Run undisturbed until a run ends well that came too early for nothing."""
        for _ in range(12):
            began = datetime.now(timezone.utc).replace(tzinfo=None)
            if self.start().wait(PATIENCE) == 0 and not self._due_after(began):
                return
        raise AssertionError(self.output())

    def _due_after(self, moment: datetime) -> bool:
        """Whether a batch that is open was waiting for its own time then."""
        query = "SELECT due_at FROM skene_batches WHERE state NOT IN ('settled', 'split')"
        with self._connected() as connection:
            return any(str(due_at) > str(moment) for due_at in connection.execute(text(query)).scalars())

    def judge(self) -> Verdict:
        """Compare what arrived with what the ledger says, for every user."""
        arrived = self.taker.emails()
        times = Counter(email.to for email in arrived)
        ids = {email.send: email.id for email in arrived}
        everybody = [f"u{n}@example.com" for n in range(1, self.users + 1)]
        with self._connected() as connection:
            sends = connection.execute(text("SELECT send_id, state, provider_id FROM skene_sends")).all()
            reminded = set(connection.execute(text("SELECT email FROM users WHERE reminded = 1")).scalars())
            batches = connection.execute(text("SELECT batch_id, state FROM skene_batches")).all()
        return Verdict(
            lost=[to for to in everybody if times[to] == 0],
            doubled=[to for to, n in times.items() if n > 1],
            wrong_ids=[
                row.send_id for row in sends if row.state == "accepted" and ids.get(row.send_id) != row.provider_id
            ]
            + [row.send_id for row in sends if row.state != "accepted"],
            not_written_back=sorted(reminded ^ set(times)),
            open_batches=[row.batch_id for row in batches if row.state not in {"settled", "split"}],
        )

    def output_file(self) -> BinaryIO:
        return self._output.open("ab")

    def output(self) -> str:
        shown = self._output.read_text(encoding="utf-8", errors="replace")[-3000:]
        return f"killed so far: {self.story}\n{shown}"

    def until(self, happened: Callable[[], bool], every: float = 0.05) -> None:
        deadline = time.monotonic() + PATIENCE
        while not happened():
            assert time.monotonic() < deadline, self.output()
            time.sleep(every)

    def until_posts(self, count: int) -> None:
        """Wait until so many requests were made in all."""
        self.until(lambda: self.taker.posts() >= count, every=0.005)

    def skene_dagster(self, *arguments: str, or_look: bool = False) -> None:
        """Run the command, as a person does.

        Args:
            or_look: it may end with 4 as well: something has to wait.
        """
        ended = self._forked(skene_dagster, *arguments).wait(PATIENCE)
        assert ended in ({0, 4} if or_look else {0}), self.output()

    def dies_in_turn(self, *orders: str) -> None:
        """Say where the next processes of `code_location` die, one order each: `post after 2`."""
        (self.root / ORDERS).write_text("\n".join(orders), encoding="utf-8")

    def until_obeyed(self) -> None:
        """Wait until there is no order left."""
        self.until(lambda: not (self.root / ORDERS).read_text(encoding="utf-8"), every=0.02)

    def make_home(self) -> Path:
        """Give the runs that are started from now on an instance of Dagster, as the committed dagster.yaml says."""
        self.home = self.root / "home"
        self.home.mkdir()
        (self.home / "dagster.yaml").write_bytes((REPOSITORY / "dagster.yaml").read_bytes())
        return self.home

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with self._connected() as connection:
            return [tuple(row) for row in connection.execute(text(query))]

    def execute(self, statement: str) -> None:
        with self._connected() as connection:
            connection.execute(text(statement))

    @property
    def _output(self) -> Path:
        return self.root / "output"

    def _forked(self, work: Callable[..., object], *arguments: object) -> Forked:
        return Forked(work, *arguments, cwd=self.root, env=self.environment(), log=self._output)

    def _killed(self, where: str) -> None:
        self.kills += 1
        self.story.append(where)

    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SKENE_", "RESEND_", "DAGSTER_"))}
        return kept | {
            "SKENE_PROJECT": str(self.root),
            "SKENE_DATABASE_URL": self.url,
            "SKENE_ENV": "production",
            **self.taker.variables,
            "PYTHONPATH": str(REPOSITORY),
            "PYTHONWARNINGS": "ignore:Function",
            "DAGSTER_DISABLE_TELEMETRY": "true",
            **({} if self.home is None else {"DAGSTER_HOME": str(self.home)}),
        }

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        engine = create_engine(self.url, connect_args={"timeout": 1} if self.url.startswith("sqlite") else {})
        try:
            with engine.begin() as connection:
                yield connection
        finally:
            engine.dispose()


def write_project(root: Path) -> None:
    for name, content in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content, encoding="utf-8")


def make_scene(root: Path, url: str, taker: Taker, seed: int) -> Scene:
    write_project(root)
    scene = Scene(root, url, taker, Random(seed))
    scene.execute(
        "CREATE TABLE users (id BIGINT PRIMARY KEY NOT NULL, email VARCHAR(255), name VARCHAR(100), "
        "dormant INTEGER NOT NULL, reminded INTEGER NOT NULL)"
    )
    if not url.startswith("sqlite"):
        scene.skene_dagster("migrate")
    return scene
