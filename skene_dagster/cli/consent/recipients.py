"""Whom a command about suppressions is asked about, and how they are shown: an address in full only if it was given."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

import click
from sqlalchemy import Connection

from skene_dagster.cli.screen import mask
from skene_dagster.consent.people import Named, named, named_account, named_user
from skene_dagster.consent.recipient import Recipients
from skene_dagster.consent.suppressions import Reason, Suppression
from skene_dagster.delivery.decide.facts import mapped_by_settings
from skene_dagster.settings import FILE, Settings
from skene_dagster.settings.addresses import bare_address
from skene_dagster.store.keys import as_text, key_of, users_key

Command = TypeVar("Command", bound=Callable[..., Any])


def checked(_context: click.Context, _parameter: click.Parameter, given: Sequence[str]) -> Sequence[str]:
    """Return addresses as they are kept; refuse what is none."""
    addresses = []
    for text in given:
        try:
            addresses.append(bare_address(text))
        except ValueError as bad:
            raise click.BadParameter(f"{text!r} is not an address: {bad}", param_hint="ADDRESS") from None
    return addresses


def checked_one(context: click.Context, parameter: click.Parameter, given: str | None) -> str | None:
    """Return an address that may be left out as `checked` does."""
    return None if given is None else checked(context, parameter, [given])[0]


def account_option(command: Command) -> Command:
    """Add --account to a command."""
    return click.option("--account", metavar="KEY", help="An account, by the accounts key.")(command)


def kept(longest: int) -> Callable[[click.Context, click.Parameter, str | None], str | None]:
    """Return a text of a person's as it is kept; refuse one that is empty, or does not fit."""

    def check(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
        if text is None:
            return None
        if not text.strip():
            raise click.BadParameter("It is empty.")
        if len(text) > longest:
            raise click.BadParameter(f"It has {len(text):,} characters, and {longest} are kept.")
        # What the terminal sent that is not UTF-8 arrives as halves of surrogate pairs.
        if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
            raise click.BadParameter("It is not UTF-8.")
        return text.strip()

    return check


def refuse_nobody(addresses: Sequence[str], user: str | None, account: str | None) -> None:
    """Refuse a call that names nobody."""
    if not addresses and user is None and account is None:
        raise click.UsageError("Name an address, a user with --user, or an account with --account.")


def find(
    connection: Connection,
    settings: Settings,
    addresses: Sequence[str],
    user: str | None,
    account: str | None,
    *,
    must_exist: bool = False,
) -> list[Named]:
    """Find the recipients that a command names: a user, the address of that user, addresses, the users who have them.

    And an account, which is only itself: its users are no part of what is said of it.

    Args:
        must_exist: whether a user who is gone cannot be named, or an account.

    Raises:
        click.BadParameter: there is no such user or account, or can be none.
        SettingsError: the users table is not what skene.yaml says.
    """
    users = settings.users
    found: list[Named] = []
    with mapped_by_settings(users):
        if user is not None:
            key = users_key(connection, users).read(user)
            one = None if key is None else named_user(connection, users, key)
            if key is None or (one is None and must_exist):
                raise click.BadParameter(f"No user has {users.table}.{users.key} = {user}.", param_hint="--user")
            found.append(one or Named(Recipients.of(connection).user(key), user_id=key))
            addresses = [*([one.has] if one and one.has else []), *addresses]
        found += named(connection, users, addresses)
    if account is not None:
        found.append(_account(connection, settings, account, must_exist=must_exist))
    return list({one.recipient: one for one in found}.values())


def _account(connection: Connection, settings: Settings, account: str, *, must_exist: bool) -> Named:
    mapped = settings.accounts
    if mapped is None:
        raise click.BadParameter(f"{FILE} has no `accounts:`.", param_hint="--account")
    key = key_of(connection, mapped).read(account)
    one = None if key is None else named_account(connection, mapped, key)
    if key is None or (one is None and must_exist):
        raise click.BadParameter(f"No account has {mapped.table}.{mapped.key} = {account}.", param_hint="--account")
    return one or Named(Recipients.of(connection).account(key), account_id=key)


def shown(one: Named, given: Collection[str]) -> str:
    """Name a recipient to who knows the addresses that they have given."""

    def address(text: str) -> str:
        return text if text in given else mask(text)

    if one.address is not None:
        return address(one.address)
    if one.account_id is not None:
        return f"account {as_text(one.account_id)}"
    return f"user {as_text(one.user_id)}" + (f" ({address(one.has)})" if one.has else "")


def why(one: Suppression) -> str:
    """Say since when somebody is on the list, and why."""
    return f"since {one.since:%d %b %Y} ({in_words(one.reason)}: {one.source})"


def in_words(reason: Reason) -> str:
    """Write a reason as words."""
    return reason.replace("_", " ")
