"""The link in an email of a run: what it says, where it leads, and that a "no" by it holds, whatever came since."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from delivery_world import LIVE, LOOP, OUTBOX, World, make_world, planned
from sqlalchemy import Connection, Engine, delete, text, update

from skene_dagster.consent import preferences, tokens
from skene_dagster.consent.preferences import Said
from skene_dagster.consent.recipient import Recipients
from skene_dagster.consent.tokens import Signer, Token
from skene_dagster.delivery.email.message import Message
from skene_dagster.delivery.modes import Mode
from skene_dagster.settings import Sender, Topic, TopicSender
from skene_dagster.store import environment
from skene_dagster.store.engine import reading, transaction
from skene_dagster.store.tables import meta

PUBLIC = "https://mail.example.com"
TEAM = TopicSender.model_validate({"from": "Team <team@example.com>", "reply_to": "talk@example.com"})
TOPICS = {"product": Topic(title="Product news"), "tips": Topic(title="Tips", sender="team")}


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    world = make_world(engine, tmp_path)
    sender = Sender.model_validate(
        {"from": "Little Product <hello@example.com>", "postal_address": "1 Example Street", "public_url": PUBLIC}
    )
    # Everybody here is one person, who comes and goes.
    limits = world.settings.limits.model_copy(update={"least_change": 10})
    world.settings = replace(world.settings, sender=sender, topics=TOPICS, senders={"team": TEAM}, limits=limits)
    about(world, "product")
    return world


def about(world: World, topic: str) -> None:
    loop = LOOP.replace("      set: {reminded: true}\n", "      repeat: every_entry\n")
    world.plan = planned(world.root, world.settings, f"topic: {topic}\n{loop}")


def mailed(world: World, mode: Mode = LIVE) -> Message:
    world.tick(mode)
    return next(reversed(world.provider.accepted.values()))[-1]


def link(message: Message) -> str:
    header = dict(message.headers)["List-Unsubscribe"]
    assert header.startswith("<")
    assert header.endswith(">")
    return header[1:-1]


def token(world: World, message: Message) -> Token:
    text = link(message).rpartition("/u/")[2]
    return reading(world.engine, lambda connection: Signer.of(connection).read(text))


def say_no(world: World, said: Token) -> None:
    def write(connection: Connection) -> None:
        names = (said.recipient, said.user)
        preferences.say_no(connection, names, said.one_click, Said(world.now, "one click"), world.now)

    transaction(world.engine, write)


def enters_again(world: World, user: int) -> None:
    world.change(user, dormant=False)
    world.days_pass(1)
    world.refresh()
    world.change(user, dormant=True)
    world.days_pass(1)


def test_an_email_names_its_recipient_by_hashes_and_what_it_is_about(world: World) -> None:
    world.add(1)

    message = mailed(world)

    names = reading(world.engine, lambda c: Recipients.of(c).of_user(1, "u1@example.com"))
    ledger_id = transaction(world.engine, environment.ledger_id)
    assert token(world, message) == Token(
        names[1], names[0], "product", "topic:product", "", ledger_id, message.send_id
    )
    assert "example" not in link(message).removeprefix(PUBLIC)


def test_the_body_and_the_header_have_the_same_link(world: World) -> None:
    world.add(1)

    message = mailed(world)

    assert link(message).startswith(f"{PUBLIC}/u/")
    assert link(message) in message.text
    assert f'href="{link(message)}"' in message.html
    assert dict(message.headers)["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_a_topic_is_named_and_has_its_sender(world: World) -> None:
    about(world, "tips")
    world.add(1)

    message = mailed(world)

    assert (message.sender, message.reply_to) == ("Team <team@example.com>", "talk@example.com")
    assert dict(message.headers)["List-Id"] == '"Tips" <tips.example.com>'
    assert token(world, message).one_click == "topic:tips"


@pytest.mark.parametrize("mode", [OUTBOX, Mode("redirect", "a test")], ids=["outbox", "redirect"])
def test_what_reaches_no_recipient_links_to_this_machine(world: World, mode: Mode) -> None:
    world.settings = replace(world.settings, redirect_to="tester@example.com")
    world.add(1)

    message = mailed(world, mode)

    assert link(message).startswith("http://localhost:8765/u/")
    assert PUBLIC not in message.html + message.text + repr(message.headers)
    assert token(world, message).topic == "product"


@pytest.mark.parametrize(
    ("locale", "known"),
    [
        ("pt-BR", "pt-BR"),
        ("zh_Hant_TW", "zh-Hant-TW"),
        (None, ""),
        ("", ""),
        ("de\r\nBcc: eve@example.com", ""),
        ("x" * 90, ""),
        ("<de>", ""),
    ],
)
def test_the_locale_of_a_user_is_kept_if_it_is_one(world: World, locale: str | None, known: str) -> None:
    # The column is the name of a user here, and their name in the email is another.
    world.settings = replace(world.settings, users=world.settings.users.model_copy(update={"locale": "name"}))
    loop = LOOP.replace("{{user.name}}", "{{user.id}}")
    world.plan = planned(world.root, world.settings, loop)
    world.add(1, name=locale)

    message = mailed(world)

    assert token(world, message).locale == known
    assert len(message.headers) == 3
    assert not re.search(r"[\r\n]", repr([value for _, value in message.headers]).replace("\\\\", ""))


def test_a_batch_that_is_made_again_after_a_rotation_is_signed_with_the_newest_key(world: World) -> None:
    world.add(1)
    transaction(world.engine, tokens.rotate)

    text = link(mailed(world)).rpartition("/u/")[2]

    keys = reading(world.engine, lambda connection: Signer.of(connection).keys)
    assert Signer(keys[-1:]).read(text).topic == "product"


def _the_keys_were_rotated(world: World) -> None:
    for number in (2, 3):
        assert transaction(world.engine, tokens.rotate) == f"signing_key_000{number}"


def _the_address_changed(world: World) -> None:
    world.change(1, email="new@example.com")


def _the_user_was_deleted_and_came_back_with_the_same_address(world: World) -> None:
    with world.engine.begin() as connection:
        connection.execute(text("DELETE FROM users WHERE id = 1"))
    world.add(101, email="u1@example.com")


def _all_of_it(world: World) -> None:
    _the_keys_were_rotated(world)
    _the_address_changed(world)


@pytest.mark.parametrize(
    "since",
    [
        _the_keys_were_rotated,
        _the_address_changed,
        _the_user_was_deleted_and_came_back_with_the_same_address,
        _all_of_it,
    ],
    ids=lambda one: one.__name__.strip("_").replace("_", " "),
)
def test_a_no_by_a_link_that_is_a_year_old_holds(world: World, since: Callable[[World], None]) -> None:
    world.add(1)
    said = link(mailed(world)).rpartition("/u/")[2]
    enters_again(world, 1)
    world.days_pass(365)
    since(world)

    say_no(world, reading(world.engine, lambda connection: Signer.of(connection).read(said)))
    world.provider.accepted.clear()
    world.tick(LIVE)

    assert world.provider.mailed == []
    assert "skipped:said_no" in world.states().values()


def test_a_no_to_one_topic_by_its_link_leaves_the_others(world: World) -> None:
    about(world, "tips")
    world.add(1)
    said = token(world, mailed(world))
    say_no(world, said)
    enters_again(world, 1)
    world.tick(LIVE)
    assert world.states() == {1: "skipped:said_no"}

    about(world, "product")
    enters_again(world, 1)
    world.tick(LIVE)

    assert world.states() == {1: "accepted"}


def test_without_keys_nothing_is_sent_with_a_link_that_nobody_can_read(world: World) -> None:
    world.add(1)
    world.refresh()
    world.reserve(LIVE)
    with world.engine.begin() as connection:
        connection.execute(delete(meta).where(meta.c.name == "signing_key_0001"))

    with pytest.raises(Exception, match="no key to sign"):
        world.deliver(LIVE)

    assert world.provider.tried == []


def test_the_products_own_page_needs_no_keys(world: World) -> None:
    sender = world.settings.sender.model_copy(
        update={"public_url": "", "unsubscribe_url": "https://example.com/u/{{user.id}}"}
    )
    world.settings = replace(world.settings, sender=sender)
    about(world, "product")
    world.add(1)
    with world.engine.begin() as connection:
        connection.execute(delete(meta).where(meta.c.name == "signing_key_0001"))

    assert link(mailed(world)) == "https://example.com/u/1"


def test_two_who_rotate_at_once_draw_two_keys(world: World) -> None:
    first, second = (transaction(world.engine, tokens.rotate) for _ in range(2))
    with world.engine.begin() as connection:
        connection.execute(update(meta).where(meta.c.name == first).values(value="ab" * 32))

    assert (first, second) == ("signing_key_0002", "signing_key_0003")
    assert reading(world.engine, tokens.names) == ["signing_key_0001", first, second]
    assert len(set(reading(world.engine, lambda connection: Signer.of(connection).keys))) == 3
