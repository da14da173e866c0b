"""Somebody invented, for emails that anybody may look at: the types are the product's, and nothing else is."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from skene_dagster.report.mails.invented import columns
from skene_dagster.settings import Users

NOW = datetime(2026, 11, 30, 12)


@pytest.mark.parametrize(
    ("name", "example", "invented"),
    [
        ("nick", "Grace Hopper", "Ada"),
        ("contact_email", "grace@example.com", "ada@example.org"),
        ("motto", "It is easier to ask", "example motto"),
        ("seats", 77, 12),
        ("seats", "77", "12"),
        ("balance", Decimal("77.10"), Decimal(12)),
        ("is_owner", False, True),
        ("seen_at", datetime(2024, 2, 29, 1, 2, 3), datetime(2026, 11, 21, 9)),
        ("seen_at", "2024-02-29T01:02:03", "2026-11-21T09:00:00"),
        ("born_on", date(1906, 12, 9), date(2026, 11, 21)),
        ("ref", UUID(int=77), UUID(int=12)),
        ("seen_at", None, datetime(2026, 11, 21, 9)),
        ("total", None, 12),
        ("total", "seventy", "12"),
    ],
)
def test_a_column_is_of_its_type_and_of_nobody(name: str, example: object, invented: object) -> None:
    assert columns([name], [{name: None}, {name: example}], NOW) == {name: invented}


def test_the_columns_that_the_settings_name_are_what_they_are_called_there() -> None:
    users = Users(name="anzeige", email="post", locale="sprache")

    found = columns(["anzeige", "post", "sprache"], [{"anzeige": "Grace"}], NOW, users)

    assert found == {"anzeige": "Ada", "post": "ada@example.org", "sprache": "en"}
