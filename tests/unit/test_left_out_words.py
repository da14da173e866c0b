"""Addresses are left out of texts as they are written there, and nothing else is."""

import pytest

from skene_dagster.consent.erasures import without

ADDRESS = "ann@example.com"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (None, None),
        ("nothing", "nothing"),
        ("to ann@example.com, to Ann@EXAMPLE.com", "to …, to …"),
        # Of which the small letter is two: places in the one text are none in the other.
        ("İPTAL EDİLDİ: ann@example.com", "İPTAL EDİLDİ: …"),
        (f"{'İ' * 30} ann@example.com", f"{'İ' * 30} …"),
    ],
)
def test_an_address_is_left_out_however_it_is_written(text: str | None, kept: str | None) -> None:
    assert without(text, [ADDRESS]) == kept


def test_what_is_special_in_a_pattern_is_a_letter_like_others() -> None:
    assert without("a.n+x@example.com and aanx@example.com", ["a.n+x@example.com"]) == "… and aanx@example.com"
