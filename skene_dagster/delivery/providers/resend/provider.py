"""Resend, through its official SDK: batches under an idempotency key, and its own records of what it accepted."""

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from typing import Any, ClassVar, TypeVar

import requests
import resend
from resend.exceptions import ResendError

from skene_dagster.delivery.email.message import Frozen, Message
from skene_dagster.delivery.providers import json_emails
from skene_dagster.delivery.providers.base import (
    Answer,
    Denied,
    Diagnosis,
    Finding,
    Forbidden,
    RateLimit,
    Sent,
    SlotWait,
    Terms,
    Throttled,
    Unknown,
    Unprovable,
    at_once,
    check_call,
)
from skene_dagster.delivery.providers.feedback import Report
from skene_dagster.delivery.providers.resend import TERMS, URL, answers, check_key, check_url
from skene_dagster.delivery.providers.resend.diagnosis import diagnosis
from skene_dagster.delivery.providers.resend.records import PAGES, SKEW, Records, Request
from skene_dagster.delivery.providers.resend.suppression_list import ResendSuppressionList
from skene_dagster.delivery.providers.resend.webhooks import of_the_list

Result = TypeVar("Result")

READS = 3
"""How often a record is asked for that the rate limit refuses."""

LONGEST_WAIT = 60.0
"""Seconds that are waited for it."""

CALLS = 1000
"""Calls that are made to find one batch; at two a second they take ten minutes."""

# Resend SDK 2.52, 2026-11: the key, the address and the transport are module globals, read when a call is made.
_sdk = threading.Lock()


class ResendProvider:
    """Sends through api.resend.com, over connections that are kept; one provider serves one thread at a time.

    Args:
        api_key: `re_…`.
        base_url: https, or http to this machine.
        timeout: seconds to connect, and to wait for the answer.

    Raises:
        SettingsError: for a key or an address that could never work.
    """

    name: ClassVar[str] = "Resend"
    terms: ClassVar[Terms] = TERMS

    def __init__(self, api_key: str, base_url: str = URL, timeout: tuple[float, float] = (5.0, 30.0)) -> None:
        # The SDK reports a header that cannot be sent as a network error of status 500: it would be tried for ever.
        check_key(api_key)
        check_url(base_url)
        self._api_key = api_key
        self._base_url = base_url.rstrip("/")
        self._client = _PooledClient(timeout)
        self._requests: dict[str, Request] = {}

    @property
    def account(self) -> str:
        """See `Provider`. Resend counts by team: keys of one team that run at once learn of it by their answers."""
        return f"resend-{hashlib.sha256(self._api_key.encode()).hexdigest()[:16]}"

    @property
    def rate_limit(self) -> RateLimit | None:
        """See `Provider`."""
        return answers.rate_limit(self._client.headers)

    def freeze(self, messages: Sequence[Message]) -> Frozen:
        """Encode a batch as the API takes it; see `Provider`."""
        return json_emails.freeze(messages)

    def send_batch(self, batch: Frozen, key: str) -> Answer:
        """Post the frozen bytes as one batch; see `Provider`.

        Raises:
            ValueError: for a key or a number of messages that no provider takes.
        """
        check_call(batch, key, TERMS.batch_limit)
        self._client.body = batch.body
        try:
            with self._as_the_sdk_wants_it():
                answer = resend.Batch.send([], {"idempotency_key": key, "batch_validation": "strict"})
        except ResendError as error:
            return answers.sort(error)
        except Exception as error:  # noqa: BLE001 - the request may have arrived, whatever went wrong after it
            return Unknown(answers.shown(f"the answer could not be read: {type(error).__name__}"))
        finally:
            self._client.body = None
        return answers.accepted(answer, len(batch.send_ids))

    def find(self, batch: Frozen, since: datetime, until: datetime, wait_for_slot: SlotWait = at_once) -> Finding:
        """Ask Resend's log of requests, then its list of emails; see `Provider`."""
        calls = iter(range(CALLS))

        def counted(seconds: float) -> None:
            if next(calls, None) is None:
                raise Denied(f"it would take more than {CALLS:,} calls to look into the records")
            wait_for_slot(seconds)

        try:
            return self._records(counted).find(batch, since, until)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # Records of another shape than is known: who asks must not fail for ever.
            return Unprovable(f"the records cannot be understood: {type(error).__name__}")

    def sent(self, since: datetime | None, wait_for_slot: SlotWait, most: int) -> Iterator[Sent]:
        """Read Resend's log of requests, then its list of emails; see `Provider`."""
        return self._records(wait_for_slot).sent(None if since is None else since - SKEW, most)

    def latest(self, wait_for_slot: SlotWait, now: datetime) -> Iterator[list[Report]]:
        """Read Resend's list of emails; see `Polled`."""
        params: resend.Emails.ListParams = {"limit": 100}
        for _ in range(PAGES):
            page = self._ask(partial(resend.Emails.list, params), wait_for_slot)
            rows = page.get("data")
            if not isinstance(rows, list) or not rows:
                return
            yield [one for row in rows for one in of_the_list(row, now)]
            if not page.get("has_more"):
                return
            params = {"limit": 100, "after": str(rows[-1].get("id"))}

    def diagnose(self, sender: str) -> Iterator[Diagnosis]:
        """Ask whether the sender's domain is verified; nothing is sent."""
        return diagnosis(self.domains, sender)

    def domains(self) -> dict[str, str]:
        """Ask for the domains of this account: the status (`verified`, `pending`, …) by name.

        Raises:
            Denied: the key may only send, or Resend did not answer as it should.
        """
        rows = self._ask(resend.Domains.list, at_once).get("data") or []
        return {str(row.get("name")).lower(): str(row.get("status")) for row in rows}

    def suppression_list(self, wait_for_slot: SlotWait) -> ResendSuppressionList:
        """Return the team's list of addresses to which Resend sends nothing."""
        return ResendSuppressionList(lambda ask: self._ask(ask, wait_for_slot))

    def close(self) -> None:
        """Close the kept connections; the next batch opens one again."""
        self._client.close()

    def _records(self, wait_for_slot: SlotWait) -> Records:
        return Records(
            logs=lambda params: self._ask(lambda: resend.Logs.list(params), wait_for_slot),
            log=lambda identity: self._ask(lambda: resend.Logs.get(identity), wait_for_slot),
            emails=lambda params: self._ask(lambda: resend.Emails.list(params), wait_for_slot),
            email=lambda identity: self._ask(lambda: resend.Emails.get(identity), wait_for_slot),
            requests=self._requests,
        )

    def _ask(
        self, ask: Callable[[], Result], wait_for_slot: SlotWait, after: float = 0.0, more: int = READS - 1
    ) -> Result:
        wait_for_slot(after)
        try:
            with self._as_the_sdk_wants_it():
                return ask()
        except ResendError as error:
            answer = answers.sort(error)
            if more and isinstance(answer, Throttled) and answer.after <= LONGEST_WAIT:
                return self._ask(ask, wait_for_slot, answer.after, more - 1)
            kind = Forbidden if error.error_type in answers.NO_RIGHT else Denied
            raise kind(answers.shown(f"{error.code} {error.error_type}: {error.message}")) from error
        except Exception as error:
            raise Denied(f"the records could not be read: {type(error).__name__}") from error

    @contextmanager
    def _as_the_sdk_wants_it(self) -> Iterator[None]:
        with _sdk:
            before = resend.api_key, resend.api_url, resend.default_http_client
            resend.api_key, resend.api_url, resend.default_http_client = self._api_key, self._base_url, self._client
            try:
                yield
            finally:
                resend.api_key, resend.api_url, resend.default_http_client = before


class _PooledClient(resend.HTTPClient):
    """Keeps connections open between calls; the SDK's own client opens one per call and waits 30 s to connect."""

    def __init__(self, timeout: tuple[float, float]) -> None:
        self.body: bytes | None = None
        """What is sent in place of the SDK's own encoding: the bytes that the ledger keeps."""
        self.headers: Mapping[str, str] = {}
        """Those of the last answer."""
        self._timeout = timeout
        self._session = requests.Session()
        # requests, 2026-11: a line for the host in ~/.netrc replaces the Bearer header, proxies come from the
        # environment. Neither may happen to an API key.
        self._session.trust_env = False

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        json: dict[str, object] | list[object] | None = None,
        files: dict[str, Any] | None = None,
        data: dict[str, str] | None = None,
    ) -> tuple[bytes, int, Mapping[str, str]]:
        self.headers = {}
        frozen = self.body is not None
        with self._session.request(
            method,
            url,
            headers={**headers, "Content-Type": "application/json"} if frozen else headers,
            # Resend SDK 2.52, 2026-11: a GET has the body `{}`, which some proxies refuse.
            json=None if frozen or method == "get" else json,
            files=files,
            data=self.body if frozen else data,
            timeout=self._timeout,
            allow_redirects=False,
            stream=True,
        ) as response:
            self.headers = response.headers
            return self._read(response), response.status_code, response.headers

    def _read(self, response: requests.Response) -> bytes:
        # requests, 2026-11: its timeout is for each part of an answer, of which there may be any number: a call would
        # outlast its lease. (Headers that come in parts are not cut short.)
        left = self._timeout[1] - response.elapsed.total_seconds()
        end = threading.Timer(left, _hang_up, [response])
        end.start()
        try:
            return response.content
        finally:
            end.cancel()

    def close(self) -> None:
        self._session.close()


def _hang_up(response: requests.Response) -> None:
    # It may be read to its end at this very moment.
    with suppress(ValueError, RuntimeError, OSError):
        response.raw.shutdown()
