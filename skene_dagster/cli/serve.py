"""skene-dagster serve."""

import logging
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import click

from skene_dagster.behaviour.events import open_journal
from skene_dagster.cli.database import shown_database
from skene_dagster.cli.screen import open_screen
from skene_dagster.delivery.providers import registry
from skene_dagster.errors import SettingsError
from skene_dagster.settings import OWN_EVENTS, Settings, load
from skene_dagster.web import serving
from skene_dagster.web.events.api import events_api
from skene_dagster.web.pages.keyring import open_pages
from skene_dagster.web.pages.routes import pages
from skene_dagster.web.parts import Part, ready_anyway
from skene_dagster.web.webhooks import webhooks_of

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", default=8765, show_default=True, type=click.IntRange(0, 65535), help="The port; 0 means any free port."
)
@click.option(
    "--public",
    "is_public",
    is_flag=True,
    help="Serve only what everybody may reach: the unsubscribe pages and webhooks.",
)
@click.pass_obj
def serve(root: Path, *, host: str, port: int, is_public: bool) -> None:
    """Receive what users do over HTTP, and serve the pages that the links in emails lead to.

    POST /v1/track and /v1/batch, in the format of Segment's libraries; accepted but not stored: /v1/identify,
    /v1/page, …; /u/… for unsubscribe links; POST /webhooks/…, for the providers whose secret is set; GET /healthz and
    /readyz. Runs until SIGTERM or Ctrl+C, and ends once everything it accepted is written.
    """
    settings = load(root)
    if not is_public:
        _guarded(settings, host)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    # SQLAlchemy, 2026-11: a connection that dies just when it is given back is a stack trace there. That the database
    # is away, we say.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    screen = open_screen()
    # Before it listens: no client should be refused for something that is already known.
    with _parts(settings, is_public=is_public) as parts:
        try:
            listener = serving.listen(host, port)
        except OSError as error:
            raise click.UsageError(f"Nothing can listen on {host}, port {port}: {error.strerror}.") from None
        if settings.events != OWN_EVENTS and not is_public:
            said = (
                f"skene.yaml reads events from {settings.events.table}: no loop reads what is written to skene_events."
            )
            screen.labelled("notice", said)
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listener.getsockname()[1]}"
        what = "Serving unsubscribe pages" if is_public else "Receiving events and serving unsubscribe pages"
        screen.labelled("ok", f"{what} at {address} and writing to {shown_database(settings)}.")
        for provider in registry.receivers(settings):
            screen.labelled("ok", f"Taking in what providers post at /webhooks/{provider}.")
        # A program that waits for these lines reads a pipe.
        sys.stdout.flush()
        serving.run(listener, parts)


@contextmanager
def _parts(settings: Settings, *, is_public: bool) -> Iterator[list[Part]]:
    """Open what is served."""
    with ExitStack() as stack:
        parts = []
        if not is_public:
            # On SQLite this makes the tables, too.
            journal = stack.enter_context(closing(open_journal(settings)))
            parts.append(events_api(journal, write_key=settings.write_key))
        engine, signer = open_pages(settings)
        stack.callback(engine.dispose)
        hooks = webhooks_of(settings)
        # Whoever posts to a webhook posts again: that is no reason to take the pages away.
        parts += map(ready_anyway, hooks) if is_public else hooks
        yield [*parts, pages(engine, signer, settings)]


def _guarded(settings: Settings, host: str) -> None:
    """Refuse to accept events from everybody, except on the developer's own machine."""
    if settings.write_key or (host in LOOPBACK and settings.environment == "development"):
        return
    raise SettingsError(
        "SKENE_WRITE_KEY is not set: anyone could write events.",
        advice="Set it to a long random text, and give it to the clients. Without it, events are accepted on "
        "127.0.0.1 only, in development.",
    )
