"""One exchange under way: which phase it is in, and how long each took."""

from __future__ import annotations

import time
from contextvars import ContextVar
from dataclasses import dataclass, field

from flowstudio.httpclient.vocabulary import URL


@dataclass(slots=True)
class Trip:
    """Where one exchange stands: told when it fails, and turned into timings when it succeeds.

    The phases are pool, dns, connect, tls, send, wait, receive; a transport that tells none leaves it at "".
    """

    url: URL
    began: float = field(default_factory=time.perf_counter)
    phase: str = ""
    received: int = 0
    _since: float = 0.0
    _spent: dict[str, float] = field(default_factory=dict)

    def begin(self) -> None:
        """One try begins."""
        self.phase, self.received, self._spent = "", 0, {}
        self._since = time.perf_counter()

    def enter(self, phase: str) -> None:
        """The next phase begins."""
        now = time.perf_counter()
        self._spent[self.phase] = self._spent.get(self.phase, 0.0) + now - self._since
        self.phase, self._since = phase, now

    @property
    def reused(self) -> bool:
        """Whether the request went over a connection that was open before."""
        return self.phase in ("send", "wait", "receive", "done") and "dns" not in self._spent

    @property
    def port(self) -> int:
        """The port that is called, named in the address or not."""
        return self.url.port or (443 if self.url.scheme == "https" else 80)

    @property
    def server(self) -> str:
        """HOST:PORT, which is all of an address that a message may name."""
        return f"[{self.url.host}]:{self.port}" if ":" in self.url.host else f"{self.url.host}:{self.port}"

    def timings(self) -> dict[str, float | bool]:
        """Milliseconds by phase, and `reused`; nothing where the transport tells no phases."""
        self.enter("done")
        told = {phase: round(1000 * spent, 3) for phase, spent in self._spent.items() if phase}
        return {**told, "reused": self.reused} if told else {}


current_trip: ContextVar[Trip | None] = ContextVar("current_trip", default=None)
"""The trip of the request that is being sent, for a transport, which is called without it."""
