"""Every error this package raises. A message says where, what is wrong in the author's words, and what to do.

SkeneError
├── DocumentError            a file of the author's is wrong; retrying never helps
│   ├── SettingsError            skene.yaml or the environment
│   ├── LoopError                a loop file
│   │   ├── LoopSyntaxError          it cannot be read
│   │   ├── LoopInvalid              it says something impossible
│   │   └── QueryRejected            its SQL cannot be used
│   ├── TemplateError            an email template is missing or wrong
│   ├── InternalError            we failed on a file, which may be correct
│   └── DocumentErrors           several of these, found in one reading
├── StoreError               the database refused
│   ├── StoreUnavailable         … for now; worth a retry
│   │   └── CommitUnknown            the connection broke during COMMIT
│   ├── StoreTimeout             it took too long, and was stopped
│   ├── StoreTooLarge            more than one transaction can hold
│   ├── SchemaOutdated           its skene_* tables do not match this release
│   └── WrongEnvironment         it belongs to another SKENE_ENV
├── SegmentError             a segment was not refreshed; the next refresh repairs what was half-written
│   ├── SegmentBusy              another run is refreshing it; worth a retry
│   ├── SegmentTimeout           its condition took longer than its timeout
│   ├── SegmentOvertaken         a newer tick was first
│   └── SegmentImplausible       it collapsed or exploded; a person decides
├── RollupError              what users do was not rolled up; earlier results are unchanged
│   ├── RollupBusy               another run is rolling up; worth a retry
│   ├── RollupOvertaken          a newer one has begun to write, and has not finished
│   └── NotCounted               a condition needs what no rollup has counted yet
├── VersionNotFound          another version of the project's files cannot be found
├── ImportRefused            a file of people who may not be mailed cannot be read, or not as it was asked for
├── MailUnreadable           a file is no email that arrived
├── SpoolError               what recipients answered waits on this machine, and cannot be written down; worth a retry
├── EventRefused             an event cannot be stored as it was sent; sending it again never helps
└── DeliveryError            sending stopped; what was not sent is still in the ledger
    ├── NoClearance               the segment was not refreshed for this run's as_of
        ├── LedgerOutdated           the ledger was restored from a backup older than its newest email
    ├── ProviderFatal            the provider refuses everything (key, sender domain)
    └── ProviderUnavailable      no definite answer for now; worth a retry
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from skene_dagster.codes import Code

_LONGEST_WORD = 100
_LONGEST = 1000


@dataclass(frozen=True)
class Place:
    """Where in the author's files: `loops/retention.yaml:7  step 1, condition.query`."""

    file: str
    line: int | None = None
    part: str = ""
    column: int | None = field(default=None, compare=False)
    """Of the line, from 1; None where it is not known."""

    def __str__(self) -> str:
        line = f":{self.line}" if self.line is not None else ""
        return f"{self.file}{line}" + (f"  {self.part}" if self.part else "")


@dataclass(frozen=True)
class Notice:
    """Something about a file that is no error, and may surprise."""

    place: Place
    says: str
    code: Code


class SkeneError(Exception):
    """The root: `message` says what is wrong, `advice` what to do, `place` where (if it has a place)."""

    retryable: ClassVar[bool] = False
    usual: ClassVar[Code] = Code.DATABASE
    """The code of those that have none of their own."""

    def __init__(self, message: str, *, advice: str = "", place: Place | None = None, code: Code | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice
        self.place = place
        self.code = code or self.usual

    def __str__(self) -> str:
        text = f"{self.message} {self.advice}".strip()
        if self.place is None:
            return text
        return f"{self.place}\n" + "\n".join(f"  {line}" for line in text.splitlines())


class DocumentError(SkeneError):
    """A file of the author's is wrong. What its message quotes from the file is shortened for people."""

    usual: ClassVar[Code] = Code.SETTINGS

    def __init__(self, message: str, *, advice: str = "", place: Place | None = None, code: Code | None = None) -> None:
        super().__init__(_cut(message), advice=_cut(advice), place=place, code=code)

    @property
    def errors(self) -> tuple["DocumentError", ...]:
        """Each single error, in the order of the file."""
        return (self,)


def _cut(text: str) -> str:
    text = re.sub(rf"\S{{{_LONGEST_WORD + 1},}}", lambda word: f"{word[0][:_LONGEST_WORD]}…", text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


class SettingsError(DocumentError):
    """skene.yaml or an environment variable is wrong."""


class LoopError(DocumentError):
    """A loop file is wrong."""

    usual: ClassVar[Code] = Code.LOOP


class LoopSyntaxError(LoopError):
    """A loop file cannot be read."""

    usual: ClassVar[Code] = Code.SYNTAX


class LoopInvalid(LoopError):
    """A loop file says something impossible."""


class QueryRejected(LoopError):
    """A condition's SQL cannot be used."""

    usual: ClassVar[Code] = Code.SQL


class TemplateError(DocumentError):
    """An email template is missing or wrong."""

    usual: ClassVar[Code] = Code.TEMPLATE


class InternalError(DocumentError):
    """We failed on a file in an unforeseen way; the fault is ours."""

    usual: ClassVar[Code] = Code.INTERNAL


class DocumentErrors(DocumentError):
    """Several errors found in one reading; printed one after the other."""

    def __init__(self, errors: Iterable[DocumentError]) -> None:
        self._errors = tuple(errors)
        SkeneError.__init__(self, "\n".join(str(error) for error in self._errors))

    @property
    def errors(self) -> tuple[DocumentError, ...]:
        return self._errors


class StoreError(SkeneError):
    """The database refused."""


class StoreUnavailable(StoreError):
    """The database cannot be reached, or asks to try again."""

    retryable: ClassVar[bool] = True
    usual: ClassVar[Code] = Code.UNREACHABLE


class CommitUnknown(StoreUnavailable):
    """The connection broke during COMMIT: only what the transaction wrote can tell whether it happened."""


class StoreTooLarge(StoreError):
    """More than a statement or a transaction can hold; a smaller part of it would be accepted."""


class StoreTimeout(StoreError):
    """A statement took longer than allowed, and was stopped in the database."""


class SchemaOutdated(StoreError):
    """The skene_* tables are missing, or belong to another release."""


class WrongEnvironment(StoreError):
    """The database belongs to another SKENE_ENV: it may be a copy of production."""


class SegmentError(SkeneError):
    """A segment was not refreshed; what was half-written is repaired by the next refresh."""


class SegmentBusy(SegmentError):
    """Another run is refreshing this segment."""

    retryable: ClassVar[bool] = True


class SegmentTimeout(SegmentError):
    """The condition took longer than its `timeout` and was stopped."""


class SegmentOvertaken(SegmentError):
    """A refresh for a newer as_of was first; nothing was written."""


class SegmentImplausible(SegmentError):
    """The segment collapsed or exploded; nothing was written until a person says that it is right."""


class RollupError(SkeneError):
    """What users do was not rolled up."""


class RollupBusy(RollupError):
    """Another run is rolling up what users do."""

    retryable: ClassVar[bool] = True


class RollupOvertaken(RollupError):
    """A rollup for a newer as_of has begun to write; nothing was written."""


class NotCounted(RollupError):
    """What users do was not counted, or not as skene.yaml now defines it: a condition on it has no answer."""


class VersionNotFound(SkeneError):
    """Another version of the project's files cannot be found: no git, no such ref, no such folder."""


class ImportRefused(SkeneError):
    """A file of people who may not be mailed cannot be read, or not without being told more."""


class MailUnreadable(SkeneError):
    """A file that is to be looked at is no email, or too large for one."""


class SpoolError(SkeneError):
    """What recipients answered waits on this machine, and cannot be read: nobody may be mailed before it is heard."""

    retryable: ClassVar[bool] = True


class EventRefused(SkeneError):
    """An event cannot be stored as it was sent. The message quotes nothing of it, because it goes into logs."""


class DeliveryError(SkeneError):
    """Sending stopped; what was not sent is still in the ledger."""


class NoClearance(DeliveryError):
    """The segment was not refreshed for this run's as_of, or as_of is too far from now: nothing may be sent."""


class LedgerOutdated(DeliveryError):
    """The ledger was restored from a backup, and does not know what was sent since."""


class ProviderFatal(DeliveryError):
    """The provider refuses everything: a wrong key, an unverified domain."""


class ProviderUnavailable(DeliveryError):
    """The provider gave no definite answer; the same batches are tried again with the same keys."""

    retryable: ClassVar[bool] = True
