"""A folder of one template, and the step that sends it."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from skene_dagster.delivery.email.letterhead import Letterhead
from skene_dagster.delivery.email.message import Message
from skene_dagster.delivery.email.templates import Templates
from skene_dagster.documents import Document, Path_
from skene_dagster.loops.plan import AtLevel, Block, Email, LoopPlan, StepPlan
from skene_dagster.loops.times.retry_delays import RecoveryPlan
from skene_dagster.loops.triggers import Schedule
from skene_dagster.settings import Sender

SENDER = Sender.model_validate(
    {
        "from": "Orbit <hello@example.com>",
        "replyTo": "answers@example.com",
        "postalAddress": "12 Harbour Street, Bristol",
        "unsubscribeUrl": "https://example.com/unsubscribe/{{user.id}}",
    }
)
FOOTER = "{{ postal_address }} {{ unsubscribe_url }}"


def email(**changed: object) -> Email:
    plain = Email(
        provider="resend",
        template="hello",
        personalization=(("name", "{{user.name}}"), ("lastActivity", "{{user.last_activity_at}}")),
        user_columns=("id", "last_activity_at", "name"),
        row_columns=(),
        repeat="once",
        set=(),
        topic="product",
    )
    return replace(plain, **changed)  # type: ignore[arg-type]  # the fields of Email


def mjml(body: str = "{{ name }}", *, subject: str = "Hello", head: str = "", footer: str = FOOTER) -> str:
    return (
        f"<mjml><mj-head><mj-title>{subject}</mj-title>{head}</mj-head><mj-body><mj-section><mj-column>\n"
        f"<mj-text>{body}</mj-text>\n"
        f"<mj-text>{footer}</mj-text></mj-column></mj-section></mj-body></mjml>"
    )


@dataclass(frozen=True)
class TemplateWorld:
    folder: Path
    sender: Sender = field(default=SENDER)
    link: str | None = None

    def write(self, mjml: str | bytes | None, text: str | bytes | None = FOOTER, name: str = "hello") -> None:
        for content, ending in ((mjml, "mjml"), (text, "txt")):
            if content is not None:
                raw = content if isinstance(content, bytes) else content.encode()
                (self.folder / f"{name}.{ending}").write_bytes(raw)

    def render(
        self,
        user: dict[str, object] | None = None,
        *,
        row: dict[str, object] | None = None,
        to: str = "ada@example.com",
        **changed: object,
    ) -> Message:
        given = {"id": 7, "name": "Ada", "last_activity_at": None, **(user or {})}
        return Templates(self.folder, self.folder).render(
            email(**changed),
            user=given,
            row=row or {},
            letterhead=Letterhead(self.sender, link=self.link),
            send_id="ab" * 16,
            to=to,
            loop="retention",
            step="main",
        )

    def faults(self, **changed: object) -> list[str]:
        """What `check` says, each fault as it is printed but on one line."""
        plan, step = plan_of(email(**changed))
        return [
            " ".join(str(fault).split()) for fault in Templates(self.folder, self.folder).check(plan, step, self.sender)
        ]


def plan_of(action: Email | Block) -> tuple[LoopPlan, StepPlan]:
    daily, condition = Schedule("0 9 * * *", "UTC"), AtLevel("dormant", None)
    step = StepPlan("main", None, daily, condition, timedelta(minutes=10), action)
    lines: dict[Path_, int] = {("steps", 0, "action", "template"): 12, ("steps", 0, "action", "personalization"): 14}
    plan = LoopPlan(
        name="retention",
        type="retention",
        opinion="",
        steps=(step,),
        goals=(),
        holdout=0.0,
        priority=0,
        start="everyone",
        recovery=RecoveryPlan(3, "exponential", timedelta(seconds=30)),
        on_doubt="skip",
        document=Document("loops/retention.yaml", {}, lines),
    )
    return plan, step
