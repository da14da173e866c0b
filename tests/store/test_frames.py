"""The frames hold what the tables hold, with types that pandas can reckon with, and read nothing else."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pandas as pd
import pytest
from accounts_world import make_accounts
from delivery_world import START, World, make_world
from sqlalchemy import Engine, insert

from skene_dagster import frames
from skene_dagster.store.tables import OPEN, arms, engagement_levels, feature_adoption, outcomes

MOMENT = "datetime64[us, UTC]"


@pytest.fixture
def world(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("SKENE_DATABASE_URL", engine.url.render_as_string(hide_password=False))
    monkeypatch.chdir(tmp_path)
    return make_world(engine, tmp_path)


def ours(frame: object) -> pd.DataFrame:
    assert isinstance(frame, pd.DataFrame)
    return frame


def test_sends_are_the_decisions_with_their_types(world: World) -> None:
    world.add(1, 2)
    world.tick()

    found = ours(frames.sends("retention", mode="outbox"))

    assert found["user_id"].tolist() == [1, 2]
    assert found["state"].tolist() == ["accepted"] * 2
    assert str(found["user_id"].dtype) == "Int64"
    assert [str(found[name].dtype) for name in ("as_of", "decided_at", "accepted_at")] == [MOMENT] * 3
    assert found["as_of"].unique().tolist() == [pd.Timestamp(START, tz="UTC")]
    assert set(found["state"].cat.categories) >= {"accepted", "held_out", "skipped"}
    assert found["reason"].isna().all()


def test_without_a_row_there_are_the_same_columns_of_the_same_types(world: World) -> None:
    world.add(1)
    world.tick()

    some, none = ours(frames.sends(mode="outbox")), ours(frames.sends("nothing", mode="outbox"))

    assert len(none) == 0
    assert none.dtypes.to_dict() == some.dtypes.to_dict()


def test_a_filter_is_a_condition_of_the_statement(world: World) -> None:
    world.add(*range(1, 6))
    world.tick()
    world.days_pass(1)
    world.add(6)
    world.tick()

    later = ours(frames.sends("retention", "main", mode="outbox", since=START + timedelta(hours=1)))
    some = ours(
        frames.sends("retention", mode="outbox", users=[2, 3, 77], until="2026-03-03", columns=["user_id", "state"])
    )

    assert later["user_id"].tolist() == [6]
    assert list(some.columns) == ["user_id", "state"]
    assert some["user_id"].tolist() == [2, 3]
    assert set(ours(frames.sends(mode=None))["mode"]) == {"live", "redirect", "outbox", "elsewhere"}


def test_chunks_hold_so_many_rows_and_become_one_frame(world: World) -> None:
    world.add(*range(1, 8))
    world.tick()

    parts = frames.sends("retention", mode="outbox", chunk_size=3)

    assert isinstance(parts, Iterator)
    sizes, whole = [], []
    for part in parts:
        sizes.append(len(part))
        whole.append(part)
    assert sizes == [3, 3, 1]
    together = pd.concat(whole, ignore_index=True)
    pd.testing.assert_frame_equal(together, ours(frames.sends("retention", mode="outbox")))


def test_who_is_inside_has_no_exit(world: World) -> None:
    world.add(1, 2)
    world.tick()
    world.change(2, dormant=False)
    world.days_pass(1)
    world.tick()

    found = ours(frames.members("retention", "main")).sort_values("user_id", ignore_index=True)

    assert found[["loop", "step"]].to_numpy().tolist() == [["retention", "main"]] * 2
    assert found["exited_at"].isna().tolist() == [True, False]
    assert found["exit_reason"].tolist()[1] == "left"
    assert ours(frames.members("retention", "main", inside_at=world.now))["user_id"].tolist() == [1]
    assert sorted(ours(frames.members("retention", "main", inside_at=START + timedelta(hours=1)))["user_id"]) == [1, 2]


def test_of_a_loop_no_other_s_members_are_read_whose_name_begins_alike(world: World) -> None:
    world.add(1)
    world.tick()

    assert len(ours(frames.members("retentio_"))) == 0
    assert set(ours(frames.members(step="main"))["loop"]) == {"retention", "neighbour"}


def test_receipts_levels_and_adoption_are_there_too(world: World) -> None:
    world.add(1)
    world.tick()
    at = {"entered_at": START, "changes_at": OPEN}
    feature = {"state": "adopted", "state_since": START, "first_at": START, "last_at": START, "uses": 3, "days": 2}
    with world.engine.begin() as connection:
        connection.execute(insert(engagement_levels).values(user_id=1, left_at=OPEN, level="power", **at))
        connection.execute(insert(feature_adoption).values(user_id=1, feature="export", **feature))

    receipts = ours(frames.receipts("retention", mode="outbox"))
    levels, adoption = ours(frames.levels(at=START + timedelta(days=1))), ours(frames.adoption("export"))

    assert receipts["accepted_at"].notna().all()
    assert receipts["bounced_at"].isna().all()
    assert levels["level"].tolist() == ["power"]
    assert levels["left_at"].isna().all()
    assert ours(frames.levels("dormant")).empty
    assert adoption.loc[0, ["uses", "days"]].tolist() == [3, 2]
    assert adoption["state"].cat.categories.tolist() == ["untried", "tried", "adopted", "lapsed"]


def test_outcomes_are_the_arms_with_what_their_users_reached(world: World) -> None:
    key = {"mode": "live", "loop": "retention", "draw": 1}
    drawn = {**key, "share": 0.1, "enrolled_at": START}
    asked = {**key, "goal": "returns:1", "window_ends_at": START + timedelta(days=14), "state": "final"}
    with world.engine.begin() as connection:
        connection.execute(
            insert(arms),
            [
                {"user_id": 1, "arm": "mailed", "variant": "warm", "level": "dormant", **drawn},
                {"user_id": 2, "arm": "held_out", "variant": None, "level": None, **drawn},
            ],
        )
        connection.execute(insert(outcomes).values(user_id=1, reached_at=START, value=2.5, **asked))

    found = ours(frames.outcomes("retention")).sort_values("user_id", ignore_index=True)

    assert found["arm"].tolist() == ["mailed", "held_out"]
    assert found["arm"].cat.categories.tolist() == ["mailed", "held_out"]
    assert found["goal"].isna().tolist() == [False, True]
    assert (found["share"].tolist(), found["value"].tolist()[0]) == ([0.1, 0.1], 2.5)
    assert [str(found[name].dtype) for name in ("draw", "share", "reached_at")] == ["Int64", "Float64", MOMENT]
    assert ours(frames.outcomes("retention", since=START + timedelta(days=1))).empty


def test_of_a_loop_about_accounts_outcomes_say_with_which_somebody_is_compared(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKENE_DATABASE_URL", engine.url.render_as_string(hide_password=False))
    monkeypatch.chdir(tmp_path)
    world = make_accounts(engine, tmp_path)
    world.replan(("type: retention\n", "type: retention\nholdout: 50%\n"), ("recipient: owner", "recipient: everybody"))
    world.workspace("w1", [1, 2])
    world.tick()

    found = ours(frames.outcomes("retention", mode="outbox")).sort_values("user_id", ignore_index=True)

    assert (found["user_id"].tolist(), found["account_id"].tolist()) == ([1, 2], ["w1", "w1"])
    assert [str(found[name].dtype) for name in ("user_id", "account_id")] == ["Int64", "string"]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: frames.sends(columns=["sate"]), "There is no column 'sate'. These are: mode, loop, step"),
        (lambda: frames.sends(chunk_size=0), "A chunk of 0 rows holds nothing."),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_read(world: World, call: object, said: str) -> None:
    del world
    assert callable(call)
    with pytest.raises(ValueError, match=said):
        call()


def test_a_moment_of_another_zone_is_that_moment(world: World) -> None:
    world.add(1)
    world.tick()
    berlin = timezone(timedelta(hours=1))

    assert len(ours(frames.sends("retention", mode="outbox", since=datetime(2026, 3, 2, 10, tzinfo=berlin)))) == 1
    assert len(ours(frames.sends("retention", mode="outbox", since=datetime(2026, 3, 2, 10)))) == 0
