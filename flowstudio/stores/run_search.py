"""The recorded runs whose payloads hold a text, the newest first, found run by run as far as somebody asks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from flowstudio.stores.growing import Growing
from flowstudio.stores.payloads import PayloadStore
from flowstudio.stores.runs import RunStore, Sought
from flowstudio.trace.search import Wanted

Json = Any


class RunsHolding(Growing):
    """Runs among those that are `sought` in which some payload that came in or went out holds the text."""

    def __init__(self, history: RunStore, payloads: PayloadStore, sought: Sought, text: str) -> None:
        self._history, self._payloads = history, payloads
        self._sought, self._text = sought, text
        self._wanted = Wanted(text)
        self._known: dict[str, list[str | int] | None] = {}
        """By payload the place of its first hit; None where it holds none."""
        self.found: list[tuple[str, dict[str, Json]]] = []
        """The runs by now, each with where the text stands: `visit`, `side` and `path`."""
        self.looked_at = 0
        self.total = 0
        super().__init__()

    def __len__(self) -> int:
        return len(self.found)

    @property
    def weight(self) -> int:
        return 120 * len(self._known)

    def page(self, offset: int, limit: int) -> Sequence[tuple[str, dict[str, Json]]]:
        """Some of the runs."""
        return self.found[max(0, offset) : max(0, offset) + max(0, limit)]

    def _make(self) -> Iterator[float]:
        runs = self._history.found(self._sought)
        self.total = len(runs)
        if not self._wanted.folded:
            return
        for number, run in enumerate(runs):
            yield from self._look_through(run, number / len(runs))
            self.looked_at = number + 1
            yield self.looked_at / len(runs)

    def _look_through(self, run: str, share: float) -> Iterator[float]:
        for name, visit, side in self._history.payloads_seen(run):
            if name not in self._known:
                place: list[str | int] | None = None
                try:
                    found = self._payloads.held(name, self._wanted)
                    while found is not None and not found.complete and not len(found):
                        found.grow(0.02, 1)
                        yield share
                    if found is not None and len(found):
                        place = found.paths(0, 1)[0]
                except KeyError:
                    pass  # dropped, or never kept: there is nothing in it to find
                self._known[name] = place
            place = self._known[name]
            if place is not None:
                self.found.append((run, {"visit": visit, "side": side, "path": place}))
                return


__all__ = ["RunsHolding"]
