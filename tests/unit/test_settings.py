"""What skene.yaml and the variables may say: up to each limit, and not one step beyond it."""

from datetime import date
from pathlib import Path

import pytest

from skene_dagster.errors import DocumentError, SettingsError
from skene_dagster.settings import Settings, load

FEATURE = "features: {exports: {title: Exports, events: [Exported], "
MILESTONE = "milestones: {first: {title: First, "


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path


def read(root: Path, said: str = "", **variables: str) -> Settings:
    (root / "skene.yaml").write_text(said, encoding="utf-8")
    return load(root, variables)


# Each text has an N: with the first value it is read, with the second it is refused.
@pytest.mark.parametrize(
    ("said", "right", "wrong"),
    [
        pytest.param("sender: {rate_share: N}", "1", "1.01", id="more than all of the rate"),
        pytest.param("sender: {rate_share: N}", "0.01", "0", id="nothing of the rate"),
        pytest.param("limits: {collapse: N}", "1", "1.01", id="a collapse of more than all"),
        pytest.param("limits: {collapse: N}", "0.01", "0", id="a collapse of nobody"),
        pytest.param("limits: {explosion: N}", "0.01", "0", id="an explosion of nobody"),
        pytest.param("limits: {least_change: N}", "0", "-1", id="a change of less than nobody"),
        pytest.param("limits: {first_wave: N}", "0", "-1", id="a wave of less than nobody"),
        pytest.param("retention: {history: N}", "30d", "29d", id="a history of less than 30 days"),
        pytest.param("retention: {events: N}", "30d", "29d", id="events of less than 30 days"),
        pytest.param("retention: {payloads: N}", "30d", "29d", id="payloads of less than 30 days"),
        pytest.param(
            "limits: {expires_after: N}\nretention: {payloads: 30d}", "15d", "16d", id="payloads of less than two waits"
        ),
        pytest.param(
            "events: {table: N, key: event_id, at: occurred_at, arrived: received_at}\nretention: {events: 30d}",
            "skene_events",
            "clicks",
            id="the product's events deleted",
        ),
        pytest.param(f"{FEATURE} adopted_uses: N}}}}", "1", "0", id="adopted without a use"),
        pytest.param(f"{FEATURE} adopted_days: N}}}}", "1", "0", id="adopted on no day"),
        pytest.param(f"{FEATURE} lapsed_after: N}}}}", "24h", "23h", id="lapsed within a day"),
        pytest.param(f"{FEATURE} sql: 'N'}}}}", " ", "a = 1", id="events and SQL"),
        pytest.param("features: {exports: {title: Exports, N}}", "events: [a]", "events: []", id="no use at all"),
        pytest.param("features: {exports: {title: N, events: [a]}}", "a" * 128, "a" * 129, id="a long title"),
        pytest.param("features: {exports: {title: 'N', events: [a]}}", "a", "", id="no title"),
        pytest.param("features: {N: {title: a, events: [a]}}", "a" * 48, "a" * 49, id="a long name"),
        pytest.param("features: {N: {title: a, events: [a]}}", "a_2", "a__2", id="a name with two lines"),
        pytest.param("levels: {slipping: N}", "1d", "23h", id="slipping within a day"),
        pytest.param("levels: {slipping: N, dormant: 30d}", "29d", "30d", id="slipping as late as dormant"),
        pytest.param("levels: {window: N}", "14d", "15h", id="a window of hours"),
        pytest.param("levels: {window: N, power: 1}", "1d", "36h", id="a window of a day and a half"),
        pytest.param("levels: {window: 7d, power: N}", "7", "8", id="more days than the window has"),
        pytest.param("levels: {power: N}", "1", "0", id="power without a day"),
        pytest.param(f"{MILESTONE} event: a, count: N}}}}", "1", "0", id="the first event but one"),
        pytest.param(f"{MILESTONE} streak: N}}}}", "2", "1", id="a streak of a day"),
        pytest.param(f"{MILESTONE} streak: 7, count: N}}}}", "1", "2", id="several streaks"),
        pytest.param(f"{MILESTONE} N}}}}", "anniversary: 365d", "anniversary: 365d, streak: 2", id="two milestones"),
        pytest.param(f"{MILESTONE} N}}}}", "feature: exports", "count: 1", id="no milestone"),
        pytest.param(f"{MILESTONE} event: a, since: N}}}}", "2026-03-01", "2026-13-01", id="no date"),
        pytest.param(f"{MILESTONE} event: a, since: N}}}}", "2026-03-01", "7", id="a number for a date"),
        pytest.param("tidb_usage: {N}", "db_users: {a: ada@example.com}", "slow_log: true", id="nobody's use"),
        pytest.param("tidb_usage: {db_users: {a: N}}", "ada@example.com", "ada", id="no address"),
        pytest.param("tidb_usage: {resource_groups: {a: N}}", "ada@example.com", "a@b@example.com", id="two @"),
        pytest.param("users: {table: N}", "a" * 64, "a" * 65, id="a long table"),
        pytest.param("users: {table: N}", "shop.users", "a.b.c", id="a table of three names"),
        pytest.param("users: {table: N}", "my.users", "MySQL.user", id="the server's own table"),
        pytest.param("users: {key: N}", "_id$", "1d", id="a column that begins with a digit"),
        pytest.param("loops: 'N'", "loops/ours", "", id="no folder"),
        pytest.param("loops: 'N'", "a" * 1000, "a" * 1001, id="a long folder"),
        pytest.param('loops: "N"', "a b", "a\\tb", id="a folder with a tab"),
        pytest.param("features: {a: {title: a, events: [a], link: 'N'}}", "https://example.com", "/a", id="no link"),
        pytest.param(
            "sender: {unsubscribe_url: 'N'}", "https://example.com/{{user.id}}", "mailto:a@example.com", id="no https"
        ),
    ],
)
def test_a_setting_is_read_up_to_its_limit_and_refused_beyond_it(root: Path, said: str, right: str, wrong: str) -> None:
    read(root, said.replace("N", right))

    with pytest.raises(DocumentError, match=r"^skene\.yaml:"):
        read(root, said.replace("N", wrong))


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        pytest.param("SKENE_ENV", "test", "testing", id="another environment"),
        pytest.param("SKENE_DATABASE_URL", "sqlite:////a/b c.db", " sqlite:////a.db", id="a blank before a URL"),
        pytest.param("SKENE_DATABASE_URL", "sqlite:////a.db", "sqlite:////a\n.db", id="a line break in a URL"),
        pytest.param("SKENE_WRITE_KEY", "k~1", "ké", id="another letter in a key"),
        pytest.param("SKENE_REDIRECT_TO", "me@example.com", "Me <me@example.com>", id="a name with an address"),
        pytest.param("SKENE_REDIRECT_TO", f"{'a' * 64}@example.com", f"{'a' * 65}@example.com", id="a long address"),
    ],
)
def test_a_variable_is_read_or_refused_by_its_name(root: Path, name: str, right: str, wrong: str) -> None:
    read(root, **{name: right})

    with pytest.raises(SettingsError, match=name):
        read(root, **{name: wrong})


def test_a_variable_that_is_empty_is_not_set(root: Path) -> None:
    names = ("SKENE_ENV", "SKENE_DATABASE_URL", "RESEND_API_KEY", "SKENE_REDIRECT_TO", "RESEND_API_URL")

    settings = read(root, **dict.fromkeys((*names, "SKENE_WRITE_KEY"), ""))

    assert settings == read(root)
    assert settings.environment == "development"
    assert settings.database_url == f"sqlite:///{root}/.skene/skene.db"
    assert (settings.environ, settings.redirect_to, settings.write_key) == ({}, None, None)


@pytest.mark.parametrize(
    ("url", "schema"),
    [
        ("sqlite:////a.db", "main"),
        ("mysql://root@127.0.0.1:4000/app", "app"),
        ("mysql://root@127.0.0.1:4000/my%20app", "my app"),
        ("mysql://root@127.0.0.1:4000", ""),
        ("mysql://root@[127.0.0.1/app", ""),
    ],
)
def test_the_database_is_named_by_its_url(root: Path, url: str, schema: str) -> None:
    assert read(root, SKENE_DATABASE_URL=url).schema == schema


def test_a_day_is_read_as_one(root: Path) -> None:
    assert read(root, f"{MILESTONE} event: a, since: 2026-03-01}}}}").milestones["first"].since == date(2026, 3, 1)


# What docs/loop-format.md and the JSON schema say of each, where nothing is written.
def test_what_is_left_out_has_its_default(root: Path) -> None:
    settings = read(root, f"{FEATURE}}}}}\n{MILESTONE} event: a}}}}")
    feature, levels, limits = settings.features["exports"], settings.levels, settings.limits

    assert (limits.collapse, limits.explosion, limits.least_change, limits.first_wave) == (0.5, 3.0, 500, 1000)
    assert (limits.expires_after.days, settings.sender.rate_share) == (3, 0.8)
    assert (feature.adopted_uses, feature.adopted_days, feature.lapsed_after.days) == (3, 2, 30)
    assert (levels.new.days, levels.window.days, levels.power) == (14, 28, 12)
    assert (levels.slipping.days, levels.dormant.days, levels.resurrected.days) == (14, 30, 14)
    assert settings.milestones["first"].count == 1
    assert settings.events.late.days == 3


WARM_UP = "{from: 2026-12-01, first_day: 150%s}"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param(f"sender:\n  warm_up: {WARM_UP % ', factor: 2'}\n", 2, id="the sender's"),
        pytest.param(f"sender:\n  warm_up: {WARM_UP % ''}\n", 2, id="by default"),
        pytest.param(f"senders:\n  tips:\n    from: t@tips.example\n    warm_up: {WARM_UP % ''}\n", 4, id="another's"),
    ],
)
def test_a_warm_up_that_a_gate_would_hold_each_day_is_refused(tmp_path: Path, text: str, line: int) -> None:
    (tmp_path / "skene.yaml").write_text(f"{text}limits: {{volume: 1.6x}}\n", encoding="utf-8")

    with pytest.raises(SettingsError, match="it would hold it each day") as raised:
        load(tmp_path, {})

    assert raised.value.place is not None
    assert raised.value.place.line == line


def test_a_warm_up_that_grows_less_than_a_gate_allows_is_well(tmp_path: Path) -> None:
    text = f"sender:\n  warm_up: {WARM_UP % ''}\nlimits: {{volume: 2x}}\n"
    (tmp_path / "skene.yaml").write_text(text, encoding="utf-8")

    assert load(tmp_path, {}).limits.volume == 2


@pytest.mark.parametrize(
    ("caps", "line", "said"),
    [
        ("{count: 3, within: 7d}\n  - {count: 2, within: 1w}", 3, "nobody gets more than 2 in 7d"),
        ("{count: 2, within: 7d}\n  - {count: 2, within: 7d}", 4, "nobody gets more than 2 in 7d"),
        ("{count: 2, within: 30d}\n  - {count: 5, within: 1d}", 4, "so nobody gets more than 5 in 1d"),
    ],
)
def test_a_cap_that_never_matters_is_refused(tmp_path: Path, caps: str, line: int, said: str) -> None:
    (tmp_path / "skene.yaml").write_text(f"limits:\n  caps:\n  - {caps}\n", encoding="utf-8")

    with pytest.raises(SettingsError, match="This cap never matters") as raised:
        load(tmp_path, {})

    assert said in str(raised.value)
    assert raised.value.place is not None
    assert raised.value.place.line == line


def test_caps_of_different_times_are_well(tmp_path: Path) -> None:
    text = "limits: {caps: [{count: 1, within: 1d}, {count: 3, within: 7d}]}\n"
    (tmp_path / "skene.yaml").write_text(text, encoding="utf-8")

    assert len(load(tmp_path, {}).limits.caps) == 2
