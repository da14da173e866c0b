"""What of a text may stand in the body of an email: no control characters, and one kind of line end."""

import pytest

from skene_dagster.delivery.email.headers import body


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        pytest.param("Hello\n\tAda", "Hello\n\tAda", id="lines and tabs"),
        pytest.param("a\x07b\x00c\x7f", "abc", id="control characters among ASCII"),
        pytest.param("é\x07b\x85c", "ébc", id="control characters among others"),
        pytest.param("a\r\nb\rc", "a\nb\nc", id="line ends of other systems"),
        pytest.param("a\ud800b", "a\ufffdb", id="half a surrogate pair"),
    ],
)
def test_a_body_has_no_control_characters(text: str, kept: str) -> None:
    assert body(text) == kept
