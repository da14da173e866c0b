"""The changes of state of batches and sends: each is one that the model draws, or an error of ours."""

from sqlalchemy import Update, update

from skene_dagster.delivery.model import BATCH_BECOMES, SEND_BECOMES, BatchState, SendState
from skene_dagster.store.tables import batches, sends


def batch_becomes(batch_id: str, state: BatchState, *, from_: tuple[BatchState, ...]) -> Update:
    """Bring a batch into a state, if it is in one of some: a statement, for more conditions and values."""
    assert all(state in BATCH_BECOMES[before] for before in from_), (from_, state)
    mine = (batches.c.batch_id == batch_id, batches.c.state.in_(from_))
    return update(batches).where(*mine).values(state=state)


def sends_become(batch_id: str, state: SendState, *, from_: tuple[SendState, ...] = ("reserved",)) -> Update:
    """Bring those sends of a batch into a state that are in one of some: a statement, as `batch_becomes`."""
    assert all(state in SEND_BECOMES[before] for before in from_), (from_, state)
    return update(sends).where(sends.c.batch_id == batch_id, sends.c.state.in_(from_)).values(state=state)
