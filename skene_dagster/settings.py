"""skene.yaml and the environment, read once into one frozen Settings."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, cast, get_args

from pydantic import AfterValidator, Field

from skene_dagster.documents import Document, Duration, Spec, parse
from skene_dagster.errors import SettingsError
from skene_dagster.yaml_document import read_yaml

FILE = "skene.yaml"
RESEND_URL = "https://api.resend.com"
Environment = Literal["development", "test", "production"]


def _identifier(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)?", name):
        raise ValueError(f"{name!r} is not a name of a table or column")
    return name


Identifier = Annotated[str, AfterValidator(_identifier)]


class Users(Spec):
    """Where the product keeps its users. Read, never written (but for the columns that an action's `set` names)."""

    table: Identifier = "users"
    """The table with one row per user, optionally `schema.table`."""
    key: Identifier = "id"
    """Its primary key: one column, of an integer, string or binary type."""
    email: Identifier = "email"
    """The column with the address."""
    name: Identifier | None = None
    """The column with the name by which a person is addressed."""
    timezone: Identifier | None = None
    """The column with an IANA time zone."""
    locale: Identifier | None = None
    """The column with a language tag."""
    mailable: str = "1 = 1"
    """SQL, true for users who may be mailed at all: not staff, not deleted, not unverified."""


class Sender(Spec):
    """Who the emails come from."""

    from_: str = Field(alias="from", default="")
    """The From address, optionally with a name: `Skene <hello@example.com>`."""
    reply_to: str | None = None
    """Where answers go."""
    postal_address: str = ""
    """The sender's postal address, printed in every marketing email (CAN-SPAM)."""
    unsubscribe_url: str = ""
    """The one-click unsubscribe address; `{{user.<column>}}` names the recipient."""
    rate_share: float = Field(default=0.8, gt=0, le=1)
    """The share of the provider's rate limit that the loops may use."""


class Limits(Spec):
    """When to stop and ask."""

    collapse: float = Field(default=0.5, gt=0, le=1)
    """A segment that loses more than this share of its members in one refresh stops the step."""
    explosion: float = Field(default=3.0, gt=0)
    """A segment that gains more than this multiple of its members in one refresh stops the step."""
    least_change: int = Field(default=500, ge=0)
    """Changes of fewer users than this are never implausible."""
    first_wave: int = Field(default=1000, ge=0)
    """A loop's first wave in production larger than this waits for `skene-dagster approve`."""
    expires_after: Duration = timedelta(days=3)
    """A send that waited longer than this is skipped as too late."""


class ProjectFile(Spec):
    """skene.yaml."""

    users: Users = Users()
    sender: Sender = Sender()
    limits: Limits = Limits()
    loops: str = "loops"
    """The folder of the loop files."""
    templates: str = "templates"
    """The folder of the email templates."""
    outbox: str = ".skene/outbox"
    """The folder that receives emails when none may leave."""


@dataclass(frozen=True)
class Settings:
    """Everything that is configured, resolved. Paths are absolute."""

    root: Path
    users: Users
    sender: Sender
    limits: Limits
    loops: Path
    templates: Path
    outbox: Path
    database_url: str = field(repr=False)
    environment: Environment
    resend_api_key: str | None = field(repr=False)
    redirect_to: str | None
    resend_url: str = RESEND_URL


def load(root: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read `root`/skene.yaml (all defaults where there is none) and the SKENE_* variables.

    Raises:
        SettingsError: with the file and line, or the variable's name.
    """
    file = root / FILE
    document = read_yaml(file, FILE, SettingsError) if file.exists() else Document(FILE, {})
    project = parse(ProjectFile, Document(document.file, document.data or {}, document.lines), SettingsError)
    environment = environ.get("SKENE_ENV") or "development"
    if environment not in get_args(Environment):
        raise SettingsError(f"SKENE_ENV is {environment!r}.", advice=f"Use one of: {', '.join(get_args(Environment))}.")
    default_url = f"sqlite:///{root / '.skene' / 'skene.db'}"
    return Settings(
        root=root,
        users=project.users,
        sender=project.sender,
        limits=project.limits,
        loops=root / project.loops,
        templates=root / project.templates,
        outbox=root / project.outbox,
        database_url=environ.get("SKENE_DATABASE_URL") or default_url,
        environment=cast("Environment", environment),
        resend_api_key=environ.get("RESEND_API_KEY") or None,
        redirect_to=environ.get("SKENE_REDIRECT_TO") or None,
        resend_url=environ.get("RESEND_API_URL") or RESEND_URL,
    )
