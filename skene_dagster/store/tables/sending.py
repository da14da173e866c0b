"""What was decided about whom, and the way of each email to its provider."""

from sqlalchemy import BigInteger, Column, Date, Double, Index, Integer, SmallInteger, String, Table, Text
from sqlalchemy.types import NullType

from skene_dagster.store.tables.database import Blob, Moment, metadata

sends = Table(
    "skene_sends",
    metadata,
    # One row per mode, loop, step, user and occurrence: this key is the promise that nobody is mailed twice.
    Column("mode", String(16), primary_key=True),  # live | redirect | outbox
    Column("loop", String(48), primary_key=True),
    Column("step", String(48), primary_key=True),
    Column("user_id", NullType, primary_key=True),
    Column("occurrence", String(64), primary_key=True),
    Column("send_id", String(32), nullable=False),  # uuid5 of the key above, in hex
    Column("state", String(16), nullable=False),  # skipped | reserved | accepted | refused | in_doubt
    Column("reason", String(64)),
    Column("detail", String(255)),
    Column("as_of", Moment, nullable=False),  # the tick of the decision
    Column("decided_at", Moment, nullable=False),
    Column("batch_id", String(32)),
    Column("position", SmallInteger),
    Column("provider_id", String(64)),
    Column("accepted_at", Moment),
    Index("skene_sends_batch", "batch_id", "position"),
)

steps = Table(
    "skene_steps",
    metadata,
    # How far a step has decided. A tick looks at who entered after that, and at who is due in skene_deferred.
    Column("mode", String(16), primary_key=True),
    Column("loop", String(48), primary_key=True),
    Column("step", String(48), primary_key=True),
    Column("reserved_as_of", Moment),  # the last tick of which everybody is decided; NULL: nobody, look at all
    Column("digest", String(64), nullable=False),  # of what decisions depend on beside the user
    Column("hold", String(16)),  # why nobody of the step is decided now: `paused`, or the first gate that holds it
    Column("said", Text),  # JSON: what each gate that holds it said, by its name
    Column("transactional", SmallInteger),  # 1: its recipients ask for its emails; NULL: not known since the upgrade
    Column("accepted", String(64)),  # the gates that a person lets its next tick pass, with spaces between
    Column("fence", BigInteger, nullable=False),  # grows with every page: whoever decides about one holds the row
)

deferred = Table(
    "skene_deferred",
    metadata,
    # Who is decided again: at the first tick from ask_at on. A row has its key as skene_sends will have it.
    Column("mode", String(16), primary_key=True),
    Column("loop", String(48), primary_key=True),
    Column("step", String(48), primary_key=True),
    Column("user_id", NullType, primary_key=True),
    Column("occurrence", String(64), primary_key=True),
    Column("reason", String(64), nullable=False),
    Column("detail", String(255)),
    Column("as_of", Moment, nullable=False),  # the tick of the decision
    Column("decided_at", Moment, nullable=False),
    Column("ask_at", Moment, nullable=False),  # in the time of ticks
    Column("outranked_at", Moment),  # when it left its place under a cap to another loop; it does so once
    Index("skene_deferred_due", "mode", "loop", "step", "ask_at", "user_id"),
)

contacts = Table(
    "skene_contacts",
    metadata,
    # To which address a send is or was to go: frequency caps count a recipient's emails over all loops by it. Whether
    # it has left, or will, skene_sends says.
    Column("mode", String(16), primary_key=True),
    Column("loop", String(48), primary_key=True),
    Column("step", String(48), primary_key=True),
    Column("user_id", NullType, primary_key=True),
    Column("occurrence", String(64), primary_key=True),
    Column("recipient", String(66), nullable=False),  # as in skene_suppressions
    Column("decided_at", Moment, nullable=False),
    Index("skene_contacts_recipient", "recipient", "mode"),
    Index("skene_contacts_decided", "decided_at"),
)

batches = Table(
    "skene_batches",
    metadata,
    Column("batch_id", String(32), primary_key=True),  # the idempotency key's last part
    Column("mode", String(16), nullable=False),
    Column("loop", String(48), nullable=False),
    Column("step", String(48), nullable=False),
    # reserved → frozen → (accepted, while `set` is still to be written) → settled; or split, in_doubt
    Column("state", String(16), nullable=False),
    Column("size", Integer, nullable=False),
    Column("parent_id", String(32)),
    Column("as_of", Moment, nullable=False),
    Column("reserved_at", Moment, nullable=False),
    Column("owner", String(64)),
    Column("lease_until", Moment),
    Column("payload", Blob),  # the frozen body, zlib; gone when settled
    Column("provider", String(16)),  # who made the frozen body, and takes it; NULL before
    Column("send_ids", Text),  # whose emails the frozen body holds, in its order: hex digits with spaces between
    Column(
        "recipients", Text
    ),  # as the list of suppressions knows them: hashes with spaces between; gone with the body
    Column("domains", Text),  # of the addresses of the emails in the body, in its order; gone with it, too
    Column("languages", Text),  # of the emails in the body, in its order, `-` for none; gone with it, too
    Column("frozen_at", Moment),
    Column("first_attempt_at", Moment),
    Column("unresolved_since", Moment),  # set before a POST, cleared by a definite answer
    Column("last_attempt_at", Moment),
    Column("attempts", Integer, nullable=False),
    Column("error", String(500)),  # what was said last: by the provider, its records, or what failed
    Column("settled_at", Moment),
    Column("written_back_at", Moment),  # when `set` was written to the users table
    Column("not_before", Moment),  # its recipients' hours; NULL: it could leave when it was reserved
    Column("due_at", Moment),  # before then it does not exist for those who send; NULL (of old rows): it is due
    Column("unanswered_at", Moment),  # the last attempt that got no answer; the records are asked about it
    Column("absent_at", Moment),  # when the provider's records first showed nothing of the batch
    Column("refusal", String(500)),  # what the key was refused with after an attempt without answer: it is used no more
    Column("planned_on", Date),  # the day (UTC) for whose budget it counts; NULL: for none, nothing of it leaves
    Column("from_domain", String(255)),  # whence it comes, for that domain's warm-up
    Index("skene_batches_planned", "mode", "planned_on"),
    Index("skene_batches_open", "mode", "loop", "step", "state"),
    Index("skene_batches_state", "state", "unresolved_since"),
)

warm_ups = Table(
    "skene_warm_ups",
    metadata,
    # The last day whose budget was too small for what a domain had to send, as its warm-up has it.
    Column("mode", String(16), primary_key=True),
    Column("domain", String(255), primary_key=True),
    Column("waited_on", Date, nullable=False),
)

recovered = Table(
    "skene_recovered",
    metadata,
    # What a ledger from a backup did not know any more: sends that the provider has accepted, by its own records.
    Column("send_id", String(32), primary_key=True),
    Column("provider_id", String(64), nullable=False),
    Column("accepted_at", Moment, nullable=False),
)

controls = Table(
    "skene_controls",
    metadata,
    # What people have ordered: about a step, about all steps of a loop (step '*'), or about all loops ('*', '*').
    Column("loop", String(48), primary_key=True),
    Column("step", String(48), primary_key=True),
    Column("paused_at", Moment),
    Column("paused_because", String(255)),  # NULL: a person paused it
    Column("judged_from", Moment),  # emails accepted before are not held against it any more
    Column("cancelled_at", Moment),  # what was reserved until then, and not yet attempted, is not sent
    Column("approved_at", Moment),  # of the first wave
)

pacing = Table(
    "skene_pacing",
    metadata,
    # One row per account of a provider, shared by all runs: when the next may call.
    Column("account", String(64), primary_key=True),
    Column("per_second", Double, nullable=False),  # calls, the provider's whole limit
    Column("next_at", Moment, nullable=False),  # the next free slot
    Column("closed_until", Moment),  # a quota is used up
    Column("reason", String(255)),
)
