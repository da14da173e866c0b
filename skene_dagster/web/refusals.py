"""An answer that is not 200, in a sentence, as JSON that Segment's libraries show."""

from collections.abc import Mapping

from starlette.responses import JSONResponse


class Refusal(Exception):
    """A request that is refused."""

    def __init__(self, status: int, code: str, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code
        self.sentence = sentence
        self.headers = dict(headers or {})

    def answer(self) -> JSONResponse:
        """Write it as JSON."""
        said = {"success": False, "code": self.code, "message": self.sentence}
        return JSONResponse(said, self.status, self.headers)


def wrong(sentence: str) -> Refusal:
    """Say what is wrong with a request; sending it again does not help."""
    return Refusal(400, "invalid_request", sentence)


def too_large(sentence: str) -> Refusal:
    """Refuse a body that is too large."""
    return Refusal(413, "too_large", sentence)


def long_head() -> Refusal:
    """Refuse a request whose line and headers are too long, or too many."""
    return Refusal(431, "long_head", "The request's line and headers are too long.")


def slow_head(seconds: float) -> Refusal:
    """Refuse a request whose headers do not end."""
    return Refusal(408, "too_slow", f"The request's headers did not arrive within {seconds:g} s.")


def slow_body(seconds: float) -> Refusal:
    """Refuse a request whose body does not end."""
    return Refusal(408, "too_slow", f"The body did not arrive within {seconds:g} s.")


def unknown_key() -> Refusal:
    """Refuse a request with another write key, or none."""
    sentence = "The write key is missing or wrong. Send it as the user name of Basic authentication, or as writeKey."
    return Refusal(401, "invalid_write_key", sentence, {"www-authenticate": "Basic"})


def busy() -> Refusal:
    """Ask a client to try again later: there is too much to do now."""
    return Refusal(429, "busy", "Too much is waiting to be written. Send it again.", {"retry-after": "1"})


def unavailable(sentence: str) -> Refusal:
    """Ask a client to try again later: the database is down. What was sent may or may not have been written."""
    return Refusal(503, "unavailable", sentence, {"retry-after": "5"})
