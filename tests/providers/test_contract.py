"""The contract, kept by every provider that is registered, opened as the environment has it; and by the outbox."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from contract import NOON, KeyContract, ProviderContract, Received, message, read, sent
from resend_server import resend_server
from servers import free_port
from smtp_server import PASSWORD, mail_server
from test_resend_contract import received as of_resend

from skene_dagster.delivery.providers import registry
from skene_dagster.delivery.providers.base import Accepted, Provider, Terms, at_once
from skene_dagster.settings import Settings, load

OUTBOX = "outbox"
TERMS: Mapping[str, Terms] = {
    **{name: entry.terms for name, entry in registry.REGISTERED.items()},
    OUTBOX: registry.OUTBOX,
}
SETTINGS = "sender: {from: Orbit <hello@example.com>}\n"


@dataclass(frozen=True)
class Other:
    """The other side of a provider: the variables by which it is found, and what reached it."""

    variables: Mapping[str, str]
    received: Callable[[], list[Received]]
    nowhere: Mapping[str, str]
    """Variables that lead to where nobody listens."""
    secrets: tuple[str, ...]


def resend_side(stack: ExitStack) -> Other:
    server, key = stack.enter_context(resend_server()), {"RESEND_API_KEY": "re_secret"}
    return Other(
        key | {"RESEND_API_URL": server.url},
        lambda: [of_resend(email) for email in server.emails],
        key | {"RESEND_API_URL": f"http://127.0.0.1:{free_port()}"},
        ("re_secret",),
    )


def smtp_side(stack: ExitStack) -> Other:
    server, us = stack.enter_context(mail_server(login=True)), "us%40example.com:p%40ss%3Aw%2Frd%25"
    return Other(
        {"SKENE_SMTP_URL": f"smtp://{us}@127.0.0.1:{server.port}"},
        lambda: [read(taken.content) for taken in server.emails],
        {"SKENE_SMTP_URL": f"smtp://{us}@127.0.0.1:{free_port()}"},
        (PASSWORD, "us@example.com"),
    )


SIDES: Mapping[str, Callable[[ExitStack], Other]] = {"resend": resend_side, "smtp": smtp_side}
"""A provider that is registered needs its other side here."""


@dataclass(frozen=True)
class ContractWorld:
    provider: Provider
    received: Callable[[], list[Received]]


def settings(root: Path, variables: Mapping[str, str]) -> Settings:
    (root / "skene.yaml").write_text(SETTINGS, encoding="utf-8")
    return load(root, variables)


def opened(name: str, root: Path) -> Iterator[ContractWorld]:
    with ExitStack() as stack:
        if name == OUTBOX:
            given = settings(root, {})
            files = given.outbox.glob
            yield ContractWorld(
                registry.open_outbox(given, lambda: NOON),
                lambda: [read(file.read_bytes()) for file in sorted(files("*.eml"))],
            )
            return
        side = SIDES[name](stack)
        provider = registry.named(name).open(settings(root, side.variables), lambda: NOON)
        stack.callback(provider.close)
        yield ContractWorld(provider, side.received)


class TestEveryProvider(ProviderContract):
    @pytest.fixture(params=list(TERMS))
    def world(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ContractWorld]:
        yield from opened(request.param, tmp_path)


class TestEveryProviderWhoseKeysLive(KeyContract):
    @pytest.fixture(params=[name for name, terms in TERMS.items() if terms.key_lives])
    def world(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ContractWorld]:
        yield from opened(request.param, tmp_path)


@pytest.fixture(params=list(registry.REGISTERED))
def name(request: pytest.FixtureRequest) -> str:
    registered: str = request.param
    return registered


@pytest.fixture
def side(name: str) -> Iterator[Other]:
    with ExitStack() as stack:
        yield SIDES[name](stack)


def test_it_is_asked_how_it_does_and_nothing_is_sent(name: str, side: Other, tmp_path: Path) -> None:
    told = list(registry.named(name).diagnose(settings(tmp_path, side.variables)))

    assert [one.label for one in told] == ["ok"]
    assert side.received() == []


def test_where_nobody_listens_it_raises_nothing_and_accepts_nothing(name: str, side: Other, tmp_path: Path) -> None:
    nowhere = settings(tmp_path, side.nowhere)
    provider = registry.named(name).open(nowhere, lambda: NOON)

    answer = sent(ContractWorld(provider, side.received), message(1))
    told = list(registry.named(name).diagnose(nowhere))

    provider.close()
    assert not isinstance(answer, Accepted)
    assert [one.label for one in told] == ["error"]
    said = f"{answer} {told}"
    assert not any(secret in said for secret in side.secrets)


LISTED = [name for name, entry in registry.REGISTERED.items() if entry.suppression_list is not None]


@pytest.mark.parametrize("name", LISTED)
def test_a_list_of_suppressions_takes_an_address_once_and_forgets_it_for_good(
    name: str, side: Other, tmp_path: Path
) -> None:
    provider = registry.named(name).open(settings(tmp_path, side.variables), lambda: NOON)
    opened = registry.named(name).suppression_list
    assert opened is not None
    listed = opened(provider, at_once)

    for _ in range(2):
        assert listed.add(["ada@example.com", "bob@example.com"])
    page = listed.page(None)
    found = listed.entry("Ada@Example.com")
    assert found is not None
    for _ in range(2):
        listed.remove(found.entry_id)

    assert (found.address, found.origin) == ("ada@example.com", "manual")
    assert sorted(one.address for one in page.entries) == ["ada@example.com", "bob@example.com"]
    assert found in page.entries
    assert (page.unread, page.last) == (0, None)
    assert listed.entry("ada@example.com") is None
    provider.close()


def test_its_account_is_the_same_each_time_and_gives_no_secret_away(name: str, side: Other, tmp_path: Path) -> None:
    given = settings(tmp_path, side.variables)

    accounts = {registry.named(name).open(given, lambda: NOON).account for _ in range(2)}

    [account] = accounts
    assert account is not None
    assert len(account) <= 64
    assert not any(secret in account for secret in side.secrets)
