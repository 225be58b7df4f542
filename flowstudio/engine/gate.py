"""What may hold a run up: it is asked before each visit and each effect, and told of every event as it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from flowstudio.plan.state import RunState, Token
from flowstudio.trace.events import Event, Failure

Json = Any


@dataclass(frozen=True, slots=True)
class Pin:
    """An output that stands in for a step: what it puts out by which port, or how it fails."""

    payload: Json = None
    port: str = "out"
    meta: Mapping[str, Json] = field(default_factory=dict)
    error: Failure | None = None


class Gate(Protocol):
    """Watches one run from within. Asked and told in the runner's loop: quick, and never raising."""

    def lets(self, token: Token, state: RunState) -> bool:
        """Whether the visit of a token may start now; if not, it is asked again after the next event or `Runner.poke`."""

    def took(self, event: Event, state: RunState) -> None:
        """An event took effect, nothing in it masked; `state` is the state after it."""

    def pinned(self, token: Token, state: RunState) -> Pin | None:
        """What a step puts out without being visited; None: it is visited."""

    def rests(self, state: RunState) -> None:
        """Nothing can go on at this moment: what could start was not let, or waits for something outside."""

    def holds(self, state: RunState) -> bool:
        """Whether a run in which nothing is left to do stands still before it ends, until `Runner.poke`."""

    async def stand_in(self, address: str, kind: str, request: Json) -> Any:
        """What stands in for the answer to an effect; UNANSWERED lets it be performed. May wait as long as it likes."""

    def sent(self, address: str, kind: str, request: Json, answer: Any) -> None:
        """An effect was performed: `answer` is the Response of a request, JSON of any other effect."""


UNANSWERED: Final = object()
"""Nothing stands in for this effect."""

__all__ = ["UNANSWERED", "Gate", "Pin"]
