"""Emails a second: all of deliver, through the ledger on MariaDB and the real SDK, to a sink on this machine.

The sink counts and answers, nothing else. «SDK alone» posts the same bytes without a ledger, in the same run: what it
takes less is what the ledger costs, rendering included.
"""

import argparse
import cProfile
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, text

from benchmarks import databases, parts
from benchmarks.shown import show
from skene_dagster import settings as settings_module
from skene_dagster.delivery.decide.reserve import reserve
from skene_dagster.delivery.email.letterhead import Letterhead
from skene_dagster.delivery.email.message import Message
from skene_dagster.delivery.email.templates import Templates
from skene_dagster.delivery.modes import Mode
from skene_dagster.delivery.providers.base import Accepted
from skene_dagster.delivery.providers.json_emails import freeze
from skene_dagster.delivery.providers.resend.provider import ResendProvider
from skene_dagster.delivery.send.deliver import Delivered, deliver
from skene_dagster.delivery.send.session import DeliverySession
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.project import load_project
from skene_dagster.segments.refresh import refresh
from skene_dagster.settings import Settings
from skene_dagster.store import schema
from skene_dagster.store.engine import database_clock, open_engine

LIVE = Mode("live", "a benchmark")
PARAGRAPH = "<mj-text>{{ name }}, we kept your place. " + "Come back and see what is new. " * 9 + "</mj-text>\n"
FILES = {
    "skene.yaml": """\
users: {name: name}
sender:
  from: Hello <hello@example.com>
  postal_address: 1 Street
  unsubscribe_url: https://example.com/u/{{user.id}}
  rate_share: SHARE
limits: {first_wave: 100000000, slices: off}
""",
    "loops/retention.yaml": """\
type: retention
steps:
  - trigger: {type: schedule, cron: "0 9 * * *"}
    condition: {type: query, query: SELECT id FROM users WHERE dormant = 1}
    action: {type: email, template: hello, personalization: {name: "{{user.name}}", city: "{{user.city}}"}}
""",
    "templates/hello.mjml": """\
<mjml><mj-head><mj-title>Hello {{ name }}</mj-title><mj-preview>Come back</mj-preview></mj-head>
<mj-body><mj-section><mj-column>
<mj-text>Greetings to {{ city }}. <a href="{{ unsubscribe_url }}">Unsubscribe</a> {{ postal_address }}</mj-text>
PARAGRAPHS</mj-column></mj-section></mj-body></mjml>
""".replace("PARAGRAPHS", PARAGRAPH * 11),
    "templates/hello.txt": "Hello {{ name }} in {{ city }}. {{ unsubscribe_url }} {{ postal_address }}\n",
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="5,000 emails, no limits simulated")
    options.add_argument("--profile", action="store_true", help="also where the time goes, function by function")
    chosen = options.parse_args()
    count = 5_000 if chosen.quick else 100_000
    rows = []
    with tempfile.TemporaryDirectory() as name, databases.mariadb(_made(Path(name) / "db")) as url:
        rows.append(measure(Path(name) / "free", url, count, "0.999", 1_000_000, profiled=chosen.profile))
        if not chosen.quick:
            for share in ("1.0", "0.8"):
                with databases.mariadb(_made(Path(name) / f"db{share}")) as limited:
                    rows.append(measure(Path(name) / share, limited, 10_000, share, 5, profiled=False))
    show(
        "Emails a second through the ledger, on MariaDB (aim: 5,000, and 95 % of what a limit of 500/s leaves)",
        [
            "limit",
            "share",
            "emails",
            "kB each",
            "reserve",
            "deliver",
            "emails/s",
            "SDK alone",
            "ratio",
            "CPU µs",
            "MiB",
        ],
        rows,
    )


def measure(root: Path, url: str, count: int, share: str, per_second: int, *, profiled: bool) -> list[str]:
    plan, settings = _project(root, url, share)
    engine = open_engine(url)
    _users(engine, count)
    schema.upgrade(engine, settings.users)
    clock = database_clock(engine)
    as_of = clock().replace(microsecond=0)
    refresh(
        engine, plan=plan, step=plan.steps[0], settings=settings, as_of=as_of, clock=clock,
        run_id="benchmark",
    )  # fmt: skip
    started = time.perf_counter()
    reserve(engine, plan=plan, step=plan.steps[0], settings=settings, mode=LIVE, as_of=as_of, clock=clock)
    reserved = time.perf_counter() - started
    with sink(per_second) as address:
        provider = ResendProvider("re_benchmark", address)
        session = DeliverySession(engine, settings, LIVE, lambda _name: provider, clock, "benchmark")
        profile = cProfile.Profile()
        started = time.perf_counter()
        with parts.measured() as seconds:
            if profiled:
                profile.enable()
            delivered = deliver(
                session, plan=plan, step=plan.steps[0], templates=Templates(settings.templates, settings.root)
            )
            profile.disable()
        took = time.perf_counter() - started
        alone, size = sdk_alone(provider, settings, plan, min(count, 5_000)) if per_second > 500 else (0.0, 0)
    assert delivered == Delivered({"accepted": count}, accepted=count, open=0, stopped_because="")
    if profiled:
        pstats.Stats(profile).sort_stats("tottime").print_stats(45)
        pstats.Stats(profile).sort_stats("cumtime").print_stats("skene_dagster")
    engine.dispose()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for part, spent in sorted(seconds.items(), key=lambda pair: -pair[1]):
        print(f"{part:10}{spent / count * 1e6:6.1f} µs of processor time per email")
    rate = count / took
    limit = "none" if per_second > 500 else f"{per_second * 100}/s"
    each = f"{size / 1000:.1f}" if size else "-"
    return [
        limit, share, f"{count:,}", each, f"{count / reserved:,.0f}/s", f"{took:.1f} s",
        f"{rate:,.0f}", f"{alone:,.0f}" if alone else "-", f"{rate / alone:.2f}" if alone else "-",
        f"{sum(seconds.values()) / count * 1e6:,.0f}", f"{peak:.0f}",
    ]  # fmt: skip


def sdk_alone(provider: ResendProvider, settings: Settings, plan: LoopPlan, count: int) -> tuple[float, int]:
    """Post the same email, frozen beforehand; emails a second, and its size in bytes."""
    rendered = _one(settings, plan)
    batch = freeze([rendered] * 100)
    started = time.perf_counter()
    for number in range(count // 100):
        assert isinstance(provider.send_batch(batch, f"alone-{number}"), Accepted)
    return count / (time.perf_counter() - started), len(batch.body) // 100


@contextmanager
def sink(per_second: int) -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.sink", str(per_second)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


def _one(settings: Settings, plan: LoopPlan) -> Message:
    email = plan.steps[0].email
    assert email is not None
    return Templates(settings.templates, settings.root).render(
        email,
        user={"id": 1, "email": "u1@example.com", "name": "User 1", "city": "Berlin"},
        row={}, letterhead=Letterhead.of(settings, email), send_id="0" * 32, to="u1@example.com",
        loop="retention", step="main",
    )  # fmt: skip


def _project(root: Path, url: str, share: str) -> tuple[LoopPlan, Settings]:
    for name, content in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content.replace("SHARE", share), encoding="utf-8")
    settings = settings_module.load(root, {"SKENE_DATABASE_URL": url})
    (plan,) = load_project(settings).loops
    return plan, settings


def _users(engine: Engine, count: int) -> None:
    columns = "id BIGINT PRIMARY KEY, email VARCHAR(255), name VARCHAR(100), city VARCHAR(100), dormant INT NOT NULL"
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE users ({columns})"))
        for start in range(1, count + 1, 5_000):
            rows = [
                {"id": n, "email": f"u{n}@example.com", "name": f"User {n}", "city": "Berlin"}
                for n in range(start, min(start + 5_000, count + 1))
            ]
            connection.execute(text("INSERT INTO users VALUES (:id, :email, :name, :city, 1)"), rows)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


if __name__ == "__main__":
    main()
