"""What `doctor` checks of the database and the provider, one thing after the other."""

from collections.abc import Iterator
from datetime import timedelta
from email.utils import parseaddr

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Integer,
    literal_column,
    select,
    text,
)

from skene_dagster.checks import event_sources, preflight
from skene_dagster.cli.database import open_ledger, refuse_a_backup, settings_file
from skene_dagster.cli.doctor.local_time import examine_moments
from skene_dagster.cli.doctor.loop_checks import examine_files, examine_loops
from skene_dagster.cli.doctor.rights import (
    examine_collecting,
    examine_file,
    examine_migrating,
    examine_reading,
    examine_writing,
)
from skene_dagster.cli.inspect.budgets import budgets_in_words
from skene_dagster.cli.validate.result import Checked
from skene_dagster.consent.recipient import Recipients
from skene_dagster.consent.tokens import Signer
from skene_dagster.delivery import modes
from skene_dagster.delivery.decide.arbiter.today import budgets
from skene_dagster.delivery.modes import Mode
from skene_dagster.delivery.providers import registry
from skene_dagster.delivery.received.dmarc import examine_domain
from skene_dagster.documents import Document
from skene_dagster.errors import LedgerOutdated, SkeneError, StoreError
from skene_dagster.project import Project
from skene_dagster.settings import Settings
from skene_dagster.store import environment, schema
from skene_dagster.store.engine import (
    CLOCKS_DIFFER,
    clocks,
    database_time,
    how_far_ahead,
    is_sqlite,
    open_engine,
    reading,
)
from skene_dagster.store.failures import translated
from skene_dagster.store.server import urls
from skene_dagster.store.server.capabilities import PROBES, Capabilities, capabilities

CLOCKS = timedelta(seconds=5)
"""How far this machine's clock and the database's may differ before it is reported."""

_HERE = frozenset({"localhost", "127.0.0.1", "::1", None})


def examine_database(settings: Settings, project: Project) -> Iterator[Checked]:
    """Check the database, as a run would; stop when the rest could only fail."""
    engine = open_engine(settings.database_url, read_only=settings.database_url.startswith("sqlite"))
    try:
        with translated():
            yield from _examine(engine, settings, project)
    except SkeneError as error:
        yield Checked.of(error)
    finally:
        engine.dispose()


def _examine(engine: Engine, settings: Settings, project: Project) -> Iterator[Checked]:
    found = capabilities(engine)
    yield from _product(found)
    with engine.connect() as connection:
        if "resource groups" in found.has:
            group: str = connection.execute(select(literal_column("CURRENT_RESOURCE_GROUP()"))).scalar_one()
            yield Checked("ok", f"Sessions run in the resource group {group}.")
        if not is_sqlite(engine):
            yield from _encryption(connection, settings)
        yield from _time(connection)
        file = settings_file(settings)
        yield from examine_files(project)
        if wrong := preflight.check_users(connection, settings.users, file):
            yield from map(Checked.of, wrong)
            return
        if wrong := preflight.check_topics(connection, settings, file):
            yield from map(Checked.of, wrong)
            return
        yield Checked("ok", f"The users are in {settings.users.table}.")
        yield from _events(connection, settings, file)
        yield from examine_moments(connection, settings, project, file)
        if settings.tidb_usage is not None:
            yield from examine_collecting(connection)
    if is_sqlite(engine):
        yield from _embedded(engine, settings, project)
    else:
        yield from _server(engine, settings, project)


def _embedded(engine: Engine, settings: Settings, project: Project) -> Iterator[Checked]:
    if schema.is_ready(engine):
        schema.ready(engine, settings.users, settings.accounts)
        yield _belongs(engine, settings)
        yield from _drawn_once(engine)
        yield from _budgets(engine, settings)
        yield from examine_file(settings)
    else:
        yield Checked("ok", "The first run makes the skene_* tables, or upgrades them to this release.")
    yield from examine_loops(engine, settings, project)


def _server(engine: Engine, settings: Settings, project: Project) -> Iterator[Checked]:
    is_due = not schema.is_ready(engine)
    yield from examine_migrating(engine, is_due=is_due)
    schema.ready(engine, settings.users, settings.accounts)
    yield _belongs(engine, settings)
    yield from _drawn_once(engine)
    yield from _budgets(engine, settings)
    yield from examine_reading(engine, settings, project)
    yield from examine_writing(engine)
    yield from examine_loops(engine, settings, project)


def _belongs(engine: Engine, settings: Settings) -> Checked:
    environment.check(engine, settings.environment)
    return Checked("ok", f"The skene_* tables match this release, and belong to {settings.environment}.")


def _drawn_once(engine: Engine) -> Iterator[Checked]:
    """Look for what the tables were made with: drawn anew, it would find nobody, and believe no link."""
    for read in (Recipients.of, Signer.of):
        try:
            reading(engine, read)
        except StoreError as error:
            yield Checked.of(error)


def _budgets(engine: Engine, settings: Settings) -> Iterator[Checked]:
    """Say how many emails may leave today; where no mode can be chosen, that is said with the sender."""
    try:
        mode = modes.choose(settings).name
    except SkeneError:
        return
    found = reading(engine, lambda connection: budgets(connection, settings, mode, database_time(connection)))
    if found:
        said = budgets_in_words(found)
        yield Checked("ok", f"{said[0].upper()}{said[1:]}.")


def _events(connection: Connection, settings: Settings, file: Document) -> Iterator[Checked]:
    """Check the events; loops whose conditions do not use them run without them."""
    wrong = event_sources.check_events(connection, settings, file)
    yield from map(Checked.of, wrong)
    if not wrong:
        yield Checked("ok", f"The events are in {settings.events.table}.")


def _product(found: Capabilities) -> Iterator[Checked]:
    if found.is_too_old:
        yield Checked("error", f"{found.name} is too old.", "Use TiDB 7.5 or newer.")
    elif found.product in {"MariaDB", "MySQL"}:
        yield Checked(
            "notice", f"{found.name}: the tests run on it, in place of TiDB.", "Production is meant for TiDB."
        )
    else:
        yield Checked("ok", f"{found.name}.")
    if found.product == "TiDB":
        yield Checked("ok", f"It has: {', '.join(sorted(found.has)) or 'none of what can be used'}.")
        lacking = [name for name in PROBES if name not in found.has]
        if lacking:
            yield Checked("ok", f"It lacks: {', '.join(lacking)}. Nothing needs them.")


def _encryption(connection: Connection, settings: Settings) -> Iterator[Checked]:
    url = urls.parse(settings.database_url)
    row = connection.execute(text("SHOW SESSION STATUS LIKE 'Ssl_cipher'")).one_or_none()
    encrypted, verified = bool(row and row[1]), "ssl_ca" in url.query
    how = "Add ?ssl_ca=/path/to/ca.pem to SKENE_DATABASE_URL (/etc/ssl/certs/ca-certificates.crt for TiDB Cloud)."
    if encrypted and verified:
        yield Checked("ok", "The connection is encrypted, and the server's certificate and name are verified.")
    elif encrypted:
        yield Checked("notice", "The connection is encrypted, but the server's identity is not verified.", how)
    elif url.host not in _HERE:
        yield Checked("notice", "The connection is not encrypted.", how)
    else:
        yield Checked("ok", "The connection is not encrypted; it stays on this machine.")


def _time(connection: Connection) -> Iterator[Checked]:
    if not is_sqlite(connection):
        off: ColumnElement[int] = literal_column("TIMESTAMPDIFF(MINUTE, UTC_TIMESTAMP(), NOW())", Integer)
        ahead = connection.execute(select(off)).scalar_one()
        if ahead:
            yield Checked(
                "error", f"The session's clock is {ahead} minutes off UTC.", "The server ignores SET time_zone."
            )
            return
    apart, now = how_far_ahead(connection), database_time(connection)
    if apart > CLOCKS_DIFFER:
        yield Checked(
            "error",
            f"{clocks(now)} Ticks from a clock that far ahead are refused.",
            "Use NTP, also on the machine of Dagster's daemon.",
        )
    elif abs(apart) > CLOCKS:
        seconds = abs(apart).total_seconds()
        yield Checked("notice", f"{clocks(now)} They differ by {seconds:,.0f} s.", "Use NTP.")
    else:
        yield Checked("ok", "Sessions are in UTC; the clocks agree.")


def examine_sender(settings: Settings, project: Project) -> Iterator[Checked]:
    """Check where emails go, and whether the providers accept them."""
    try:
        mode = modes.choose(settings)
    except SkeneError as error:
        yield Checked("error", error.message, error.advice)
        return
    yield Checked("ok", f"Emails: {mode.name} ({mode.why}).")
    if not mode.leaves:
        return
    yield from _ledger(settings, mode)
    used = {step.email.provider for plan in project.loops for step in plan.steps if step.email is not None}
    for name in sorted(used.union(registry.configured(settings))):
        try:
            modes.require(settings, name)
            for one in registry.named(name).diagnose(settings):
                yield Checked(one.label, one.said, one.advice)
        except SkeneError as error:
            yield Checked.of(error)
    addresses = (parseaddr(sender.from_)[1] for sender in settings.all_senders)
    for domain in dict.fromkeys(address.rpartition("@")[2].lower() for address in addresses if address):
        found = examine_domain(domain)
        yield Checked(found.label, found.said, found.advice)


def _ledger(settings: Settings, mode: Mode) -> Iterator[Checked]:
    """Compare the ledger with the provider's newest records, as a run does before it sends."""
    try:
        with open_ledger(settings) as (engine, clock):
            unread = refuse_a_backup(settings, mode, engine, clock)
    except LedgerOutdated as error:
        yield Checked.of(error)
    except SkeneError:
        return  # what the database lacks was said
    else:
        yield Checked("ok", unread or "The ledger is no older than the provider's records.")
