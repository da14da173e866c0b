"""A loop about accounts is planned, or refused at the line of what is wrong."""

from datetime import timedelta
from pathlib import Path

import pytest

from skene_dagster import settings as settings_module
from skene_dagster.errors import DocumentError
from skene_dagster.loops.files.loaders import load_file
from skene_dagster.loops.plan import Block, LoopPlan, Query
from skene_dagster.loops.planning.loop import plan_loop
from skene_dagster.loops.triggers import After, Rows

SETTINGS = """\
accounts: {table: workspaces, key: id, user_column: workspace_id, owner: owner_id}
sender:
  from: Little Product <hello@example.com>
  postal_address: 1 Example Street, Example Town
  unsubscribe_url: https://example.com/unsubscribe/{{user.id}}
"""

YAML = """\
type: retention
per: account
recipient: owner
steps:
  - trigger: {type: schedule, cron: 0 9 * * *}
    condition: {type: query, query: SELECT id FROM workspaces WHERE dormant = 1}
    action:
      type: email
      template: hello
      personalization: {name: "{{user.name}} of {{account.title}}"}
"""

DAILY = "{type: schedule, cron: 0 9 * * *}"
QUERY = "{type: query, query: SELECT id FROM workspaces WHERE dormant = 1}"

TYPESCRIPT = """\
export default defineLoop({
  type: "retention",
  per: "account",
  recipient: "owner",
  steps: [{
    trigger: { type: "schedule", cron: "0 9 * * *" },
    condition: { type: "query", query: "SELECT id FROM workspaces WHERE dormant = 1" },
    action: { type: "email", template: "hello", personalization: { name: "{{user.name}} of {{account.title}}" } },
  }],
})
"""

PYTHON = """\
from skene_dagster import define_loop

loop = define_loop(
    type="retention",
    per="account",
    recipient="owner",
    steps=[
        {
            "trigger": {"type": "schedule", "cron": "0 9 * * *"},
            "condition": {"type": "query", "query": "SELECT id FROM workspaces WHERE dormant = 1"},
            "action": {
                "type": "email",
                "template": "hello",
                "personalization": {"name": "{{user.name}} of {{account.title}}"},
            },
        }
    ],
)
"""


def planned(root: Path, text: str, settings: str = SETTINGS, name: str = "loop.yaml") -> LoopPlan:
    (root / "skene.yaml").write_text(settings, encoding="utf-8")
    (root / name).write_text(text, encoding="utf-8")
    loaded = load_file(root / name, root)
    assert loaded.error is None, loaded.error
    assert loaded.loop is not None
    assert loaded.document is not None
    return plan_loop(loaded.loop, loaded.document, settings_module.load(root, {}))


def test_a_loop_about_accounts_is_the_same_in_all_three_languages(tmp_path: Path) -> None:
    files = {"loop.yaml": YAML, "loop.ts": TYPESCRIPT, "loop.py": PYTHON}

    plans = [planned(tmp_path, text, name=name) for name, text in files.items()]

    assert plans[0] == plans[1] == plans[2]


def test_its_condition_selects_the_key_of_the_accounts_table(tmp_path: Path) -> None:
    step = planned(tmp_path, YAML).steps[0]

    assert step.recipient == "owner"
    assert isinstance(step.condition, Query)
    assert (step.condition.key, step.condition.own_key, step.condition.plain) == ("id", True, True)
    assert step.email is not None
    assert (step.email.user_columns, step.email.account_columns) == (("id", "name"), ("title",))


def test_from_another_table_its_condition_selects_the_column_account_id(tmp_path: Path) -> None:
    text = YAML.replace("SELECT id FROM workspaces WHERE", "SELECT account_id FROM subscriptions WHERE")

    condition = planned(tmp_path, text).steps[0].condition

    assert isinstance(condition, Query)
    assert (condition.key, condition.own_key) == ("account_id", False)


def test_set_names_columns_of_the_accounts_table(tmp_path: Path) -> None:
    step = planned(tmp_path, YAML + "      set: {dormant: false, email: none}\n").steps[0]

    assert step.email is not None
    assert step.email.set == (("dormant", False), ("email", "none"))
    assert step.sets_what_it_reads


def test_a_step_may_follow_another_one(tmp_path: Path) -> None:
    first, rest = YAML.split("  - trigger:", maxsplit=1)
    again = rest.replace("{type: schedule, cron: 0 9 * * *}", "{type: after, step: first, wait: 5d}")

    steps = planned(tmp_path, f"{first}  - name: first\n    trigger:{rest}  - name: second\n    trigger:{again}").steps

    assert [step.recipient for step in steps] == ["owner", "owner"]
    assert steps[1].trigger == After("first", timedelta(days=5))


@pytest.mark.parametrize(
    ("trigger", "named", "of_accounts"),
    [
        pytest.param("table: orders", "user_id", False, id="a row of a user"),
        pytest.param("table: orders, user: buyer_id", "buyer_id", False, id="a row that names its user"),
        pytest.param("table: orders, account: workspace_id", "workspace_id", True, id="a row that names its account"),
        pytest.param("table: users", "id", False, id="a user"),
        pytest.param("table: workspaces", "id", True, id="an account"),
        pytest.param("table: workspaces, user: owner_id", "owner_id", False, id="an account that names a user"),
    ],
)
def test_a_row_is_of_the_account_that_it_names_or_of_its_user_s(
    tmp_path: Path, trigger: str, named: str, of_accounts: bool
) -> None:
    step = planned(tmp_path, YAML.replace(DAILY, f"{{type: database, event: insert, {trigger}}}")).steps[0]

    assert isinstance(step.trigger, Rows)
    assert (step.trigger.user, step.trigger.of_accounts) == (named, of_accounts)


def test_a_loop_that_says_nothing_is_about_users(tmp_path: Path) -> None:
    text = YAML.replace("per: account\nrecipient: owner\n", "").replace("workspaces", "users")
    text = text.replace(" of {{account.title}}", "")

    assert planned(tmp_path, text).steps[0].recipient is None


WITHOUT_OWNER = SETTINGS.replace(", owner: owner_id", "")
WITHOUT_ACCOUNTS = SETTINGS.split("\n", 1)[1]
OF_USERS = YAML.replace("per: account\n", "").replace("workspaces", "users")

REFUSED = [
    pytest.param(
        YAML,
        WITHOUT_ACCOUNTS,
        "loop.yaml:2  per\n  skene.yaml does not say where the accounts are. Add `accounts:` there",
        id="no accounts",
    ),
    pytest.param(
        YAML,
        WITHOUT_OWNER,
        "loop.yaml:3  recipient\n  skene.yaml does not say who owns an account.",
        id="no owner",
    ),
    pytest.param(
        YAML.replace("recipient: owner\n", ""),
        SETTINGS,
        "loop.yaml:2  per\n  The loop does not say who of an account is mailed. Add `recipient: owner`",
        id="no recipient",
    ),
    pytest.param(
        OF_USERS.replace(" of {{account.title}}", ""),
        SETTINGS,
        "loop.yaml:2  recipient\n  'recipient' says who of an account is mailed; this loop is about users.",
        id="a recipient of users",
    ),
    pytest.param(
        OF_USERS.replace("recipient: owner\n", ""),
        SETTINGS,
        "The loop is about users, and its emails about no account.",
        id="an account's column in an email about users",
    ),
    pytest.param(
        YAML.replace("SELECT id FROM workspaces", "SELECT title FROM workspaces"),
        SETTINGS,
        "The query returns no column that names the account; it returns: title. Select the accounts table's key, for "
        "example: SELECT id FROM workspaces …",
        id="a query that names no account",
    ),
    pytest.param(
        YAML.replace(DAILY, "{type: database, table: workspaces, event: update}"),
        SETTINGS,
        "loop.yaml:5  step 1, trigger.event\n  An action's `set` is an update of the accounts table too, and must not "
        "trigger this step. Add `updated_at: <the column>` under `accounts:` in skene.yaml",
        id="a change of an account that is ours",
    ),
    pytest.param(
        YAML.replace(DAILY, "{type: database, table: orders, event: insert, user: buyer_id, account: workspace_id}"),
        SETTINGS,
        "user\n  The account of a row is that of its user, or the row names it. Leave out `user`, or `account`.",
        id="a row of both",
    ),
    pytest.param(
        YAML.replace(DAILY, "{type: database, table: orders, event: insert, account: workspace_id}")
        .replace("per: account\nrecipient: owner\n", "")
        .replace("workspaces", "users")
        .replace(" of {{account.title}}", ""),
        SETTINGS,
        "trigger.account\n  'account' says whose a row is; this loop is about users.",
        id="a row of an account in a loop about users",
    ),
    pytest.param(
        YAML.replace(QUERY, "{type: usage, limit: {free: 10}, period: 7d}"),
        f"users: {{plan: plan}}\n{SETTINGS}",
        "condition.limit\n  It is unknown which plan an account is on. Add `plan: <the column>` under `accounts:`",
        id="usage where the accounts have no plan",
    ),
    pytest.param(
        YAML.replace(QUERY, "{type: feature, name: export, state: tried}").replace("account.title", "row.days"),
        f"{SETTINGS}features: {{export: {{title: Export, events: [exported]}}}}\n",
        "The condition has no column 'days'. Use one of: since, first_at, last_at, uses.",
        id="the days of an account",
    ),
    pytest.param(
        YAML + "      set: {id: 7}\n",
        SETTINGS,
        "step 1, action.set.id\n  'id' is the accounts' key, which is never written. Leave it out.",
        id="set of the key",
    ),
    pytest.param(
        YAML + "      set: {Owner_ID: 7}\n",
        SETTINGS,
        "step 1, action.set.Owner_ID\n  'Owner_ID' is the accounts' owner, which is never written. Leave it out.",
        id="set of the owner",
    ),
]


@pytest.mark.parametrize(("text", "settings", "said"), REFUSED)
def test_what_cannot_be_about_accounts_is_refused_where_it_stands(
    tmp_path: Path, text: str, settings: str, said: str
) -> None:
    with pytest.raises(DocumentError) as refused:
        planned(tmp_path, text, settings)

    assert said in str(refused.value)


def test_an_unknown_place_of_the_accounts_is_told_once(tmp_path: Path) -> None:
    with pytest.raises(DocumentError) as refused:
        planned(tmp_path, YAML, WITHOUT_ACCOUNTS)

    assert len(refused.value.errors) == 1


def test_a_loop_about_accounts_may_hold_some_of_them_out_and_block_their_users(tmp_path: Path) -> None:
    blocks = YAML.split("    action:", maxsplit=1)[0] + "    action: {type: block, message: Pay}\nholdout: 10%\n"

    plan = planned(tmp_path, blocks)

    assert plan.holdout == 0.1
    assert plan.steps[0].action == Block("Pay", None)
    assert plan.steps[0].per_account
