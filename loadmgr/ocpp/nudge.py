"""When a silent meter is asked for its values [C-10, G-95] without flooding a charger with triggers [G-24]."""

from __future__ import annotations

from dataclasses import dataclass

ANSWERS_WITHIN_S = 10.0
"""A sample that comes so soon after a trigger was triggered by it."""
PATIENCE_MAX_S = 900.0
WAIT_MAX_S = 960.0


@dataclass(slots=True)
class Nudge:
    """The rhythm of one meter in a session. ``stale_s``: silence that is too long for the interval that was configured.

    A meter that speaks by itself at a slower pace is left its pace; one that speaks only when asked is asked again and
    again; one that does not even then is asked less and less often.
    """

    stale_s: float
    due_s: float
    own_s: float | None = None
    asked_s: float | None = None
    patience_s: float = 0.0
    wait_s: float = 0.0

    def __post_init__(self) -> None:
        self.patience_s = self.wait_s = self.stale_s

    def sampled(self, now_s: float) -> None:
        """It spoke."""
        if self.asked_s is not None and now_s - self.asked_s <= ANSWERS_WITHIN_S:
            self.wait_s = self.patience_s
        else:
            if self.own_s is not None:
                self.patience_s = max(self.stale_s, min(1.2 * (now_s - self.own_s) + 5.0, PATIENCE_MAX_S))
            self.own_s, self.wait_s = now_s, self.patience_s
        self.asked_s = None
        self.due_s = now_s + self.patience_s

    def is_due(self, now_s: float) -> bool:
        """Ask now? True once; the next time is later."""
        if now_s < self.due_s:
            return False
        self.asked_s = now_s
        self.due_s = now_s + self.wait_s
        self.wait_s = min(2.0 * self.wait_s, WAIT_MAX_S)
        return True
