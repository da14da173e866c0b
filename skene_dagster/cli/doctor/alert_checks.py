"""What `doctor` checks of those who are told when a person should look. Nothing is sent to them."""

from collections.abc import Iterator

from skene_dagster.cli.validate.result import Checked
from skene_dagster.settings import FILE, AlertTarget, Settings

_WHAT = {"slack": "Alerts go to a Slack webhook", "json": "Alerts go to an address that takes JSON"}


def examine_alerts(settings: Settings) -> Iterator[Checked]:
    """Check that the addresses are set of those who are to be told; no output shows any of them."""
    heart = [settings.heartbeat] if settings.heartbeat is not None else []
    for target in [*settings.alerts, *heart]:
        yield _examined(target, settings)
    if not settings.alerts:
        yield Checked("ok", f"Nobody is told when a person should look; {FILE} has no `alerts`.")


def _examined(target: AlertTarget, settings: Settings) -> Checked:
    what = _WHAT.get(target.form, "The heartbeat is called")
    if target.address is not None:
        return Checked("ok", f"{what}: {target.variable} is set.")
    unset = f"{target.variable} is not set: nothing is sent to it from here."
    if settings.environment == "production":
        return Checked("notice", unset, "Set it where the code server runs.")
    return Checked("ok", unset)
