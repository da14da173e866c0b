"""What the law, and mail providers, ask of a marketing email: a topic, a way to say no, and a postal address."""

from skene_dagster.codes import Code
from skene_dagster.documents import Path_, one_of, shown
from skene_dagster.errors import LoopInvalid, Place
from skene_dagster.loops import model
from skene_dagster.loops.planning.expressions import columns_of
from skene_dagster.loops.planning.faults import Faults
from skene_dagster.settings import DEFAULT_TOPIC, FILE, Sender, Settings
from skene_dagster.settings.addresses import address_of


def topic_of(loop: model.Loop, settings: Settings, faults: Faults) -> str:
    """Say what a loop's marketing emails are about; an empty text where it sends none, or does not say."""
    actions = [step.action for step in loop.steps]
    emails = [action if isinstance(action, model.EmailAction) else action.upgrade_prompt for action in actions]
    if all(email is None or email.transactional for email in emails):
        if loop.topic is not None:
            faults.refuse(
                ("topic",), "A topic is for marketing emails, and this loop sends none.", "Leave `topic` out."
            )
        return ""
    topic = loop.topic or DEFAULT_TOPIC
    if topic in settings.topics:
        return topic
    if loop.topic is not None:
        faults.refuse(("topic",), f"{shown(topic)} is not a topic.", one_of(topic, settings.topics))
        return ""
    said = f"The loop has no topic, and {FILE} has none called {DEFAULT_TOPIC!r}."
    place = faults.document.place(("type",), part="topic")
    advice = f"Add `topic: …`. {one_of(topic, settings.topics)}"
    faults.note(LoopInvalid(said, advice=advice, place=place, code=Code.TOPIC))
    return ""


def check_sender(email: model.EmailAction, topic: str, path: Path_, settings: Settings, faults: Faults) -> None:
    """Refuse an email whose sender lacks what it needs."""
    if email.sender is not None and email.sender not in settings.senders:
        known = sorted(settings.senders)
        advice = one_of(email.sender, known) if known else f"Describe it in {FILE}, below `senders:`."
        faults.refuse((*path, "sender"), f"There is no sender {shown(email.sender)}.", advice)
        return
    sender = settings.sender_of(None if email.transactional else topic, email.sender)
    if email.sender is not None and not email.transactional and (other := _topic_at(sender, topic, settings)):
        faults.refuse(
            (*path, "sender"),
            f"{shown(email.sender)} has the address of the topic {other!r}, and this email is about {topic!r}: who "
            "says no to it in a mail program would go on getting mail from there.",
            "Name a sender with an address of its own.",
        )
    missing = {} if sender.from_.strip() else {"from": "Acme <hello@example.com>"}
    if not email.transactional:
        missing |= {} if sender.postal_address.strip() else {"postal_address": "…"}
        missing |= {} if _link(sender) else {"public_url": "https://…"}
    if missing:
        lines = ", ".join(f"`{name}: {example}`" for name, example in missing.items())
        kind = "An email" if email.transactional else "A marketing email"
        advice = f"Add to {FILE}, under `sender:`, {lines}"
        if "public_url" in missing:
            advice += " (or `unsubscribe_url`)"
        if not email.transactional:
            advice += "; or, if the recipient asked for this mail, `transactional: true` here"
        faults.refuse(
            path,
            f"{kind} needs {' and '.join(f'sender.{name}' for name in missing)}, which {FILE} does not have.",
            f"{advice}.",
        )
    elif not email.transactional and settings.environment == "production":
        name = "public_url" if sender.public_url else "unsubscribe_url"
        if not _link(sender).lower().startswith("https://"):
            # RFC 8058: mail providers offer one-click unsubscription over https only.
            faults.refuse(
                path,
                f"In production, sender.{name} must be https, not {shown(_link(sender))}.",
                f"Write an https:// address in {FILE}.",
            )


def columns_of_the_link(email: model.EmailAction, settings: Settings, faults: Faults) -> frozenset[str]:
    """Name the columns of the users table that the link to unsubscribe needs."""
    sender = settings.sender
    if email.transactional:
        return frozenset()
    if sender.public_url:
        return frozenset()
    place = Place(FILE, None, "sender.unsubscribe_url")
    try:
        read = columns_of(sender.unsubscribe_url, place)
    except LoopInvalid as bad:
        faults.note(bad)
        return frozenset()
    if read.row:
        advice = "Write {{user.x}}: it is one address for all loops."
        faults.note(
            LoopInvalid(
                "The unsubscribe address cannot read the query's rows.", advice=advice, place=place, code=Code.SENDER
            )
        )
    elif sender.unsubscribe_url.strip() and not read.user:
        # RFC 8058: one click, without a question; so the address itself has to say who it is.
        advice = "Put a column of the users table into it: https://…?u={{user.id}}."
        faults.note(
            LoopInvalid(
                "The unsubscribe address is the same for everyone.", advice=advice, place=place, code=Code.SENDER
            )
        )
    return read.user


def _topic_at(sender: Sender, topic: str, settings: Settings) -> str | None:
    """Name another topic that one click stops alone, as long as nobody writes about anything else from its address."""
    address = address_of(sender.from_)
    others = (name for name in settings.topics if name != topic and not settings.shares_its_address(name))
    return next((name for name in others if address_of(settings.sender_of(name).from_) == address), None)


def _link(sender: Sender) -> str:
    return sender.public_url or sender.unsubscribe_url.strip()
