"""What a send is called: for ever the UUID, version 5, of its key."""

import uuid

import pytest

from skene_dagster.delivery.ledger import StepScope, send_id
from skene_dagster.delivery.ledger.scope import NAMESPACE

SCOPE = StepScope("live", "retention", "main")


def test_a_send_keeps_the_name_that_it_had_in_every_version() -> None:
    assert send_id(SCOPE, 7, 1) == "db27810ce1fd577e9734c39f25d0d941"


@pytest.mark.parametrize("user_id", [7, "7", "ä", "a" * 191, *range(100, 200)])
def test_it_is_the_uuid_of_its_key(user_id: object) -> None:
    known = uuid.uuid5(NAMESPACE, f"live\x1fretention\x1fmain\x1f{user_id}\x1f2")

    assert send_id(SCOPE, user_id, "2") == known.hex
    assert known.version == 5
