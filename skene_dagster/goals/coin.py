"""The coin that says who gets no email, so that it can be measured; it falls the same way whenever it is tossed."""

import hashlib
from dataclasses import dataclass
from typing import Literal

from skene_dagster.errors import StoreError
from skene_dagster.store.keys import as_text

SALT = "coin"
"""The row of skene_meta with the salt: 64 hex digits. A migration makes it, and it is never changed."""

Purpose = Literal["holdout", "global", "variant"]
"""What is decided by it. With one toss for all, variants would be cut from what a holdout has left."""

_SEPARATOR = b"\x1f"
_BYTES = 8


@dataclass(frozen=True)
class Coin:
    """Tosses for one purpose, in one comparison.

    u = the first 8 bytes of SHA-256(salt ␟ purpose ␟ name ␟ key) / 2⁶⁴, where ␟ is the byte 0x1F; whoever knows the
    salt can toss it again.
    """

    salt: bytes
    purpose: Purpose
    name: str
    """Of the comparison: two of the same name toss alike."""

    def toss(self, key: object) -> float:
        """Draw a number from 0 to below 1 for a user, or an account.

        Args:
            key: as the product's table spells it.
        """
        parts = (self.salt, self.purpose.encode(), self.name.encode(), as_text(key).encode())
        digest = hashlib.sha256(_SEPARATOR.join(parts)).digest()
        # Shifted by 11 bits it is exact: a float has 53, and rounding all 64 may give 1.0.
        return (int.from_bytes(digest[:_BYTES], "big") >> 11) / (1 << 53)


def salt(found: str | None) -> bytes:
    """Read the database's salt of all tosses, from the value of its row.

    Raises:
        StoreError: it is not there.
    """
    if found is None:
        raise StoreError(
            f"The row {SALT!r} of skene_meta is gone: without it a holdout would be another one from now on.",
            advice="Restore skene_meta from the backup that skene_arms is from.",
        )
    return bytes.fromhex(found)
