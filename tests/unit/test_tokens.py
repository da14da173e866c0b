"""The token in an email's links: what it keeps, and what is refused."""

import pytest

from skene_dagster.consent.tokens import LONGEST, BadToken, Signer, Token

OLD, NEW = "ab" * 32, "cd" * 32

TOKEN = Token(
    recipient="1:9d3260c9ede97de697d018c08865df2166255dc59868ab5cca3a120b28a311a7",
    user="u:351e6c29ab1240b26e751a591edb50d427f3d1cb5a72c529ffbd03d82182338d",
    topic="tips",
    one_click="topic:tips",
    locale="pt-BR",
    ledger="0123456789abcdef0123456789abcdef",
    send_id="fedcba9876543210fedcba9876543210",
)

SIGNED = Signer([OLD]).sign(TOKEN)


def test_a_token_is_read_as_it_was_signed() -> None:
    assert Signer([OLD]).read(SIGNED) == TOKEN


def test_a_token_of_long_ago_is_read_for_ever() -> None:
    # What was mailed can never be changed: a release that does not read this breaks links in people's mailboxes.
    mailed = (
        ".eJxdjbEKwzAMRP_FcwuWFMlyxn5C19JBlmzI1EDT_68LnbLc8bjj7pFgrUEo2WuPXkt0mZJBPasKx0AQQeZwripqjd2NDDA3VCMAK-mSPisxdHGs1gCXmUkv"
        "DMYVejTOsWAZFOCNraAz1jFaZApFUCTSmCPHtr9_9to3X_-wH9fbfXoGpIWl6Dzw6OPMszJ6eLOqRXghhHzm9PwCo0dAJw.WjmL-DGfaA1vN-ThGmF_0O0xyOk"
    )
    assert Signer([OLD]).read(mailed) == TOKEN


def test_a_token_fits_into_a_path_and_is_short() -> None:
    assert all(character.isalnum() or character in "._-" for character in SIGNED)
    assert len(SIGNED) < 300


def test_a_token_works_after_the_keys_were_rotated_and_the_newest_key_signs() -> None:
    rotated = Signer([OLD, NEW])

    assert rotated.read(SIGNED) == TOKEN
    assert Signer([NEW]).read(rotated.sign(TOKEN)) == TOKEN


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "x",
        SIGNED[:-1],
        SIGNED[1:],
        SIGNED + "A",
        SIGNED.replace(".", "", 1),
        SIGNED.swapcase(),
        "é" + SIGNED,
        "\x00",
        "A" * (LONGEST + 1),
        Signer([NEW]).sign(TOKEN),
    ],
    ids=[
        "nothing",
        "no signature",
        "a letter",
        "its end is cut",
        "its beginning is cut",
        "one more",
        "one dot less",
        "capitals",
        "beyond ASCII",
        "a NUL",
        "too long",
        "another key",
    ],
)
def test_what_was_not_signed_by_a_key_of_this_database_is_refused(text: str) -> None:
    with pytest.raises(BadToken):
        Signer([OLD]).read(text)
