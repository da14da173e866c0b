"""What the list of suppressions knows people by."""

import pytest

from skene_dagster.consent.recipient import Recipients

NAMES = Recipients(bytes(32))


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("ada@example.com", "1:9d3260c9ede97de697d018c08865df2166255dc59868ab5cca3a120b28a311a7"),
        ("user@xn--bcher-kva.example", "1:351e6c29ab1240b26e751a591edb50d427f3d1cb5a72c529ffbd03d82182338d"),
    ],
)
def test_a_name_is_the_hash_of_salt_and_address_for_ever(address: str, name: str) -> None:
    assert NAMES.address(address) == name


@pytest.mark.parametrize(
    "spelled", [" ada@example.com\n", "Ada@Example.COM", "ADA@EXAMPLE.COM"], ids=["spaces", "some capitals", "capitals"]
)
def test_spaces_and_capitals_make_no_other_recipient(spelled: str) -> None:
    assert NAMES.address(spelled) == NAMES.address("ada@example.com")


def test_a_domain_and_its_ascii_form_are_one() -> None:
    assert NAMES.address("user@Bücher.example") == NAMES.address("user@xn--bcher-kva.example")


@pytest.mark.parametrize("other", ["a.da@example.com", "ada+news@example.com", "ada@example.net"])
def test_dots_and_what_follows_a_plus_make_another_recipient(other: str) -> None:
    assert NAMES.address(other) != NAMES.address("ada@example.com")


@pytest.mark.parametrize("bad", ["", "ada", "ada@", "a@example.com, b@example.com", "ada@exa mple.com"])
def test_what_is_no_address_has_no_name(bad: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its words are the library's
        NAMES.address(bad)


def test_a_users_key_is_named_as_it_is_written() -> None:
    assert NAMES.user(4711) == NAMES.user("4711")
    assert NAMES.user(b"\x0a\xff") == NAMES.user("0aff")
    assert NAMES.user("a") != NAMES.user("A")


def test_a_user_whose_key_is_an_address_is_not_that_address() -> None:
    assert NAMES.user("ada@example.com") != NAMES.address("ada@example.com")


def test_who_has_no_address_is_known_by_themselves() -> None:
    assert NAMES.of_user(7, "nobody@") == NAMES.of_user(7, None) == (NAMES.user(7),)
    assert NAMES.of_user(7, "ada@example.com") == (NAMES.user(7), NAMES.address("ada@example.com"))


def test_another_salt_gives_other_names() -> None:
    assert Recipients(bytes([1] * 32)).user(7) != NAMES.user(7)
