"""What comes back about mail that was accepted."""

from sqlalchemy import Column, Date, Index, Integer, String, Table
from sqlalchemy.types import NullType

from skene_dagster.store.tables.database import Moment, metadata

receipts = Table(
    "skene_receipts",
    metadata,
    # An accepted email, and what became of it. Of each moment the earliest is kept, in whatever order they are told.
    Column("send_id", String(32), primary_key=True),
    # Not unique: a provider that names two emails alike must not make settling fail.
    Column("provider_id", String(64)),  # NULL where nobody knows it
    Column("mode", String(16), nullable=False),
    Column("loop", String(48), nullable=False),
    Column("step", String(48), nullable=False),
    Column("user_id", NullType, nullable=False),
    Column("recipient", String(66)),  # as in skene_suppressions; NULL where an older release made the email
    Column("domain", String(253)),  # of the address; NULL where an older release made the email
    Column("language", String(40)),  # a tag, such as pt-BR; NULL: as for everybody, or an older release made it
    Column("accepted_at", Moment, nullable=False),
    Column("delivered_at", Moment),
    Column("delayed_at", Moment),
    Column("bounced_at", Moment),
    Column("bounce", String(16)),  # hard | blocked | soft: how it is judged; the gravest is kept
    Column("bounce_type", String(16)),  # the provider's own words
    Column("bounce_sub_type", String(32)),
    Column("status_codes", String(64)),  # enhanced status codes (RFC 3463), with spaces between
    Column("failed_at", Moment),  # the provider could not send it after all
    Column("rejected_at", Moment),  # the provider did not send it: its own list has the address
    Column("complained_at", Moment),
    Column("opened_at", Moment),
    Column("last_opened_at", Moment),  # a machine opens within seconds of delivery, a person later
    Column("clicked_at", Moment),
    Column("last_clicked_at", Moment),
    Column("unsubscribed_at", Moment),
    Index("skene_receipts_provider", "provider_id"),
    Index("skene_receipts_recipient", "recipient", "accepted_at"),
    Index("skene_receipts_accepted", "accepted_at"),
)

receipt_counts = Table(
    "skene_receipt_counts",
    metadata,
    # What became of a step's emails, counted as it becomes known.
    Column("mode", String(16), primary_key=True),
    Column("loop", String(48), primary_key=True),
    Column("step", String(48), primary_key=True),
    Column("day", Date, primary_key=True),  # on which they were accepted (UTC)
    Column("accepted", Integer, nullable=False),
    Column("delivered", Integer, nullable=False),
    Column("bounced", Integer, nullable=False),
    Column("bounced_softly", Integer, nullable=False),
    Column("blocked", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("complained", Integer, nullable=False),
    Column("said_no", Integer, nullable=False),
    Column("opened", Integer, nullable=False),
    Column("clicked", Integer, nullable=False),
    Column("by_machines", Integer, nullable=False),
)

webhooks = Table(
    "skene_webhooks",
    metadata,
    # What a provider said happened, as far as it is kept: once for each of its own ids.
    Column("event_id", String(128), primary_key=True),
    Column("provider", String(16), nullable=False),
    Column("type", String(64), nullable=False),  # the provider's own word
    Column("kind", String(16), nullable=False),  # ours
    Column("happened_at", Moment, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("provider_id", String(64)),  # of the email
    Column("send_id", String(32)),  # from the email's tag
    Column("origin", String(80)),  # from the email's tag: ledger and batch
    Column("bounce_type", String(16)),
    Column("bounce_sub_type", String(32)),
    Column("status_codes", String(64)),
    Column("detail", String(64)),  # why it failed, or who put an address on the provider's list
    Column("address", String(254)),  # until it is read
    Column("domain", String(253)),  # of the recipient
    Column("link", String(500)),  # that was clicked, without its query
    Column("due_at", Moment),  # when it is read; NULL: it was
    Column("read_as", String(16)),  # applied | noted | foreign | unknown
    Index("skene_webhooks_due", "due_at"),
    Index("skene_webhooks_received", "received_at"),
    Index("skene_webhooks_kind", "kind", "type"),
)
