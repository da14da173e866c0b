"""Planning of the SQL of skene.yaml that says something of a user or an account: who may be mailed, who owns what."""

from collections.abc import Callable
from functools import lru_cache

from skene_dagster.documents import Document, Path_
from skene_dagster.errors import QueryRejected, SettingsError
from skene_dagster.loops.dialect import read_key, read_moment, read_test
from skene_dagster.loops.plan import Expression
from skene_dagster.settings import FILE, Accounts, Settings, Topic, Users

MAILABLE: Path_ = ("users", "mailable")
OWNER: Path_ = ("accounts", "owner")

# Every page of users needs them.
_read_test = lru_cache(maxsize=16)(read_test)
_read_key = lru_cache(maxsize=16)(read_key)
_read_moment = lru_cache(maxsize=64)(read_moment)


def asked_of(topic: str) -> Path_:
    """Return where skene.yaml says who agreed to a topic."""
    return ("topics", topic, "asked")


def plan_mailable(users: Users, document: Document | None = None) -> Expression:
    """Read the SQL that is true for users who may be mailed at all.

    Args:
        document: skene.yaml, for the lines of what is wrong.

    Raises:
        SettingsError: it cannot be used.
    """
    return _plan(_read_test, users.mailable, MAILABLE, document)


def plan_asked(name: str, topic: Topic, document: Document | None = None) -> Expression | None:
    """Read the SQL that says who agreed to a topic, as a test; None: nobody is asked in the product.

    Args:
        document: skene.yaml, for the lines of what is wrong.

    Raises:
        SettingsError: it cannot be used.
    """
    return _plan(_read_moment, topic.asked, asked_of(name), document) if topic.asked.strip() else None


def plan_owner(accounts: Accounts, document: Document | None = None) -> Expression:
    """Read the SQL that is the users key of an account's owner.

    Args:
        document: skene.yaml, for the lines of what is wrong.

    Raises:
        SettingsError: it cannot be used.
    """
    return _plan(_read_key, accounts.owner, OWNER, document)


def plan_user_tests(settings: Settings, document: Document) -> None:
    """Read all of them.

    Raises:
        SettingsError: the first that cannot be used.
    """
    plan_mailable(settings.users, document)
    if settings.accounts is not None and settings.accounts.owner.strip():
        plan_owner(settings.accounts, document)
    for name, topic in settings.topics.items():
        plan_asked(name, topic, document)


def _plan(read: Callable[..., Expression], sql: str, path: Path_, document: Document | None) -> Expression:
    document = document or Document(FILE, {})
    try:
        return read(sql, place=document.text_place(path), lines=document.text_lines(path))
    except QueryRejected as bad:
        raise SettingsError(bad.message, advice=bad.advice, place=bad.place) from None
