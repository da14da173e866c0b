"""The part of skene.yaml about who is told: by which variables of the environment the addresses are found."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, model_validator

from skene_dagster.documents import Spec
from skene_dagster.errors import SettingsError

_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,99}")
_URL = re.compile(r"https?://[!-~]+")


def _a_variable(name: str) -> str:
    if _VARIABLE.fullmatch(name) is None:
        # It is not quoted: people write the address itself here, and who has it can post.
        raise ValueError(
            "This is not the name of an environment variable. Put the address into one, and write its name"
        )
    return name


Variable = Annotated[str, AfterValidator(_a_variable)]


class Alert(Spec):
    """Where alerts go. One of `slack` and `url`."""

    slack: Variable | None = None
    """The environment variable with the address of a Slack incoming webhook."""
    url: Variable | None = None
    """The environment variable with an address that takes JSON."""

    @model_validator(mode="after")
    def _one(self) -> "Alert":
        if (self.slack is None) == (self.url is None):
            raise ValueError("An alert needs one of 'slack' and 'url'. Write for example: slack: SLACK_WEBHOOK_URL")
        return self


@dataclass(frozen=True)
class AlertTarget:
    """Where alerts go from this machine."""

    form: Literal["slack", "json", "heartbeat"]
    variable: str
    address: str | None = field(repr=False)
    """None: the variable is not set here, and nothing is told."""


def targets(alerts: Sequence[Alert], environ: Mapping[str, str]) -> tuple[AlertTarget, ...]:
    """Look the addresses up; one that is named twice is told once.

    Raises:
        SettingsError: a variable holds no address.
    """
    named: dict[str, Literal["slack", "json"]] = {
        alert.slack or alert.url or "": "slack" if alert.slack else "json" for alert in alerts
    }
    return tuple(AlertTarget(form, variable, _address_in(variable, environ)) for variable, form in named.items())


def heartbeat(variable: str | None, environ: Mapping[str, str]) -> AlertTarget | None:
    """Look up the address that each look calls; None where there is none.

    Raises:
        SettingsError: the variable holds no address.
    """
    return None if variable is None else AlertTarget("heartbeat", variable, _address_in(variable, environ))


def _address_in(variable: str, environ: Mapping[str, str]) -> str | None:
    address = environ.get(variable) or None
    if address is not None and not _is_address(address):
        # It is not quoted: it is a secret.
        raise SettingsError(f"{variable} is not an http(s) address.", advice="Set it again, on one line.")
    return address


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return _URL.fullmatch(text) is not None and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
