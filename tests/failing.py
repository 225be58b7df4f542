"""The program, made to die at a named moment: FAIL_AT=MOMENT:N kills it when that moment comes for the Nth time.

The moments are those at which a crash could lose or repeat something: `before-commit` and `after-commit` of the journal,
`after-send` (the target has answered, nothing is noted yet), `before-effect-commit` (the answer is noted, and not yet
durable). Whether it was hit stands in the file FAIL_TOLD.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from flowstudio.cli.main import main
from flowstudio.httpclient import HttpClient
from flowstudio.stores.journal import Journal

MOMENTS = ("before-commit", "after-commit", "after-send", "before-effect-commit")


class _Fuse:
    """Counts down, then ends the process as a crash does."""

    def __init__(self, told: str, at: str) -> None:
        self.moment, _, number = at.partition(":")
        self._left = int(number)
        self._told = Path(told)

    def passes(self, moment: str) -> None:
        if moment != self.moment:
            return
        self._left -= 1
        if self._left == 0:
            self._told.write_text(moment, encoding="utf-8")
            os.kill(os.getpid(), signal.SIGKILL)


def arm(fuse: _Fuse) -> None:
    """Puts the fuse into the journal and into the client."""
    write, send = Journal._write, HttpClient.send

    def writing(journal: Journal, batch: Any) -> None:
        fuse.passes("before-commit")
        if any(b'"VisitFinished"' in record for events in batch.events.values() for _, record in events):
            fuse.passes("before-effect-commit")
        write(journal, batch)
        fuse.passes("after-commit")

    async def sending(client: HttpClient, *args: Any, **more: Any) -> Any:
        answer = await send(client, *args, **more)
        fuse.passes("after-send")
        return answer

    Journal._write = writing  # type: ignore[method-assign]
    HttpClient.send = sending  # type: ignore[method-assign]


if __name__ == "__main__":
    if os.environ.get("FAIL_AT"):
        arm(_Fuse(os.environ["FAIL_TOLD"], os.environ["FAIL_AT"]))
    sys.exit(main())
