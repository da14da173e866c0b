"""An id that does not fit the users key is refused: stored in another type it would be somebody else's."""

import pytest

from skene_dagster.store.keys import Key
from skene_dagster.store.user_ids import UserIds


@pytest.mark.parametrize(
    ("key", "told", "words"),
    [
        pytest.param(
            "bigint(20)", "ada", "is an integer, and the user's id is not one in plain digits", id="a text for a number"
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
            "varchar(4) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "né ", "ends with a blank", id="a blank behind"
        ),
        pytest.param("varchar(4) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "a\0", "control", id="NUL"),
        pytest.param("varchar(4) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "a\ud800", "control", id="half"),
        pytest.param("varchar(4) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", ["a"], "type list", id="a list"),
        pytest.param("binary(16)", "00" * 15, "has not 16 bytes", id="15 bytes"),
        pytest.param("varbinary(16)", b"", "has not 1 to 16 bytes", id="no bytes"),
        pytest.param("binary(16)", "xyz", "hex digits", id="no hex digits"),
        pytest.param("binary(16)", "0-" * 32, "hex digits", id="dashes anywhere"),
        pytest.param("binary(2)", "00 01", "hex digits", id="hex digits with a blank"),
        pytest.param("binary(16)", 5, "type int", id="a number for bytes"),
    ],
)
def test_an_id_that_cannot_be_a_users_is_refused_without_repeating_it(key: str, told: object, words: str) -> None:
    ids = UserIds.of(Key(key, is_integer="int" in key), sqlite=False)

    with pytest.raises(ValueError, match=words) as refused:
        ids.read(told)

    assert not isinstance(told, str) or told.strip() in ("", "a\0") or told not in str(refused.value)
