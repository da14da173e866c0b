"""A batch as a JSON array of emails, for the providers that take or keep one."""

import json
from collections.abc import Sequence

from skene_dagster.delivery.email.message import Frozen, Message


def freeze(messages: Sequence[Message]) -> Frozen:
    """Freeze a batch; the same messages give the same bytes."""
    emails = [_email(message) for message in messages]
    body = json.dumps(emails, ensure_ascii=False, separators=(",", ":")).encode()
    return Frozen(tuple(message.send_id for message in messages), body)


def messages_of(batch: Frozen) -> tuple[Message, ...]:
    """Read the emails back."""
    return tuple(_message(*pair) for pair in zip(batch.send_ids, json.loads(batch.body), strict=True))


def _email(message: Message) -> dict[str, object]:
    email: dict[str, object] = {
        "from": message.sender,
        "to": [message.to],
        "subject": message.subject,
        "html": message.html,
        "text": message.text,
        "headers": dict(message.headers),
        "tags": [{"name": name, "value": value} for name, value in message.tags],
    }
    if message.reply_to is not None:
        email["reply_to"] = message.reply_to
    return email


def _message(send_id: str, email: dict[str, object]) -> Message:
    match email:
        case {
            "from": str(sender),
            "to": [str(to)],
            "subject": str(subject),
            "html": str(html),
            "text": str(text),
            "headers": dict(headers),
            "tags": list(tags),
        }:
            reply_to = email.get("reply_to")
            assert reply_to is None or isinstance(reply_to, str)
            return Message(
                send_id,
                sender,
                to,
                subject,
                html,
                text,
                reply_to,
                tuple(headers.items()),
                tuple((tag["name"], tag["value"]) for tag in tags),
            )
        case _:
            raise ValueError(f"the frozen email of send {send_id} is none of ours")
