"""How an instance stands: the status that people see, from what is stored and how its runs ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Json = Any
Status = Literal["failing", "needs setup", "paused", "behind", "active"]

STATUSES: Final[tuple[Status, ...]] = ("failing", "needs setup", "paused", "behind", "active")
"""In the order in which they are listed: what wants a person first."""
HOURS: Final = 24


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How the runs of an instance ended. Times are seconds since 1970, hours run from the oldest to this one."""

    last_run: float | None = None
    failing: bool = False
    """Whether the newest run that ended has failed, and neither a success nor a successful resume came after it."""
    runs: tuple[int, ...] = (0,) * HOURS
    errors: tuple[int, ...] = (0,) * HOURS
    last_error: Mapping[str, Json] | None = None
    """`run`, `label`, `step`, `type` and `message` of the newest failure."""
    setup_error: Mapping[str, Json] | None = None
    """Why the run that was to make the instance ready failed."""


NEVER_RAN: Final = Outcomes()


def status_of(*, paused: bool, needs: bool, failing: bool, behind: bool) -> Status:
    """The one status of an instance: a pause is somebody's will, so it comes before what else is true."""
    if paused:
        return "paused"
    if needs:
        return "needs setup"
    if failing:
        return "failing"
    return "behind" if behind else "active"


__all__ = ["HOURS", "NEVER_RAN", "STATUSES", "Outcomes", "Status", "status_of"]
