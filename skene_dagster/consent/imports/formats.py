"""The exports that are recognised by their columns, and what their rows mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from skene_dagster.consent.suppressions import Reason, Scope

Kind = tuple[Scope, Reason]
"""What a row is for."""

SAID_NO: Kind = ("marketing", "said_no")
BOUNCE: Kind = ("all", "bounce")
COMPLAINT: Kind = ("all", "complaint")
PROVIDER: Kind = ("all", "provider")


def untold(scope: Scope) -> Kind:
    """Say what a row is for whose file does not say, by the scope that a person says."""
    return PROVIDER if scope == "all" else (scope, "said_no")


_MAY_BE_MAILED = None

WORDS: Mapping[str, Kind | None] = MappingProxyType(
    {
        **dict.fromkeys(("bounce", "bounced", "hard", "hard_bounce", "permanent", "invalid"), BOUNCE),
        **dict.fromkeys(("complaint", "complained", "spam", "spammed", "spam_complaint", "spam_report"), COMPLAINT),
        **dict.fromkeys(("unsubscribe", "unsubscribed", "opted_out", "said_no"), SAID_NO),
        **dict.fromkeys(("soft", "soft_bounce", "transient", "subscribed"), _MAY_BE_MAILED),
    }
)
"""What a column says why somebody may not be mailed, or that they may; of products that are not listed below."""


@dataclass(frozen=True)
class Format:
    """An export: recognised by its columns, whose names are in small letters."""

    name: str
    address: str
    kind: Kind | None = None
    """What every row is for; None where a column says so."""
    told_by: str = ""
    """That column."""
    words: Mapping[str, Kind | None] | None = None
    """What its values mean, in small letters; None: those of `WORDS`, and a person may say what others mean."""
    since: str = ""
    """The column with the moment, if there is one that is not earlier than the "no"."""
    until: str = ""
    """The column with the moment at which it ends by itself."""
    scope: str = ""
    """The column that says the scope, in which case `told_by` is a reason of ours."""
    source: str = ""
    """The column that says where it comes from."""
    has: Sequence[str] = ()
    """Columns by which it is recognised, besides these."""

    def fits(self, columns: Sequence[str]) -> bool:
        """Whether a file with these columns is such an export."""
        return {self.address, *([self.told_by] if self.told_by else []), *self.has} <= {*columns}


_FLAG: Mapping[str, Kind | None] = MappingProxyType(
    {
        **dict.fromkeys(("true", "1", "t", "yes"), SAID_NO),
        **dict.fromkeys(("false", "0", "f", "no", ""), _MAY_BE_MAILED),
    }
)

FORMATS: Sequence[Format] = (
    Format(
        "suppressions export",
        "address",
        told_by="reason",
        words={},
        since="since",
        until="until",
        scope="scope",
        source="source",
        has=("scope",),
    ),
    # https://resend.com/docs/api-reference/suppressions/list-suppressions (2026-11): email, origin, created_at; the
    # origin is bounce, complaint or manual.
    Format(
        "suppressions of Resend",
        "email",
        told_by="origin",
        words={"bounce": BOUNCE, "complaint": COMPLAINT, "manual": PROVIDER},
        since="created_at",
    ),
    # https://resend.com/docs/dashboard/audiences/contacts (2026-11): email, unsubscribed. Customer.io's people have the
    # same two: https://docs.customer.io/integrations/api/app/tag/exports/exportPeopleData/ with the attribute
    # `unsubscribed`. `created_at` is when the contact was made, so it says nothing about the "no".
    Format("contacts of Resend or people of Customer.io", "email", told_by="unsubscribed", words=_FLAG),
    # https://documentation.mailgun.com/docs/mailgun/api-reference/ (2026-11), Bounces: address, code, error,
    # created_at; Unsubscribe: address, tags, created_at. Complaints have address and created_at only: a person says
    # what they are. Whoever unsubscribed from a tag is taken to want no marketing.
    Format("bounces of Mailgun", "address", BOUNCE, since="created_at", has=("code", "error")),
    Format("unsubscribes of Mailgun", "address", SAID_NO, since="created_at", has=("tags",)),
    # Mailchimp's files of unsubscribed and of cleaned contacts (those that bounced). "Email Address" and the three
    # files are in its help. The names of the two moments are not on any page that we found, and we saw no such file: if
    # they are others, the file is taken for one that does not say why, and --scope is asked for (2026-11).
    Format("unsubscribed contacts of Mailchimp", "email address", SAID_NO, since="unsub_time", has=("unsub_time",)),
    Format("cleaned contacts of Mailchimp", "email address", BOUNCE, since="clean_time", has=("clean_time",)),
    # https://docs.aws.amazon.com/cli/latest/reference/sesv2/list-suppressed-destinations.html (2026-11): EmailAddress,
    # Reason, LastUpdateTime. Files for its own bulk import have no header: an address, and BOUNCE or COMPLAINT.
    Format(
        "suppressed destinations of Amazon SES",
        "emailaddress",
        told_by="reason",
        words={"bounce": BOUNCE, "complaint": COMPLAINT},
        since="lastupdatetime",
    ),
    # listmonk, cmd/subscribers.go @007f4de (2026-11): uuid, email, name, attributes, status, created_at, updated_at.
    # People block themselves on its unsubscribe page, and bounces may block them: to listmonk it is the same.
    Format(
        "subscribers of listmonk",
        "email",
        told_by="status",
        words={"blocklisted": SAID_NO, "disabled": SAID_NO, "enabled": _MAY_BE_MAILED},
        since="updated_at",
        has=("uuid", "attributes"),
    ),
)

ADDRESSES = ("email", "email address", "email_address", "emailaddress", "address", "recipient")
"""Names of a column of addresses in other files, and of one that may say why."""
TOLD_BY = ("reason", "type")
