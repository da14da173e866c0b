"""Equality of two columns that name users, or accounts, in different types: never as floating point.

TiDB and MariaDB compare a number with a text as DOUBLE: '042', '42abc' and ' 42' would be 42, and 2^53 + 1 would be
2^53. So each side is written in the other's type, and both have to agree. An index of either side can be used.
"""

import re
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, String, Text, and_, case, cast
from sqlalchemy.dialects.mysql import BIGINT, CHAR

from skene_dagster.store.keys import Key, affinity

_TEXT = re.compile(r"\w*(?:char|text)\b.* CHARACTER SET (\w+) COLLATE (\w+)")


def same(
    one: ColumnElement[Any], of_one: Key, other: ColumnElement[Any], of_other: Key, *, sqlite: bool
) -> ColumnElement[bool] | None:
    """Say that two columns hold the same key; None: between their types nothing is exact.

    An integer is the text of its digits, without zeros or spaces before it. Texts are equal under both collations.
    """
    if are_alike(of_one, of_other, sqlite=sqlite):
        return one == other
    as_other, as_one = (
        _in_sqlite(one, of_one, of_other) if sqlite else _on_server(one, of_one, of_other),
        _in_sqlite(other, of_other, of_one) if sqlite else _on_server(other, of_other, of_one),
    )
    return None if as_other is None or as_one is None else and_(other == as_other, one == as_one)


def are_alike(one: Key, other: Key, *, sqlite: bool) -> bool:
    """Whether values of two types compare exactly as they are: integers of any width, texts of any length."""
    if sqlite:
        return affinity(one.sql) == affinity(other.sql)
    of_text, of_other = _TEXT.fullmatch(one.sql), _TEXT.fullmatch(other.sql)
    if of_text and of_other:
        return of_text.groups() == of_other.groups()
    return one == other or (one.is_integer and other.is_integer)


def _in_sqlite(value: ColumnElement[Any], found: Key, wanted: Key) -> ColumnElement[Any] | None:
    match affinity(found.sql), affinity(wanted.sql):
        case "TEXT", "INTEGER":
            number = cast(value, BigInteger)
            return case((cast(number, Text) == value, number))
        case "INTEGER", "TEXT":
            return cast(value, Text)
    return None


def _on_server(value: ColumnElement[Any], found: Key, wanted: Key) -> ColumnElement[Any] | None:
    is_text, text = _TEXT.fullmatch(found.sql), _TEXT.fullmatch(wanted.sql)
    if is_text and wanted.is_integer:
        return _of_digits(value, is_unsigned="unsigned" in wanted.sql.lower())
    if text and (is_text or found.is_integer):
        charset, collation = text.groups()
        written = cast(value, CHAR(charset=charset)).collate(collation)
        if is_text and charset not in (is_text[1], "utf8mb4"):
            # What the other character set has no letter for would be a question mark.
            return case((cast(value, String).regexp_match(r"^[ -~]*\z"), written))
        return written
    return None


def _of_digits(value: ColumnElement[Any], *, is_unsigned: bool) -> ColumnElement[Any]:
    """Read a text that is exactly an integer's digits; NULL: it is not, or they are more than 64 bits hold."""
    # A strict server refuses a whole INSERT … SELECT because of one text that is no number: it is tested first.
    digits = cast(value, String)
    number = cast(value, BIGINT(unsigned=True) if is_unsigned else BigInteger)
    short, long, last = (18, 19, 2**64 - 1) if is_unsigned else (17, 18, 2**63 - 1)
    sign = "" if is_unsigned else "-?"
    # Texts of digits of one length compare as their numbers do.
    return case(
        (digits.regexp_match(rf"^(0|{sign}[1-9][0-9]{{0,{short}}})\z"), number),
        (digits.regexp_match(rf"^[1-9][0-9]{{{long}}}\z"), case((digits <= str(last), number))),
    )
