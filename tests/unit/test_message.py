"""A frozen email is the same bytes for ever, and comes back as it was."""

from hypothesis import given
from hypothesis import strategies as st

from skene_dagster.delivery.email.message import Frozen, Message
from skene_dagster.delivery.providers.json_emails import freeze, messages_of

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
pairs = st.lists(st.tuples(text, text), max_size=3, unique_by=lambda pair: pair[0]).map(tuple)
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
def test_what_is_frozen_comes_back_as_it_was(batch: tuple[Message, ...]) -> None:
    frozen = freeze(batch)

    assert Frozen.unpacked(frozen.send_ids, frozen.packed) == frozen
    assert messages_of(frozen) == batch


@given(messages)
def test_the_same_messages_freeze_to_the_same_bytes(batch: tuple[Message, ...]) -> None:
    assert freeze(messages_of(freeze(batch))) == freeze(batch)
