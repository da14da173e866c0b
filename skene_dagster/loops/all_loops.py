"""All loops together, which are compared with none at all: by goals of their own, in skene.yaml."""

from dataclasses import dataclass, field
from typing import ClassVar

from skene_dagster.documents import Document
from skene_dagster.loops.plan import GoalPlan, LoopPlan, StepPlan
from skene_dagster.settings import FILE

ALL_LOOPS = "*"
"""In the place of a loop's name: who gets nothing of any loop is compared with everybody else."""


@dataclass(frozen=True)
class AllLoops:
    """What skene.yaml says of their comparison."""

    goals: tuple[GoalPlan, ...] = ()
    """What should come of them; the first decides whether they work."""
    holdout: float = 0.0
    """The share of users who get nothing of any loop, 0 to 1."""
    document: Document = field(default_factory=lambda: Document(FILE, {}), compare=False, repr=False)
    name: ClassVar[str] = ALL_LOOPS
    steps: ClassVar[tuple[StepPlan, ...]] = ()
    """They are the loops': it has no emails, and no variants."""

    @property
    def is_asked_for(self) -> bool:
        """Whether skene.yaml says anything of it."""
        return bool(self.goals or self.holdout)


Compared = LoopPlan | AllLoops
"""What has a comparison of its own."""
