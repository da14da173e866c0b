"""What our tables have to say between the rounds of a history, and at its end."""

from typing import Any

from oracle import Whose
from sqlalchemy import Row
from world import World


def judge_tables(world: World, *, is_over: bool) -> None:
    """What was accepted stands with us; at the end nothing is open, and each member has a decision."""
    sends = world.eyes.sends()
    _judge_accepted(world, sends, is_over=is_over)
    _judge_receipts(world, sends)
    _judge_entries(world)
    _judge_pauses(world)
    if not world.oracle.is_restored:
        world.sharing.judge_waiting(world.scheduler.now, world.oracle.violated)
        gone = {user for user, person in world.oracle.people.items() if person.is_gone}
        world.comparing.judge_tables(sends.values(), gone, world.oracle.violated)
    if is_over:
        _judge_the_end(world, sends)


def _judge_accepted(world: World, sends: dict[str, Row[Any]], *, is_over: bool) -> None:
    oracle = world.oracle
    if oracle.is_restored:
        return
    takes_risks = any(loop.on_doubt == "resend" for loop in oracle.loops.values())
    deferred = world.eyes.deferred() if takes_risks else set()
    for identity, key, provider_id in oracle.accepted:
        row, whose = sends.get(identity), oracle.whose(identity)
        assert whose is not None
        if oracle.people[whose.user].is_gone:
            continue
        takes_risks = whose.loop.on_doubt == "resend"
        if takes_risks and (identity in deferred if row is None else key.rpartition("/")[2] != row.batch_id):
            # Its author took the risk: it goes its way anew, and may be deferred on it.
            continue
        is_open = row is not None and row.state == "reserved" and row.unresolved_since is not None
        if row is None or not (row.state in ("accepted", "in_doubt") or (is_open and not is_over)):
            said = None if row is None else (row.state, row.reason, row.batch_state)
            oracle.violated("accepted, and the ledger says otherwise", f"user {whose.user}: {said}")
        elif row.state == "accepted" and row.provider_id != provider_id and not takes_risks:
            oracle.violated("another id than the provider's", f"{row.provider_id}, not {provider_id}")


def _judge_receipts(world: World, sends: dict[str, Row[Any]]) -> None:
    """What stands with us as accepted has a receipt, from the moment on at which it does; nothing else has one."""
    people = world.oracle.people
    # Of who is erased only the number stays.
    gone = {one for one, row in sends.items() if row.user_id not in people or people[row.user_id].is_gone}
    accepted = {one: row.provider_id for one, row in sends.items() if row.state == "accepted" and one not in gone}
    receipts = {one: identity for one, identity in world.eyes.receipts().items() if one not in gone}
    if receipts != accepted:
        differs = sorted(one for one in {*receipts, *accepted} if receipts.get(one, "") != accepted.get(one, ""))
        world.oracle.violated("the receipts are of other emails than the accepted ones", str(differs[0]))
    number = sum(row.state == "accepted" for row in sends.values())
    if (counted := world.eyes.counted_as_accepted()) != number:
        world.oracle.violated("another number of emails is counted as accepted", f"{counted}, not {number}")


def _judge_entries(world: World) -> None:
    """With `every_entry` nobody gets more emails than the segment's history has entries of theirs."""
    oracle = world.oracle
    for loop in oracle.loops.values():
        about_users = loop.recipient is None
        if oracle.is_restored or not about_users or (loop.on_doubt, loop.repeat) != ("skip", "every_entry"):
            continue
        entries = world.eyes.entries(loop.scope)
        for user, person in oracle.people.items():
            if not person.is_gone and (times := oracle.times(Whose(loop, user))) > entries.get(user, 0):
                oracle.violated("mailed twice for one entry", f"user {user}: {times} of {entries.get(user)}")


def _judge_pauses(world: World) -> None:
    """Nothing is paused that nobody has paused, and that nothing came back of."""
    oracle = world.oracle
    for loop in world.eyes.paused_since():
        if loop not in oracle.paused_since and not oracle.complaints and not oracle.is_restored:
            oracle.violated("paused for no reason", loop)


def _judge_the_end(world: World, sends: dict[str, Row[Any]]) -> None:
    oracle, people = world.oracle, world.eyes.users()
    accepted = {identity for identity, _, _ in oracle.accepted}
    for row in sends.values():
        if row.state == "reserved":
            oracle.violated("decided, and forgotten", f"user {row.user_id}: its batch is {row.batch_state}")
        if row.user_id not in people:
            continue
        if row.state == "accepted" and row.send_id not in accepted:
            oracle.violated("the ledger says accepted, the provider does not", f"user {row.user_id}")
        about_users = row.loop in oracle.loops and oracle.loops[row.loop].recipient is None
        if row.state == "accepted" and about_users and not people[row.user_id].reminded:
            oracle.violated("`set` was not written", f"user {row.user_id}")
        if row.state == "refused" and not oracle.people[row.user_id].addresses & world.provider.bad:
            oracle.violated("refused, but their address is good", f"user {row.user_id}")
    for loop in oracle.loops.values():
        for user in world.eyes.outside(loop.scope):
            oracle.violated("whom the condition selects is not inside", f"user {user}, {loop.scope.loop}")
        for user in world.eyes.undecided(loop.scope):
            oracle.violated("a member without a decision", f"user {user}, {loop.scope.loop}")
