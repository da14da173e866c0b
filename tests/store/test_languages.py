"""Each user is mailed in the language that the product has for them, and what was tried stays in it."""

from dataclasses import replace
from pathlib import Path

import pytest
from delivery_world import LIVE, LOOP, World, make_world, never_arrive, planned
from neighbours import own
from sqlalchemy import Engine, select

from skene_dagster.delivery.email.message import Message
from skene_dagster.store.tables import receipts

WORDS = {"": "Hello", ".de": "Hallo", ".ar": "Ahlan"}
UNSUBSCRIBE = "{{ unsubscribe_url }} {{ postal_address }}"


def write(world: World, name: str, words: str) -> None:
    text = f"{words}. {UNSUBSCRIBE}"
    head = f"<mj-head><mj-title>{words}</mj-title></mj-head>"
    body = f"<mj-body><mj-section><mj-column><mj-text>{text}</mj-text></mj-column></mj-section></mj-body>"
    (world.settings.templates / f"{name}.mjml").write_text(f"<mjml>{head}{body}</mjml>", encoding="utf-8")
    (world.settings.templates / f"{name}.txt").write_text(text, encoding="utf-8")


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    """A product that keeps its users' languages in their names."""
    world = make_world(engine, tmp_path)
    users = world.settings.users.model_copy(update={"name": None, "locale": "name"})
    limits = world.settings.limits.model_copy(update={"least_change": 10})
    world.settings = replace(world.settings, users=users, limits=limits)
    for language, words in WORDS.items():
        write(world, f"hello{language}", words)
    world.plan = planned(
        world.root, world.settings, LOOP.replace('      personalization: {name: "{{user.name}}"}\n', "")
    )
    return world


def sent(world: World) -> list[Message]:
    return [message for messages in world.provider.accepted.values() for message in messages]


def subjects(world: World) -> dict[str, str]:
    return {message.to.partition("@")[0]: message.subject for message in sent(world)}


def languages(world: World) -> dict[int, str | None]:
    """In which language the ledger says that each user was mailed."""
    with world.engine.connect() as connection:
        rows = connection.execute(select(receipts.c.user_id, receipts.c.language).where(own(receipts))).all()
    return {int(user): language for user, language in rows}


def test_each_user_of_a_batch_is_mailed_in_their_language(world: World) -> None:
    for n, locale in enumerate(["de-AT", "AR", "en_US", "klingon", "", None, "de_DE.UTF-8"], start=1):
        world.add(n, name=locale)

    world.tick(LIVE)

    assert languages(world) == {1: "de", 2: "ar", 3: None, 4: None, 5: None, 6: None, 7: "de"}
    assert subjects(world) == {
        "u1": "Hallo",
        "u2": "Ahlan",
        "u3": "Hello",
        "u4": "Hello",
        "u5": "Hello",
        "u6": "Hello",
        "u7": "Hallo",
    }


def test_what_was_tried_stays_in_its_language_and_the_next_email_is_in_the_new_one(world: World) -> None:
    world.add(1, name="de")
    world.tick_without_answer(never_arrive)

    world.change(1, name="ar")
    write(world, "hello.de", "Moin")
    world.days_pass(0.2)
    world.deliver(LIVE)
    assert subjects(world) == {"u1": "Hallo"}
    assert languages(world) == {1: "de"}

    world.change(1, dormant=False)
    world.days_pass(40)
    world.tick(LIVE)
    world.change(1, dormant=True)
    world.days_pass(1)
    world.tick(LIVE)
    assert [message.subject for message in sent(world)] == ["Hallo", "Ahlan"]


def test_variants_are_drawn_first_and_each_is_in_its_languages(world: World) -> None:
    for name, words in (("warm", "Dear"), ("warm.de", "Lieber"), ("plain", "Hi")):
        write(world, f"hello.{name}", words)
    loop = LOOP.replace('      personalization: {name: "{{user.name}}"}\n', "      variants: {warm: 1, plain: 1}\n")
    world.plan = planned(world.root, world.settings, loop)
    world.add(*range(1, 31), name="de-CH")

    world.tick(LIVE)

    assert set(subjects(world).values()) == {"Lieber", "Hi"}
