"""What the list of suppressions knows people by: a salted hash of an address, or of a user's key.

So a "no" holds without anybody's address: it outlives the user's row. Who knows the salt can find out whether an
address is on the list; without it nobody can. It is a row of skene_meta, which a migration makes, and which is never
changed.
"""

import hashlib
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Connection, select

from skene_dagster.errors import StoreError
from skene_dagster.settings.addresses import bare_address
from skene_dagster.store.keys import as_text
from skene_dagster.store.tables import meta

SALT = "salt"
"""The row of skene_meta with the salt: 64 hex digits."""

RULE = "1"
"""The version of the rule by which two addresses count as one."""


def is_of_an_address(name: str) -> bool:
    """Whether a name is that of an address, not of a user."""
    return name.startswith(f"{RULE}:")


def text_of(value: object) -> str | None:
    """Return what a column of addresses holds as the text that it should be: what is no address is refused as one."""
    if isinstance(value, bytes):
        return value.rstrip(b"\0").decode(errors="replace")
    return value if value is None else str(value)


@dataclass(frozen=True)
class Recipients:
    """Names the recipients of one database."""

    salt: bytes

    @staticmethod
    def of(connection: Connection) -> "Recipients":
        """Read the database's salt.

        Raises:
            StoreError: it is not there.
        """
        salt = connection.execute(select(meta.c.value).where(meta.c.name == SALT)).scalar_one_or_none()
        if salt is None:
            raise StoreError(
                f"The row {SALT!r} of skene_meta is gone: without it nobody is found on the list of suppressions.",
                advice="Restore skene_meta from the backup that skene_suppressions is from.",
            )
        return Recipients(bytes.fromhex(salt))

    def address(self, text: str) -> str:
        """Name an address, in 66 characters.

        Spaces around it, upper case and the form of its domain make no difference; dots and what follows a + do:
        whether two such addresses are one only their mail server knows.

        Raises:
            ValueError: it is not one address.
        """
        return self.checked(bare_address(text))

    def checked(self, address: str) -> str:
        """Name an address that `bare_address` returned."""
        return f"{RULE}:{self._hash(address.lower())}"

    def user(self, user_id: object) -> str:
        """Name a user, in 66 characters.

        Args:
            user_id: as the users table has it, not as it was asked for: to a collation two spellings may be one key.
        """
        return f"u:{self._hash(as_text(user_id))}"

    def account(self, account_id: object) -> str:
        """Name an account, in 66 characters; see `user`."""
        return f"a:{self._hash(as_text(account_id))}"

    def of_user(self, user_id: object, address: str | None) -> tuple[str, ...]:
        """Name a user, and their address if it is one."""
        names = [self.user(user_id)]
        with suppress(ValueError):
            names.append(self.address(address or ""))
        return tuple(names)

    def _hash(self, text: str) -> str:
        return hashlib.sha256(self.salt + text.encode()).hexdigest()
