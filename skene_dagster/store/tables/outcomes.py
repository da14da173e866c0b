"""Who is compared with whom, to find out what a loop is good for."""

from sqlalchemy import Column, Date, Double, Index, Integer, String, Table
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
    # How those who are mailed were divided over variants when they were drawn, as `loops.variants` writes it.
    Column("weights", String(640)),  # how many of a whole each variant got when the coin was tossed
    Index("skene_arms_enrolled", "mode", "loop", "draw", "enrolled_at"),
)

goals = Table(
    "skene_goals",
    metadata,
    # A goal of which outcomes were measured, and how far. An edited goal is another one.
    Column("mode", String(16), primary_key=True),
    Column("loop", String(48), primary_key=True),
    Column("draw", Integer, primary_key=True),
    Column("goal", String(48), primary_key=True),
    Column("measured_as_of", Moment),  # the last time, whole
    Column("final_before", Moment),  # whoever was enrolled before is final; NULL: begin with everybody
    Column("counted_before", Moment),  # whoever was enrolled before is in skene_outcome_counts; NULL: nobody
)

outcomes = Table(
    "skene_outcomes",
    metadata,
    # Whether somebody who is compared reached a goal in the time that it gives them.
    Column("mode", String(16), primary_key=True),
    Column("loop", String(48), primary_key=True),
    Column("draw", Integer, primary_key=True),
    Column("goal", String(48), primary_key=True),
    Column("user_id", NullType, primary_key=True),
    Column("window_ends_at", Moment, nullable=False),
    Column("reached_at", Moment),  # the first time inside the window
    Column("value", Double),  # the sum of what counted
    Column("state", String(16), nullable=False),  # open: asked again | final | not_asked: the goal is gone
)

outcome_counts = Table(
    "skene_outcome_counts",
    metadata,
    # Outcomes that are final, counted by the day of their users' enrolment.
    Column("mode", String(16), primary_key=True),
    Column("loop", String(48), primary_key=True),
    Column("draw", Integer, primary_key=True),
    Column("goal", String(48), primary_key=True),
    Column("day", Date, primary_key=True),  # on which they were enrolled (UTC)
    Column("share", Double, primary_key=True),  # as in skene_arms
    Column("arm", String(16), primary_key=True),  # mailed | held_out
    Column("level", String(16), primary_key=True),  # empty: theirs is unknown
    Column("people", Integer, nullable=False),  # how many have a final outcome
    Column("reached", Integer, nullable=False),  # those of them who reached the goal
)
