"""Which providers there are is the business of `delivery/providers`: all else reaches them by the registry."""

import re
from pathlib import Path
from typing import get_args

import pytest

from skene_dagster.delivery.providers import registry
from skene_dagster.errors import SettingsError
from skene_dagster.settings import ProviderName, load

PACKAGE = Path(__file__).parents[2] / "skene_dagster"
PROVIDERS = PACKAGE / "delivery" / "providers"
NAMING = {
    # What files may write is part of the formats, and of their JSON schemas: a provider is added there by its name.
    "settings/providers.py",
    # What was open when batches began to say who sends them is history.
    "store/migrations/versions/r0009_provider.py",
    # Files that are read, whoever sends.
    "consent/imports/formats.py",
}
"""Modules that name a provider all the same."""
# The verb, of `on_doubt: resend` and `doubts --settle resend`, is another word; so is what RFC 8601 says SPF was asked
# about.
VERB = re.compile(r"""[`"']resend[`"']|: resend\b|settle resend|\bresend:|\bsmtp\.(?:mailfrom|mail|helo)\b""")
NAMES = {name: re.compile(rf"(?<![a-z]){name}(?![a-z])", re.IGNORECASE) for name in get_args(ProviderName)}


def modules_outside() -> list[Path]:
    return [file for file in PACKAGE.rglob("*.py") if not file.is_relative_to(PROVIDERS)]


@pytest.mark.parametrize("name", get_args(ProviderName))
def test_no_module_outside_of_the_providers_names_one(name: str) -> None:
    naming = {
        f"{file.relative_to(PACKAGE)}:{number}: {line.strip()}"
        for file in modules_outside()
        if str(file.relative_to(PACKAGE)) not in NAMING
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        if NAMES[name].search(VERB.sub("", line))
    }

    assert naming == set()


def test_what_files_may_name_is_what_is_registered() -> None:
    assert {*get_args(ProviderName)} == {*registry.REGISTERED}


@pytest.mark.parametrize("name", list(registry.REGISTERED))
def test_what_sends_is_three_files_at_most_and_what_asks_stands_beside_it(name: str) -> None:
    asks = {"__init__.py", "records.py", "diagnosis.py", "webhooks.py"}

    sends = {file.name for file in (PROVIDERS / name).glob("*.py")} - asks

    assert 1 <= len(sends) <= 3


@pytest.mark.parametrize("name", list(registry.REGISTERED))
def test_a_provider_is_configured_where_its_variable_is_set(name: str, tmp_path: Path) -> None:
    needs = registry.named(name).needs

    assert registry.configured(load(tmp_path, {})) == []
    assert registry.configured(load(tmp_path, {needs: ""})) == []
    assert registry.configured(load(tmp_path, {needs: WORKING[needs]})) == [name]


WORKING = {"RESEND_API_KEY": "re_1", "SKENE_SMTP_URL": "smtp://localhost"}
HERE = "http://127.0.0.1:8000"


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        pytest.param("RESEND_API_KEY", "re_1!", "re_ 1", id="a blank in a key"),
        pytest.param("RESEND_API_URL", "https://example.com", "http://example.com", id="in clear to another machine"),
        pytest.param("RESEND_API_URL", HERE, "ftp://127.0.0.1", id="another scheme"),
        pytest.param("RESEND_API_URL", "http://localhost", "https://", id="no host"),
        pytest.param("RESEND_API_URL", "https://example.com:1", "https://example.com:0", id="no port"),
        pytest.param("RESEND_API_URL", HERE, "https://example.com:x", id="a port that is no number"),
        pytest.param("RESEND_API_URL", HERE, "https://example.com/ ", id="a blank"),
        pytest.param("SKENE_SMTP_URL", "smtps://mail.example.com", "mail.example.com:465", id="no scheme"),
    ],
)
def test_a_providers_variable_is_taken_or_refused_by_its_name(
    tmp_path: Path, name: str, right: str, wrong: str
) -> None:
    registry.check(load(tmp_path, {name: right}))

    with pytest.raises(SettingsError, match=name):
        registry.check(load(tmp_path, {name: wrong}))
