"""A frozen email is the same bytes for ever, and comes back as it was."""

from hypothesis import given
from hypothesis import strategies as st

from skene_dagster.delivery.message import Message, freeze, thaw

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
pairs = st.lists(st.tuples(text, text), max_size=3).map(tuple)
messages = st.lists(
    st.builds(
        Message,
        send_id=text,
        sender=text,
        to=text,
        subject=text,
        html=text,
        text=text,
        reply_to=st.none() | text,
        headers=pairs,
        tags=pairs,
    ),
    max_size=4,
).map(tuple)


@given(messages)
def test_what_is_frozen_thaws_to_what_it_was(batch: tuple[Message, ...]) -> None:
    assert thaw(freeze(batch)) == batch


@given(messages)
def test_the_same_messages_freeze_to_the_same_bytes(batch: tuple[Message, ...]) -> None:
    assert freeze(thaw(freeze(batch))) == freeze(batch)
