"""skene-dagster send-test."""

import uuid
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import click

from skene_dagster.cli.choosing import check_locale, plan_of, sends, steps_of
from skene_dagster.cli.screen import open_screen
from skene_dagster.delivery import modes
from skene_dagster.delivery.email.message import Message
from skene_dagster.delivery.email.templates import MissingValue, Templates, Unrenderable, check_address
from skene_dagster.delivery.modes import Mode
from skene_dagster.delivery.providers import registry
from skene_dagster.delivery.providers.base import Accepted
from skene_dagster.delivery.rehearsal import Case, Stage, rehearse_recipient, rehearse_user, render
from skene_dagster.errors import DeliveryError, NotCounted
from skene_dagster.project import load_project
from skene_dagster.settings import load
from skene_dagster.store.engine import database_clock, open_engine


def _address(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    try:
        check_address(value)
    except Unrenderable as bad:
        raise click.BadParameter(f"{bad}.") from None
    return value


@click.command()
@click.argument("loop")
@click.option("--step", help="The step of the loop. Default: the first.")
@click.option("--user", required=True, metavar="KEY", help="The user whose email it is, by the users key.")
@click.option("--to", required=True, metavar="ADDRESS", callback=_address, help="The address to send it to.")
@click.option("--locale", metavar="TAG", help="The email in a language, such as pt-BR. Default: the user's.")
@click.pass_obj
def send_test(root: Path, *, loop: str, step: str | None, user: str, to: str, locale: str | None) -> None:
    """Send yourself the email that a user would get from LOOP.

    It is marked as a test and not recorded: it does not replace the user's real email. With the secret of the step's
    provider it is sent, whatever SKENE_ENV is; without, it is written to the outbox.
    """
    settings = load(root)
    if locale is not None:
        check_locale(locale, settings)
    plan = plan_of(load_project(settings), loop)
    one = steps_of(plan, step, sends)[0]
    engine = open_engine(settings.database_url, read_only=True)
    clock = database_clock(engine)
    assert one.email is not None
    real = one.email.provider in registry.configured(settings)
    mode = Mode("live" if real else "outbox", "a test")
    stage = Stage(engine, plan, one, settings, mode, clock(), locale=locale)
    row: Mapping[str, object] = {}
    account: Mapping[str, object] = {}
    case = None
    if one.per_account:
        person, row, account = rehearse_recipient(stage, user)
    else:
        person, case = rehearse_user(stage, user)
    if person is None:
        raise click.BadParameter(
            f"No user has {settings.users.table}.{settings.users.key} = {user}.", param_hint="--user"
        )
    if isinstance(case, NotCounted) and stage.email.row_columns:
        raise case
    row = case.row if isinstance(case, Case) else row
    try:
        key = person.columns[settings.users.key]
        message = render(stage, Templates(settings.templates, settings.root), key, person, row, account)
    except (MissingValue, Unrenderable) as bad:
        raise DeliveryError(f"The email cannot be made: {bad}.") from None
    provider = modes.provider(mode, settings, clock, one.email.provider)
    with closing(provider):
        answer = provider.send_batch(provider.freeze([_marked(message, to)]), f"test-{uuid.uuid4()}")
    if not isinstance(answer, Accepted):
        raise DeliveryError(f"It was not accepted: {answer.reason}.")
    screen = open_screen()
    where = f"to {to}, as {answer.ids[0]}" if real else f"to the outbox: {settings.outbox / 'index.html'}"
    screen.labelled("ok", f"Sent {where}.")
    if settings.sender.public_url:
        screen.labelled("notice", "Its unsubscribe link is an example: it unsubscribes nobody.")
    else:
        screen.labelled(
            "notice", f"Its links are those of user {user}: to unsubscribe there would unsubscribe that user."
        )


def _marked(message: Message, to: str) -> Message:
    """Mark an email as a test: a mail client must not unsubscribe the user, nor the ledger recognize it."""
    return replace(
        message,
        # A mail program, too, would take one of two emails with the same id for a copy.
        send_id=uuid.uuid4().hex,
        to=to,
        subject=f"[Test] {message.subject}",
        headers=tuple(pair for pair in message.headers if not pair[0].startswith("List-")),
        tags=(("test", "true"), *(pair for pair in message.tags if pair[0] != "send")),
    )
