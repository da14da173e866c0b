"""A user's id, from a program or a request, converted to exactly the type of the users key.

TiDB compares a number with a string as DOUBLE, so an id stored in another type may match somebody else.
"""

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias
from uuid import UUID

from typing_extensions import assert_never

from skene_dagster.store.keys import Key

UserId: TypeAlias = int | str | bytes

# As the database writes it: 01 and -0 would be taken for 1 and 0, who may be somebody else.
_INTEGER = re.compile("0|-?[1-9][0-9]{0,19}")

_HEX = re.compile("(?:[0-9a-fA-F]{2})+|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
"""Bytes, or a UUID as it is written."""

# What steers a terminal, and half a character, which no database can hold.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

_BITS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
_UNSAID = 255
"""The most characters or bytes of an id if the column has no length."""


@dataclass(frozen=True)
class UserIds:
    """Which ids fit the users key."""

    kind: Literal["integer", "text", "binary"]
    least: int
    """The smallest number; of a text or binary key, the fewest characters or bytes."""
    most: int

    @staticmethod
    def of(key: Key, *, sqlite: bool) -> "UserIds":
        """Read from the key's declaration what fits; SQLite accepts any length and 64 bits, whatever is declared."""
        declared = key.sql.lower()
        if key.is_integer:
            bits = 64 if sqlite else _BITS.get(re.split(r"\W", declared)[0], 64)
            if "unsigned" in declared and not sqlite:
                return UserIds("integer", 0, 2**bits - 1)
            return UserIds("integer", -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        length = re.search(r"\((\d+)\)", declared)
        longest = int(length[1]) if length and not sqlite else _UNSAID
        if binary := re.match(r"(var)?binary|blob", declared):
            # A server fills a shorter value of binary(n) up with zeros: another id.
            return UserIds("binary", longest if binary[0] == "binary" and not sqlite else 1, longest)
        return UserIds("text", 1, longest)

    def read(self, told: object) -> UserId:
        """Convert an id to the key's type: digits to a number, a number to a string, hex digits to bytes.

        Raises:
            ValueError: it cannot be a user's id; the message quotes nothing of it.
        """
        match self.kind:
            case "integer":
                return self._integer(told)
            case "text":
                return self._text(told)
            case "binary":
                return self._binary(told)
            case _:
                assert_never(self.kind)

    def _integer(self, told: object) -> int:
        if isinstance(told, str):
            if not _INTEGER.fullmatch(told):
                raise ValueError("The users key is an integer, but the user's id is not an integer in plain digits.")
            told = int(told)
        if not isinstance(told, int) or isinstance(told, bool):
            raise _mistaken("an integer", told)
        if not self.least <= told <= self.most:
            raise ValueError(f"The user's id is not between {self.least} and {self.most}, the range of the users key.")
        return int(told)

    def _text(self, told: object) -> str:
        if isinstance(told, UUID) or (isinstance(told, int) and not isinstance(told, bool)):
            told = str(told)
        if not isinstance(told, str):
            raise _mistaken("a text", told)
        if not told.strip() or _CONTROL.search(told):
            raise ValueError("The user's id is empty, or has control characters.")
        if told.endswith(" "):
            # Most collations of a server compare it as if it had none; SQLite, and some of a server, do not.
            raise ValueError("The user's id ends with a space, with which some databases find a different user.")
        if len(told) > self.most:
            raise ValueError(f"The user's id is longer than the users key: {self.most} characters.")
        # Of a subclass, such as a member of an enum, the text itself.
        return str.__str__(told)

    def _binary(self, told: object) -> bytes:
        if isinstance(told, UUID):
            told = told.bytes
        if isinstance(told, str):
            if not _HEX.fullmatch(told):
                raise ValueError("The users key is binary, but the user's id is not written in hex digits.")
            told = bytes.fromhex(told.replace("-", ""))
        if not isinstance(told, bytes):
            raise _mistaken("binary", told)
        if not self.least <= len(told) <= self.most:
            exactly = f"{self.most}" if self.least == self.most else f"{self.least} to {self.most}"
            raise ValueError(f"The user's id must have {exactly} bytes, like the users key.")
        return bytes(told)


def _mistaken(key: str, told: object) -> ValueError:
    return ValueError(f"The users key is {key}, but the user's id is of type {type(told).__name__}.")
