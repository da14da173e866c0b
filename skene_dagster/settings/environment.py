"""The environment variables, checked. A message never quotes one that may contain a secret."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast, get_args

from skene_dagster.codes import Code
from skene_dagster.documents import shown
from skene_dagster.errors import SettingsError

Environment = Literal["development", "test", "production"]

_VISIBLE = re.compile(r"[!-~]+")
_ADDRESS = re.compile(r"[!#-'*+\-./0-9=?A-Z^-~]{1,64}@[A-Za-z0-9.-]{1,190}")


@dataclass(frozen=True)
class Variables:
    """The variables, checked; None if one is not set, or empty."""

    database_url: str | None = field(repr=False)
    environment: Environment
    redirect_to: str | None
    write_key: str | None = field(repr=False)


def read_variables(environ: Mapping[str, str]) -> Variables:
    """Read the variables of this process.

    Raises:
        SettingsError: with the name of one that is wrong.
    """
    environment = environ.get("SKENE_ENV") or "development"
    if environment not in get_args(Environment):
        advice = f"Use one of: {', '.join(get_args(Environment))}."
        raise SettingsError(f"SKENE_ENV is {shown(environment)}.", advice=advice, code=Code.ENVIRONMENT)
    url = environ.get("SKENE_DATABASE_URL") or None
    if url is not None and not (url.isprintable() and url.strip() == url):
        raise SettingsError(
            "SKENE_DATABASE_URL has a space at an end, a line break or another character that is not allowed in a URL.",
            advice="Set it again, on one line.",
            code=Code.ENVIRONMENT,
        )
    redirect_to = environ.get("SKENE_REDIRECT_TO") or None
    if redirect_to is not None and _ADDRESS.fullmatch(redirect_to) is None:
        advice = "Write the bare address: me@example.com."
        raise SettingsError(
            f"SKENE_REDIRECT_TO is {shown(redirect_to)}, which is not one email address.",
            advice=advice,
            code=Code.ENVIRONMENT,
        )
    write_key = environ.get("SKENE_WRITE_KEY") or None
    if write_key is not None and _VISIBLE.fullmatch(write_key) is None:
        raise SettingsError(
            "SKENE_WRITE_KEY has a space, a line break or a character outside ASCII.",
            advice="Use a long random text of letters and digits.",
            code=Code.ENVIRONMENT,
        )
    return Variables(url, cast("Environment", environment), redirect_to, write_key)
