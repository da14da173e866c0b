"""Who may be mailed, and who was erased."""

from sqlalchemy import Column, Index, String, Table, Text
from sqlalchemy.types import NullType

from skene_dagster.store.tables.database import Moment, metadata

suppressions = Table(
    "skene_suppressions",
    metadata,
    # Whom which mail may not reach. A row is never deleted: what was lifted has the moment in its key.
    Column(
        "recipient", String(66), primary_key=True
    ),  # a salted hash: 1:… of an address, u:…, a:… of a user's or account's key
    Column("scope", String(64), primary_key=True),  # all | marketing | topic:<name>
    Column("lifted_at", Moment, primary_key=True),  # 9999-12-31 while it holds; ahead, where it ends by itself
    Column("since", Moment, nullable=False),  # when they said so
    Column("repeated_at", Moment, nullable=False),  # when they said so last
    Column("reason", String(64), nullable=False),
    Column("source", String(64), nullable=False),
    Column("address", String(254)),  # NULL where it is not known, or was erased
    Column("lift_reason", String(255)),
)

preferences = Table(
    "skene_preferences",
    metadata,
    # What recipients said themselves, and what they were shown then. A row is never changed: the newest one counts.
    Column("recipient", String(66), primary_key=True),  # as in skene_suppressions
    Column("scope", String(64), primary_key=True),  # marketing | topic:<name>
    Column("said_at", Moment, primary_key=True),
    Column("answer", String(3), nullable=False),  # yes | no
    Column("source", String(64), nullable=False),
    Column("text_digest", String(64)),  # of the text shown; NULL where nothing was: one click in a mail program
    Column("send_id", String(32)),  # the email whose link they followed; NULL where there was none
    Index("skene_preferences_said", "said_at"),
)

erasures = Table(
    "skene_erasures",
    metadata,
    # Somebody who was erased, while something of them may still come in or has to wait. It holds neither their key nor
    # an address.
    Column("erasure_id", String(32), primary_key=True),
    Column("user_id", NullType),  # what their sends have in place of the users key; NULL where they had none
    Column("recipients", Text, nullable=False),  # their names, as in skene_suppressions, with spaces between
    Column("waits_for", Text),  # batches in doubt whose bytes hold an email to them, with spaces between
    Column("erased_at", Moment, nullable=False),
)
