"""skene-dagster suppressions export --to."""

from skene_dagster.cli.database import open_ledger, open_session
from skene_dagster.cli.screen import Screen, confirmed, open_screen
from skene_dagster.delivery import modes
from skene_dagster.delivery.providers import registry
from skene_dagster.errors import ProviderFatal
from skene_dagster.feedback.provider_list.lists import reachable
from skene_dagster.feedback.provider_list.push import Cost, cost, push
from skene_dagster.settings import Settings
from skene_dagster.wording import how_many

WITH_A_LIST = [name for name, entry in registry.REGISTERED.items() if entry.suppression_list is not None]
"""Providers that have one."""


def push_to(settings: Settings, provider: str, *, yes: bool) -> None:
    """Put what stops all email on a provider's list, once a person knows what that costs.

    Raises:
        ProviderFatal: its list cannot be reached from here, or not be changed.
        ProviderUnavailable: it was not done to its end.
        click.UsageError: nobody is there to agree.
    """
    there = reachable(settings)
    if provider not in there.names:
        why = there.why_none or f"{registry.named(provider).needs} is not set"
        raise ProviderFatal(
            f"The list of {provider} is not changed: {why}.", advice="Run it where emails go to people."
        )
    screen = open_screen()
    with (
        open_ledger(settings) as (engine, clock),
        open_session(settings, modes.choose(settings), engine, clock) as session,
    ):
        name, costs = session.outlet(provider).provider.name, cost(session, provider)
        _tell(screen, name, costs)
        if not costs.addresses:
            screen.labelled("ok", "There is nothing to put on it.")
            return
        if not yes:
            confirmed(f"Put {how_many(costs.addresses, 'address', 'addresses')} on the list of {name}?")
        with screen.doing(f"Calling {name}") as say:
            done = push(session, provider, lambda addresses: say(f"{addresses:,} addresses are on it"))
    screen.labelled("ok", f"{how_many(done.addresses, 'address is', 'addresses are')} on the list of {name}.")
    if done.refused:
        screen.labelled("notice", f"{how_many(done.refused, 'more was', 'more were')} refused as no address.")


def _tell(screen: Screen, name: str, costs: Cost) -> None:
    screen.paragraph(
        f"The list of {name} holds for the whole team of the key. Nothing reaches an address on it any more, not even "
        "your product's password resets, until somebody takes it off there."
    )
    screen.line()
    screen.facts(
        {
            "Addresses": f"{costs.addresses:,}, which nothing could reach then",
            "Calls": f"{costs.calls:,}, in about {_in_words(costs.seconds)}",
        }
    )
    if costs.erased:
        screen.labelled(
            "notice",
            f"{how_many(costs.erased, 'more has', 'more have')} no address any more, only its hash, and cannot be put "
            "there.",
        )
    if costs.ending:
        screen.labelled("ok", f"{how_many(costs.ending, 'more ends by itself', 'more end by themselves')}: left out.")
    screen.line()


def _in_words(seconds: float) -> str:
    if seconds < 90:
        return how_many(max(1, round(seconds)), "second")
    return how_many(round(seconds / 60), "minute")
