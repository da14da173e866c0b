"""The token in an email's links, by which its recipient says "no" without signing in.

It holds no address, and needs no look-up: it works when the address has changed, the user was erased, or the database
is away, and never expires. Whoever knows the keys can do no more than unsubscribe people.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import Connection, select

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
        rows = select(meta.c.value).where(meta.c.name.startswith(KEYS, autoescape=True)).order_by(meta.c.name)
        keys = connection.execute(rows).scalars().all()
        if not keys:
            raise StoreError(
                "skene_meta has no key to sign unsubscribe links with.",
                advice="Restore the rows signing_key_… of skene_meta from a backup: without them, links that were "
                "mailed do not work.",
            )
        return Signer(keys)

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
