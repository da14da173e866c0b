"""An id that does not fit the users key is refused: stored in another type it would be somebody else's."""

from uuid import UUID

import pytest

from skene_dagster.behaviour.user_ids import UserIds
from skene_dagster.store.keys import Key


@pytest.mark.parametrize(
    ("key", "told", "words"),
    [
        pytest.param(
            "bigint(20)",
            "ada",
            "is an integer, but the user's id is not an integer in plain digits",
            id="a text for a number",
        ),
        pytest.param("bigint(20)", True, "type bool", id="true for a number"),
        pytest.param("bigint(20)", 4.0, "type float", id="a float for a number"),
        pytest.param("bigint(20)", "1_000", "plain digits", id="digits with underscores"),
        pytest.param("bigint(20)", "९", "plain digits", id="digits of another script"),
        pytest.param("bigint(20)", "\uff11", "plain digits", id="wide digits"),
        pytest.param("bigint(20)", "01", "plain digits", id="a zero before it"),
        pytest.param("bigint(20)", "-0", "plain digits", id="a zero below zero"),
        pytest.param("bigint(20)", "+1", "plain digits", id="a plus"),
        pytest.param("bigint(20)", " 1", "plain digits", id="a blank before it"),
        pytest.param("bigint(20)", "1\n", "plain digits", id="a line break behind it"),
        pytest.param("bigint(20)", "1.0", "plain digits", id="a fraction"),
        pytest.param("bigint(20)", "1e0", "plain digits", id="an exponent"),
        pytest.param("bigint(20)", "1" * 40, "plain digits", id="forty digits"),
        pytest.param("bigint(20)", 2**63, "not between", id="one too many"),
        pytest.param("int(10) unsigned", -1, "not between 0 and 4294967295", id="below zero"),
        pytest.param("smallint(6)", 40_000, "not between -32768 and 32767", id="a small key"),
        pytest.param("varchar(4) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "ada b", "4 characters", id="too long"),
        pytest.param("varchar(4) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", " ", "empty", id="blank"),
        pytest.param(
            "varchar(4) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "né ", "ends with a space", id="a blank behind"
        ),
        pytest.param("varchar(4) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "a\0", "control", id="NUL"),
        pytest.param("varchar(4) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "a\ud800", "control", id="half"),
        pytest.param("varchar(4) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", ["a"], "type list", id="a list"),
        pytest.param("binary(16)", "00" * 15, "must have 16 bytes", id="15 bytes"),
        pytest.param("varbinary(16)", b"", "must have 1 to 16 bytes", id="no bytes"),
        pytest.param("binary(16)", "xyz", "hex digits", id="no hex digits"),
        pytest.param("binary(16)", "0-" * 32, "hex digits", id="dashes anywhere"),
        pytest.param("binary(2)", "00 01", "hex digits", id="hex digits with a blank"),
        pytest.param("binary(16)", 5, "type int", id="a number for bytes"),
        pytest.param("bigint(20)", -(2**63) - 1, "not between -9223372036854775808", id="one too few"),
        pytest.param("bigint(20)", "9" * 21, "plain digits", id="21 digits"),
        pytest.param("bigint(20)", "9" * 20, "not between", id="twenty digits"),
        pytest.param(
            "varchar(4) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "abcde", "4 characters", id="five letters"
        ),
        pytest.param("varchar(4) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "", "empty", id="no letters"),
        pytest.param("varchar(4) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", True, "type bool", id="true for a text"),
        pytest.param("varchar(4) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", b"a", "type bytes", id="bytes for a text"),
        pytest.param("varbinary(16)", "00" * 17, "must have 1 to 16 bytes", id="17 bytes"),
        pytest.param("binary(16)", b"\0" * 17, "must have 16 bytes", id="17 bytes of 16"),
    ],
)
def test_an_id_that_cannot_be_a_users_is_refused_without_repeating_it(key: str, told: object, words: str) -> None:
    ids = UserIds.of(Key(key, is_integer="int" in key), sqlite=False)

    with pytest.raises(ValueError, match=words) as refused:
        ids.read(told)

    assert not isinstance(told, str) or told.strip() in ("", "a\0") or told not in str(refused.value)


@pytest.mark.parametrize(
    ("key", "sqlite", "fits"),
    [
        pytest.param("tinyint(4)", False, UserIds("integer", -128, 127), id="tinyint"),
        pytest.param("tinyint(3) unsigned", False, UserIds("integer", 0, 255), id="tinyint unsigned"),
        pytest.param("smallint(6)", False, UserIds("integer", -32768, 32767), id="smallint"),
        pytest.param("mediumint(9)", False, UserIds("integer", -8388608, 8388607), id="mediumint"),
        pytest.param("int(11)", False, UserIds("integer", -2147483648, 2147483647), id="int"),
        pytest.param("int(10) unsigned", False, UserIds("integer", 0, 4294967295), id="int unsigned"),
        pytest.param("bigint(20)", False, UserIds("integer", -(2**63), 2**63 - 1), id="bigint"),
        pytest.param("bigint(20) unsigned", False, UserIds("integer", 0, 2**64 - 1), id="bigint unsigned"),
        pytest.param("INTEGER", False, UserIds("integer", -(2**63), 2**63 - 1), id="a type without bits"),
        pytest.param("TINYINT UNSIGNED", True, UserIds("integer", -(2**63), 2**63 - 1), id="SQLite: 64 bits"),
        pytest.param("varchar(36) CHARACTER SET utf8mb4", False, UserIds("text", 1, 36), id="varchar"),
        pytest.param("char(1)", False, UserIds("text", 1, 1), id="char"),
        pytest.param("text", False, UserIds("text", 1, 255), id="a text without a length"),
        pytest.param("VARCHAR(36)", True, UserIds("text", 1, 255), id="SQLite: any length"),
        pytest.param("binary(16)", False, UserIds("binary", 16, 16), id="binary"),
        pytest.param("varbinary(16)", False, UserIds("binary", 1, 16), id="varbinary"),
        pytest.param("BINARY(16)", True, UserIds("binary", 1, 255), id="SQLite: bytes"),
        pytest.param("BLOB", True, UserIds("binary", 1, 255), id="SQLite: a blob"),
    ],
)
def test_what_fits_follows_from_how_the_key_is_declared(key: str, *, sqlite: bool, fits: UserIds) -> None:
    assert UserIds.of(Key(key, is_integer="int" in key.lower()), sqlite=sqlite) == fits


@pytest.mark.parametrize(
    ("key", "told", "read"),
    [
        pytest.param("tinyint(4)", 127, 127, id="the largest number"),
        pytest.param("tinyint(4)", "-128", -128, id="the smallest number"),
        pytest.param("bigint(20)", "0", 0, id="zero"),
        pytest.param("bigint(20) unsigned", "18446744073709551615", 2**64 - 1, id="twenty digits"),
        pytest.param("varchar(4)", "abcd", "abcd", id="as many letters as there may be"),
        pytest.param("varchar(4)", " a", " a", id="a blank before it"),
        pytest.param("varchar(4)", 7, "7", id="a number for a text"),
        pytest.param("varchar(36)", UUID(int=5), str(UUID(int=5)), id="a UUID for a text"),
        pytest.param("varchar(4)", "a~\u00a0b", "a~\u00a0b", id="letters beside those that steer"),
        pytest.param("varbinary(4)", b"a", b"a", id="one byte"),
        pytest.param("varbinary(4)", b"abcd", b"abcd", id="as many bytes as there may be"),
        pytest.param("varbinary(4)", "00Ff", b"\x00\xff", id="hex digits"),
        pytest.param("binary(16)", UUID(int=5), UUID(int=5).bytes, id="a UUID"),
        pytest.param("binary(16)", str(UUID(int=5)), UUID(int=5).bytes, id="a UUID in letters"),
    ],
)
def test_an_id_is_brought_to_the_keys_type(key: str, told: object, read: object) -> None:
    assert UserIds.of(Key(key, is_integer="int" in key), sqlite=False).read(told) == read


@pytest.mark.parametrize("sign", ["\x1f", "\x7f", "\x9f", "\ud800"])
def test_what_steers_a_terminal_is_in_no_id(sign: str) -> None:
    with pytest.raises(ValueError, match="control characters"):
        UserIds("text", 1, 9).read(f"a{sign}")
