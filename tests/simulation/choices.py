"""What chance decides in a history: each choice under a name of its own, so that leaving one out moves no other.

A history is the dictionary of the choices that are not 0, the dull answer; a seed only draws it.
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Made = Mapping[str, int]
"""Choices by name: `fault:run2#3` is the fourth fault that the second run was asked for."""


@dataclass
class Choices:
    """The choices of one history: drawn by a seed, or read from a script."""

    seed: int | None = None
    script: Made | None = None
    given: Made = field(default_factory=dict)
    """Choices that are not drawn, by name; without an ordinal, they hold each time that they are asked for."""
    made: dict[str, int] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def pick(self, name: str, answers: int, chance: float) -> int:
        """Choose among `answers`: 0, or with this chance one of the others."""
        ordinal = self.asked[name] = self.asked.get(name, -1) + 1
        key = f"{name}#{ordinal}"
        if self.script is not None:
            value = self.script.get(key, 0)
        elif key in self.given or name in self.given:
            value = self.given.get(key, self.given.get(name, 0))
        elif answers > 1 and self._random.random() < chance:
            value = self._random.randrange(1, answers)
        else:
            value = 0
        value = min(value, answers - 1)
        if value:
            self.made[key] = value
        return value

    def yes(self, name: str, chance: float) -> bool:
        """Choose between no, which is dull, and yes."""
        return bool(self.pick(name, 2, chance))


def shrink(made: Made, fails: Callable[[Made], bool], seconds: float) -> dict[str, int]:
    """Leave out choices, in ever smaller groups (ddmin), then make numbers smaller, as long as it still fails.

    Args:
        seconds: after which the smallest found until then has to do.
    """
    until = time.monotonic() + seconds
    names = list(made)
    size = max(1, len(names) // 2)
    while size and time.monotonic() < until:
        start = 0
        while start < len(names) and time.monotonic() < until:
            fewer = names[:start] + names[start + size :]
            if fails({name: made[name] for name in fewer}):
                names = fewer
            else:
                start += size
        size //= 2
    script = {name: made[name] for name in names}
    for name in names:
        for value in range(1, script[name]):
            if time.monotonic() > until:
                return script
            if fails({**script, name: value}):
                script[name] = value
                break
    return script
