"""A request's body is read whole, or refused: by its size, also inflated, and by the time that it takes."""

import asyncio
import gzip
import random
import zlib
from collections.abc import Sequence

import pytest
from starlette.requests import Request
from starlette.types import Message

from skene_dagster.web.bodies import Budget, read
from skene_dagster.web.events.api import _basic, _parsed
from skene_dagster.web.limits import Limits
from skene_dagster.web.refusals import Refusal

LIMIT = 10
ZIPPED = gzip.compress(b"0123456789")


def body(
    parts: Sequence[bytes],
    headers: dict[str, str] | None = None,
    *,
    room: int = 100,
    limit: int = LIMIT,
    ends: bool = True,
) -> bytes:
    """Read a body that arrives in parts."""
    left = list(parts)
    encoded = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]

    async def receive() -> Message:
        if not left:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left) or not ends}

    async def reading() -> bytes:
        with Budget(Limits(body_bytes=room)).one() as share:
            request = Request({"type": "http", "method": "POST", "headers": encoded}, receive)
            got = await read(request, share, limit, 0.05)
            assert share.held == len(got)
            return got

    return asyncio.run(reading())


@pytest.mark.parametrize(
    ("parts", "headers"),
    [
        pytest.param([b"0123456789"], {}, id="as large as may be"),
        pytest.param([b"01234", b"56789"], {"content-length": "10"}, id="in two parts"),
        pytest.param([b"0123456789"], {"content-encoding": "identity"}, id="said to be as it is"),
        pytest.param([b"0123456789"], {"content-encoding": ""}, id="said to be nothing"),
        pytest.param([ZIPPED], {"content-encoding": "gzip"}, id="gzip"),
        pytest.param([ZIPPED[:9], ZIPPED[9:]], {"content-encoding": " X-GZIP "}, id="gzip by its old name, in parts"),
    ],
)
def test_a_body_is_read_whole(parts: Sequence[bytes], headers: dict[str, str]) -> None:
    assert body(parts, headers) == b"0123456789"


def test_no_body_is_an_empty_one() -> None:
    assert body([b""]) == b""
    assert body([b""], {"content-encoding": "gzip"}) == b""


@pytest.mark.parametrize(
    ("parts", "headers", "status", "words"),
    [
        pytest.param([b"01234567890"], {}, 413, "larger than 10 bytes", id="too large"),
        pytest.param([b"0123456789", b"0"], {}, 413, "larger than 10 bytes", id="too large together"),
        pytest.param([b"0"], {"content-length": "11"}, 413, "larger than 10 bytes", id="said to be too large"),
        pytest.param(
            [gzip.compress(b"01234567890")],
            {"content-encoding": "gzip"},
            413,
            "larger than 10",
            id="too large inflated",
        ),
        pytest.param([ZIPPED[:-1]], {"content-encoding": "gzip"}, 400, "not one whole gzip stream", id="half a stream"),
        pytest.param([ZIPPED + b"x"], {"content-encoding": "gzip"}, 400, "not one whole gzip", id="more than a stream"),
        pytest.param([b"0123456789"], {"content-encoding": "gzip"}, 400, "is not gzip", id="no stream"),
        pytest.param([zlib.compress(b"0")], {"content-encoding": "gzip"}, 400, "is not gzip", id="another stream"),
        pytest.param([b"0"], {"content-encoding": "br"}, 415, "Send gzip, or none", id="another encoding"),
    ],
)
def test_a_body_that_cannot_be_taken_is_refused(
    parts: Sequence[bytes], headers: dict[str, str], status: int, words: str
) -> None:
    with pytest.raises(Refusal, match=words) as refused:
        body(parts, headers)

    assert refused.value.status == status


def test_a_body_that_does_not_end_is_refused_in_time() -> None:
    with pytest.raises(Refusal, match=r"did not arrive within 0\.05 s") as refused:
        body([b"0"], ends=False)

    assert refused.value.status == 408


def test_all_bodies_together_have_so_much_room() -> None:
    assert body([b"0123", b"4567"], room=8) == b"01234567"
    with pytest.raises(Refusal) as refused:
        body([b"0123", b"45678"], room=8)

    assert (refused.value.status, refused.value.code) == (429, "busy")
    assert refused.value.headers == {"retry-after": "1"}


@pytest.mark.parametrize("cut", [1, 20], ids=["at once", "by and by"])
def test_what_inflates_without_end_takes_no_more_room_than_it_takes_to_see_that(cut: int) -> None:
    bomb = gzip.compress(b"0123456789" * 10_000)

    with pytest.raises(Refusal, match="larger than 10 bytes"):
        body([bomb[:cut], bomb[cut:]], {"content-encoding": "gzip"}, room=LIMIT + 1)


def test_what_a_gzip_stream_repeats_may_stand_as_far_back_as_gzip_can_see() -> None:
    block = random.Random(1).randbytes(30_000)

    got = body([gzip.compress(block * 2)], {"content-encoding": "gzip"}, room=60_000, limit=60_000)

    assert got == block * 2


def test_what_a_request_held_is_given_back() -> None:
    budget = Budget(Limits(requests=1, body_bytes=4))
    for _ in range(2):
        with budget.one() as share:
            share.hold(3)
            share.hold(1)
            with pytest.raises(Refusal):
                share.hold(1)
            with pytest.raises(Refusal), budget.one():
                pass


def test_so_many_requests_are_worked_on_at_a_time() -> None:
    budget = Budget(Limits(requests=2))

    with budget.one(), budget.one(), pytest.raises(Refusal, match="Too much is waiting"), budget.one():
        pass


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        pytest.param(b"{", r"not JSON: .* \(line 1, column 2\)", id="half an object"),
        pytest.param(b"[]", "not a JSON object", id="a list"),
        pytest.param(b'\xef\xbb\xbf{"a": 1}', "not JSON", id="a byte order mark"),
        pytest.param('{"a": 1}'.encode("utf-16"), "not JSON in UTF-8", id="UTF-16"),
        pytest.param(b'{"a": NaN}', "NaN is not a JSON number", id="not a number"),
        pytest.param(b'{"a": -Infinity}', "-Infinity is not a JSON number", id="infinity"),
        pytest.param(b'{"a": 1' + b"0" * 5000 + b"}", "thousands of digits", id="a long number"),
        pytest.param(b'{"a":' * 100_000, "nested too deep", id="a deep object"),
        pytest.param(b'{"b": {"c": 1, "a": 2, "a": 3}}', 'has the key "a" twice', id="a key twice"),
        pytest.param(
            b'{"%s": 1, "%s": 2}' % (b"k" * 65, b"k" * 65), f'the key "{"k" * 64}" twice', id="a long key twice"
        ),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(sent: bytes, words: str) -> None:
    with pytest.raises(Refusal, match=words) as refused:
        _parsed(sent)

    assert refused.value.status == 400


def test_a_body_of_json_is_read() -> None:
    assert _parsed('{"a": {"b": 1}, "c": "ü"}'.encode()) == {"a": {"b": 1}, "c": "ü"}


@pytest.mark.parametrize(
    ("header", "user"),
    [
        pytest.param("Basic a2V5Og==", "key", id="a user without a password"),
        pytest.param("basic  a2V5OnB3 ", "key", id="a user and a password"),
        pytest.param("Basic a2V5", "key", id="no colon"),
        pytest.param("Bearer a2V5Og==", None, id="another kind"),
        pytest.param("Basic", "", id="nothing"),
        pytest.param("Basic a2V5Og", None, id="no base64"),
        pytest.param("Basic a2V5Og==!", None, id="more than base64"),
        pytest.param("Basic /w==", None, id="no UTF-8"),
        pytest.param("Basic ü", None, id="not ASCII"),
    ],
)
def test_a_key_is_the_user_of_basic_authentication(header: str, user: str | None) -> None:
    assert _basic(header) == user
