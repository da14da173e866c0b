"""A topic with `default: off` mails who said yes: on the page or, if they never answered there, in the product."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from delivery_world import LIVE, LOOP, Script, World, make_world, planned
from sqlalchemy import Connection, Engine, event

from skene_dagster.consent import preferences, suppressions
from skene_dagster.consent.preferences import Answer, Said
from skene_dagster.consent.recipient import Recipients
from skene_dagster.consent.suppressions import Suppression, topic_scope
from skene_dagster.delivery.decide import facts
from skene_dagster.delivery.email.message import Message
from skene_dagster.delivery.providers.base import Answer as ProviderAnswer
from skene_dagster.delivery.providers.base import Later
from skene_dagster.delivery.reconcile import reconcile
from skene_dagster.delivery.rehearsal import Stage, rehearse
from skene_dagster.errors import SettingsError
from skene_dagster.settings import Topic
from skene_dagster.store.engine import reading, transaction

TIPS = topic_scope("tips")
TOPICS = {
    "news": Topic(title="News"),
    "tips": Topic(title="Tips", default="off", asked="last_activity_at"),
}


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    world = make_world(engine, tmp_path)
    world.settings = replace(world.settings, topics=TOPICS)
    about(world, "tips")
    return world


def about(world: World, topic: str) -> None:
    world.plan = planned(world.root, world.settings, f"topic: {topic}\n{LOOP}")


def says(world: World, user: int, answer: Answer, *, topic: str = "tips", by: str = "both") -> None:
    def write(connection: Connection) -> None:
        names = Recipients.of(connection).of_user(user, f"u{user}@example.com")
        some = {"user": names[:1], "address": names[1:]}.get(by, names)
        say = preferences.say_yes if answer == "yes" else preferences.say_no
        say(connection, some, topic_scope(topic), Said(world.now, "a test"), world.now)

    transaction(world.engine, write)


def test_who_never_said_yes_is_not_mailed_about_what_waits_for_it(world: World) -> None:
    world.add(1, 2, 3, 4)
    world.change(2, last_activity_at=world.now - timedelta(days=3))
    says(world, 3, "yes", by="user")
    says(world, 4, "yes", by="address")

    world.tick(LIVE)

    assert world.states() == {1: "skipped:no_consent", 2: "accepted", 3: "accepted", 4: "accepted"}


def test_a_topic_that_is_on_mails_who_said_nothing(world: World) -> None:
    about(world, "news")
    world.add(1)

    world.tick(LIVE)

    assert world.states() == {1: "accepted"}


def test_a_yes_to_another_topic_is_none_to_this(world: World) -> None:
    world.add(1, 2)
    says(world, 1, "yes", topic="news")
    says(world, 2, "yes", topic="marketing")

    world.tick(LIVE)

    assert world.states() == {1: "skipped:no_consent", 2: "skipped:no_consent"}


def test_a_no_to_a_topic_stops_that_topic_alone(world: World) -> None:
    world.add(1, 2)
    world.change(1, 2, last_activity_at=world.now)
    says(world, 1, "no")
    says(world, 2, "no", topic="news")

    world.tick(LIVE)

    assert world.states() == {1: "skipped:said_no", 2: "accepted"}


def test_the_newest_answer_counts_and_more_than_what_was_agreed_in_the_product(world: World) -> None:
    world.add(1, 2, 3)
    world.change(1, 2, 3, last_activity_at=world.now)
    for user, answers in {1: ("yes", "no"), 2: ("no", "yes"), 3: ("no",)}.items():
        for answer in answers:
            says(world, user, answer)  # type: ignore[arg-type]
            world.now += timedelta(minutes=1)

    def lift_by_hand(connection: Connection) -> None:
        # A person lifts what stops them; they have not said yes all the same.
        suppressions.lift(connection, Recipients.of(connection).of_user(3, "u3@example.com"), "a test", world.now)

    transaction(world.engine, lift_by_hand)
    world.tick(LIVE)

    assert world.states() == {1: "skipped:said_no", 2: "accepted", 3: "skipped:no_consent"}


def test_what_stops_all_mail_is_the_reason_before_the_lack_of_consent(world: World) -> None:
    world.add(1)

    def bounced(connection: Connection) -> None:
        name = Recipients.of(connection).address("u1@example.com")
        suppressions.suppress(connection, [Suppression(name, "all", world.now, "bounce", "a test")], world.now)

    transaction(world.engine, bounced)
    world.tick(LIVE)

    assert world.states() == {1: "skipped:suppressed"}


def test_consent_is_asked_again_when_the_email_is_made(world: World) -> None:
    world.add(1, 2)
    world.change(1, 2, last_activity_at=world.now)
    world.refresh()
    world.reserve(LIVE)
    world.change(1, last_activity_at=None)

    world.deliver(LIVE)

    assert world.states() == {1: "skipped:no_consent", 2: "accepted"}


def test_a_value_that_is_no_moment_is_no_consent(world: World) -> None:
    text = "CASE WHEN name = 'User 1' THEN 'never' WHEN name = 'User 2' THEN '2026-01-02 09:00' END"
    world.settings = replace(world.settings, topics={"tips": Topic(title="Tips", default="off", asked=text)})
    world.add(1, 2, 3)

    world.tick(LIVE)

    assert world.states() == {1: "skipped:no_consent", 2: "accepted", 3: "skipped:no_consent"}


def test_a_column_of_texts_is_read_as_moments_like_any_other(world: World) -> None:
    world.settings = replace(world.settings, topics={"tips": Topic(title="Tips", default="off", asked="name")})
    for user, text in {1: "never", 2: "2026-01-02T09:00:00Z", 3: "2026-01-02 09:00", 4: "0000-00-00", 5: "1"}.items():
        world.add(user, name=text)

    world.tick(LIVE)

    no = "skipped:no_consent"
    assert world.states() == {1: no, 2: "accepted", 3: "accepted", 4: no, 5: no}


@pytest.mark.parametrize(
    ("asked", "mailable", "part"),
    [
        ("agreed_at", "verified = 1", "topics.tips.asked"),
        ("last_activity_at", "agreed_at < NOW()", "users.mailable"),
    ],
)
def test_a_column_that_is_gone_is_told_at_its_setting(world: World, asked: str, mailable: str, part: str) -> None:
    world.add(1)
    world.refresh()
    users = world.settings.users.model_copy(update={"mailable": mailable})
    topics = {"tips": Topic(title="Tips", default="off", asked=asked)}
    world.settings = replace(world.settings, users=users, topics=topics)

    with pytest.raises(SettingsError) as told:
        world.reserve(LIVE)

    assert told.value.place is not None
    assert told.value.place.part == part
    assert "agreed_at" in told.value.message


def test_a_no_to_the_topic_stops_a_frozen_batch_that_the_provider_has_not(world: World) -> None:
    world.add(1, 2)
    world.change(1, 2, last_activity_at=world.now)

    def later(_provider: Script, _messages: Sequence[Message], _key: str) -> ProviderAnswer:
        says(world, 1, "no")
        return Later(1.0, "409")

    world.refresh()
    world.reserve(LIVE)
    world.provider.answers = [later]
    world.deliver(LIVE)
    world.now += timedelta(minutes=2)
    world.deliver(LIVE)

    assert world.states() == {1: "skipped:said_no", 2: "accepted"}


def test_a_no_to_the_topic_stops_a_frozen_batch_of_a_loop_that_is_broken_since(world: World) -> None:
    world.add(1)
    world.change(1, last_activity_at=world.now)

    def unreachable(_provider: Script, _messages: Sequence[Message], _key: str) -> ProviderAnswer:
        return Later(1.0, "409")

    world.refresh()
    world.reserve(LIVE)
    world.provider.answers = [unreachable]
    world.deliver(LIVE)
    says(world, 1, "no")
    world.now += timedelta(minutes=2)
    tried = len(world.provider.tried)

    reconcile(world.session(LIVE, "two"), [])

    assert len(world.provider.tried) == tried
    assert world.states() == {1: "reserved"}


def test_a_preview_says_who_has_not_consented_with_and_without_our_tables(world: World) -> None:
    world.add(1, 2)
    world.change(2, last_activity_at=world.now)
    stage = Stage(world.engine, world.plan, world.step, world.settings, LIVE, world.now)

    assert rehearse(stage, 5).counts == {"skipped:no_consent": 1, "mail": 1}

    stage.__dict__["audience"] = replace(stage.audience, has_consent=False)
    assert rehearse(stage, 5).counts == {"skipped:no_consent": 1, "mail": 1}


def test_a_change_of_the_topic_decides_again_about_who_waits(world: World) -> None:
    stage = Stage(world.engine, world.plan, world.step, world.settings, LIVE, world.now)
    about(world, "news")
    other = Stage(world.engine, world.plan, world.step, world.settings, LIVE, world.now)
    asked = Topic(title="Tips", default="off", asked="created_at")
    changed = replace(stage, settings=replace(world.settings, topics=TOPICS | {"tips": asked}))

    assert len({one.audience.digest for one in (stage, other, changed)}) == 3


def test_the_salt_is_read_once_for_a_page_of_people(world: World) -> None:
    world.add(1, 2, 3)
    says(world, 1, "yes")
    asked: list[object] = []

    @event.listens_for(world.engine, "before_cursor_execute")
    def note(_c: object, _cursor: object, _sql: str, parameters: object, *_: object) -> None:
        asked.append(parameters)

    email = world.step.email
    assert email is not None
    keys = [1, 2, 3]
    people = reading(
        world.engine,
        lambda c: facts.people(c, world.settings, email, keys, as_of=world.now, now=world.now, named=True),
    )

    assert [len(one.names) for one in people.values()] == [2, 2, 2]
    assert sum("salt" in repr(parameters) for parameters in asked) == 1
