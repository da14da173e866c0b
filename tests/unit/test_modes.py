"""Where emails go: real people are reached from production alone, and production never fills a folder."""

from pathlib import Path

import pytest

from skene_dagster.delivery import modes
from skene_dagster.errors import ProviderFatal
from skene_dagster.settings import load

KEY = {"RESEND_API_KEY": "re_test"}
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
