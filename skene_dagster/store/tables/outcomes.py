"""Who is compared with whom, to find out what a loop is good for."""

from sqlalchemy import Column, Double, Integer, String, Table
from sqlalchemy.types import NullType

from skene_dagster.store.tables.database import Moment, metadata

arms = Table(
    "skene_arms",
    metadata,
    # Somebody who is in a loop's comparison, in the arm of their first decision, for ever; loop '*': the comparison of
    # all loops together with nothing.
    Column("mode", String(16), primary_key=True),
    Column("loop", String(48), primary_key=True),
    Column("draw", Integer, primary_key=True),  # grows when arms are drawn anew: another comparison
    Column("user_id", NullType, primary_key=True),
    Column("arm", String(16), nullable=False),  # mailed | held_out
    Column("variant", String(48)),  # of the emails, of who is mailed; NULL: there were none
    Column("share", Double, nullable=False),  # who was held out when they were drawn: 0.1 of all
    Column("enrolled_at", Moment, nullable=False),  # the tick of their first decision
    Column("level", String(16)),  # their engagement level then
)
