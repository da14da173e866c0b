"""Planning of `users.mailable`: the SQL of skene.yaml that says who may be mailed at all, checked as a condition is."""

from functools import lru_cache

from skene_dagster.documents import Document
from skene_dagster.errors import QueryRejected, SettingsError
from skene_dagster.loops.dialect import read_test
from skene_dagster.loops.plan import Expression
from skene_dagster.settings import FILE, Users

# Every page of users needs it.
_read_test = lru_cache(maxsize=16)(read_test)


def plan_mailable(users: Users, document: Document | None = None) -> Expression:
    """Read the SQL that is true for users who may be mailed at all.

    Args:
        document: skene.yaml, for the lines of what is wrong.

    Raises:
        SettingsError: it cannot be used.
    """
    document = document or Document(FILE, {})
    path = "users", "mailable"
    try:
        return _read_test(users.mailable, place=document.text_place(path), lines=document.text_lines(path))
    except QueryRejected as bad:
        raise SettingsError(bad.message, advice=bad.advice, place=bad.place) from None
