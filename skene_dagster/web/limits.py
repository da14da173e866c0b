"""How much the app accepts at a time, and how long it waits."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The sizes are Segment's, so that what its libraries send fits."""

    message_bytes: int = 32 * 1024
    """Of the body of /v1/track and /v1/identify, inflated."""
    batch_bytes: int = 500 * 1024
    """Of the body of /v1/batch, inflated."""
    batch_messages: int = 2_500
    """In a batch."""
    webhook_bytes: int = 256 * 1024
    """Of the body of /webhooks/…, inflated: an event of one email, with its headers."""
    connections: int = 4_000
    """That are open at a time; more are told to come again (429)."""
    head_bytes: int = 16 * 1024
    """Of a request's line and headers; also of the trailers after a body."""
    headers: int = 100
    """In a request."""
    head_seconds: float = 10.0
    """For a head to arrive whole."""
    idle_seconds: int = 5
    """Between two requests of a connection."""
    body_seconds: float = 10.0
    """For a body to arrive whole."""
    unread_bytes: int = 32 * 1024 * 1024
    """That are read and dropped after an answer that did not wait for them."""
    unread_seconds: float = 5.0
    """For a client to get an answer: to finish what it sends, or to read what it is sent."""
    requests: int = 2_000
    """That are worked on at a time; more are told to come again (429)."""
    body_bytes: int = 64 * 1024 * 1024
    """Of all bodies that are held at a time; more are told to come again (429)."""
    waiting_events: int = 20_000
    """That wait to be committed; more are told to come again (429)."""
    commit_events: int = 1_000
    """From several requests, in one transaction."""
    answer_seconds: float = 20.0
    """For a commit; after that the outcome is unknown (503)."""
    stop_seconds: int = 30
    """For the requests that are worked on when the app is told to stop."""
