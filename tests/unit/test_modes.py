"""Where emails go: real people are reached from production alone, and production never fills a folder."""

from datetime import datetime
from pathlib import Path

import pytest

from skene_dagster.delivery import modes
from skene_dagster.delivery.modes import Mode
from skene_dagster.errors import ProviderFatal
from skene_dagster.settings import load

NOON = datetime(2026, 11, 23, 12)
KEY = {"RESEND_API_KEY": "re_test"}
SMTP = {"SKENE_SMTP_URL": "smtp://localhost"}
REDIRECT = {"SKENE_REDIRECT_TO": "me@example.com"}
PRODUCTION = {"SKENE_ENV": "production"}


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        pytest.param({}, "outbox", id="nothing is set"),
        pytest.param(KEY, "outbox", id="a key alone mails nobody"),
        pytest.param({**KEY, "SKENE_ENV": "test"}, "outbox", id="a key in test mails nobody"),
        pytest.param(REDIRECT, "outbox", id="a redirect needs a key"),
        pytest.param({**KEY, **REDIRECT}, "redirect", id="a key and a redirect"),
        pytest.param({**KEY, **PRODUCTION}, "live", id="production with a key"),
        pytest.param({**KEY, **REDIRECT, **PRODUCTION}, "live", id="production is not redirected"),
        pytest.param(SMTP, "outbox", id="a mail server alone mails nobody"),
        pytest.param({**SMTP, **REDIRECT}, "redirect", id="a mail server and a redirect"),
        pytest.param({**SMTP, **PRODUCTION}, "live", id="production with a mail server"),
    ],
)
def test_the_mode_is_that_of_the_environment(environ: dict[str, str], name: str, tmp_path: Path) -> None:
    mode = modes.choose(load(tmp_path, environ))

    assert mode.name == name
    assert mode.leaves == (name != "outbox")


@pytest.mark.parametrize("environ", [PRODUCTION, {**PRODUCTION, **REDIRECT}], ids=["alone", "with a redirect"])
def test_production_without_a_key_is_fatal(environ: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ProviderFatal, match="RESEND_API_KEY is not set"):
        modes.choose(load(tmp_path, environ))


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        pytest.param(KEY, "SKENE_ENV is production and RESEND_API_KEY is set", id="a key"),
        pytest.param(SMTP, "SKENE_ENV is production and SKENE_SMTP_URL is set", id="a mail server"),
        pytest.param(
            KEY | SMTP, "SKENE_ENV is production and RESEND_API_KEY and SKENE_SMTP_URL are set", id="a key and a server"
        ),
    ],
)
def test_a_mode_says_which_variables_make_it(variables: dict[str, str], why: str, tmp_path: Path) -> None:
    assert modes.choose(load(tmp_path, PRODUCTION | variables)).why == why


def test_what_is_missing_is_named_as_the_projects_own_provider_needs_it(tmp_path: Path) -> None:
    (tmp_path / "skene.yaml").write_text("sender: {provider: smtp}\n", encoding="utf-8")

    with pytest.raises(ProviderFatal, match="SKENE_SMTP_URL is not set"):
        modes.choose(load(tmp_path, PRODUCTION))


@pytest.mark.parametrize("mode", [Mode("live", "a test"), Mode("redirect", "a test")], ids=lambda mode: mode.name)
def test_a_step_whose_own_provider_lacks_its_variable_sends_nothing(mode: Mode, tmp_path: Path) -> None:
    settings = load(tmp_path, PRODUCTION | KEY)

    with pytest.raises(ProviderFatal, match="sent by smtp, but SKENE_SMTP_URL is not set"):
        modes.provider(mode, settings, lambda: NOON, "smtp")


def test_in_a_rehearsal_without_a_redirect_every_provider_is_the_outbox(tmp_path: Path) -> None:
    opened = modes.provider(Mode("outbox", "a test"), load(tmp_path, {}), lambda: NOON, "smtp")

    assert opened.name == "outbox"
