"""The token in an email's links, by which its recipient says "no" without signing in.

It holds no address, and needs no look-up: it works when the address has changed, the user was erased, or the database
is away, and never expires. Whoever knows the keys can do no more than unsubscribe people.
"""

import secrets
from collections.abc import Sequence
from dataclasses import astuple, dataclass

from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import Connection, insert, select

from skene_dagster.consent.suppressions import Scope
from skene_dagster.errors import StoreError
from skene_dagster.store.tables import meta

KEYS = "signing_key_"
"""What the names of the rows of skene_meta with the keys begin with; the last by name signs, all are accepted."""

LONGEST = 1_000
"""Characters of a token; what is longer is none of ours."""

_RULE = "skene-unsubscribe-1"


class BadToken(Exception):
    """It is none that this database's keys have signed."""


@dataclass(frozen=True)
class Token:
    """Who says it, and about which email."""

    recipient: str
    """The address, as `Recipients` names it."""
    user: str
    """The user, as `Recipients` names them."""
    topic: str
    """Of the email."""
    one_click: Scope
    """What a "no" stops that is said by one click in a mail program, which shows no question."""
    locale: str
    """Of the email; empty where it has none."""
    ledger: str
    """The ledger that the email stands in."""
    send_id: str


@dataclass(frozen=True)
class Signer:
    """Signs tokens, and reads them."""

    keys: Sequence[str]
    """The oldest first."""

    @staticmethod
    def of(connection: Connection) -> "Signer":
        """Read the database's keys.

        Raises:
            StoreError: there are none.
        """
        return Signer([key for _, key in _rows(connection)])

    def sign(self, token: Token) -> str:
        """Write a token as text that can stand in a URL's path."""
        signed = self._serializer.dumps(astuple(token))
        return signed if isinstance(signed, str) else signed.decode()

    def read(self, text: str) -> Token:
        """Read a token.

        Raises:
            BadToken: it is cut, forged, or another database's.
        """
        if len(text) > LONGEST:
            raise BadToken
        try:
            return Token(*self._serializer.loads(text))
        except BadSignature:
            raise BadToken from None

    @property
    def _serializer(self) -> URLSafeSerializer:
        return URLSafeSerializer(list(self.keys), salt=_RULE)


def names(connection: Connection) -> list[str]:
    """Name the database's keys, the oldest first.

    Raises:
        StoreError: there are none.
    """
    return [name for name, _ in _rows(connection)]


def rotate(connection: Connection) -> str:
    """Draw a key, with which everything is signed from now on; return its name. The others go on being accepted.

    Raises:
        StoreError: there are no keys.
        IntegrityError: another process draws one at this moment; do it again.
    """
    newest = names(connection)[-1]
    name = f"{KEYS}{int(newest.removeprefix(KEYS)) + 1:04}"
    connection.execute(insert(meta), {"name": name, "value": secrets.token_hex(32)})
    return name


def _rows(connection: Connection) -> list[tuple[str, str]]:
    ours = meta.c.name.startswith(KEYS, autoescape=True)
    rows = connection.execute(select(meta.c.name, meta.c.value).where(ours).order_by(meta.c.name)).all()
    if not rows:
        raise StoreError(
            "skene_meta has no key to sign unsubscribe links with.",
            advice="Restore the rows signing_key_… of skene_meta from a backup: without them, links that were "
            "mailed do not work.",
        )
    return [(name, key) for name, key in rows]
