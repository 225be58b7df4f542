"""The visits of one run in the order in which they were told: any beginning of it is a moment that can be shown."""

from __future__ import annotations

from typing import Any

Visit = dict[str, Any]
Told = tuple[int, Visit | None, Visit]
"""Which visit (its place in `visits`), as it was before, as it is then."""


class Course:
    """A *moment* is a number of news: 0 is the start, `len` is now."""

    def __init__(self) -> None:
        self.visits: list[Visit] = []
        """All visits in order of start, each as it was told last."""
        self._told: list[Told] = []
        self._places: dict[int, int] = {}
        self._begins: list[int] = []
        self._ends: dict[int, int] = {}
        self._steps: dict[str, list[int]] = {}

    def __len__(self) -> int:
        return len(self._told)

    def __getitem__(self, moment: int) -> Told:
        """What was told at a moment."""
        return self._told[moment]

    def tell(self, visit: Visit) -> None:
        """Takes the news of a visit."""
        number = int(visit["visit"])
        place = self._places.get(number)
        before = None
        if place is None:
            place = self._places[number] = len(self.visits)
            self.visits.append(visit)
            self._begins.append(len(self._told))
            self._steps.setdefault(visit["step"], []).append(place)
        else:
            before = self.visits[place]
            self.visits[place] = visit
        self._told.append((place, before, visit))
        if visit["status"] != "running":
            self._ends.setdefault(place, len(self._told))

    def visit(self, number: int) -> Visit | None:
        """The visit that the session numbers so."""
        place = self._places.get(number)
        return self.visits[place] if place is not None else None

    @property
    def steps(self) -> list[str]:
        """The steps that were visited, in order of their first visit."""
        return list(self._steps)

    def visits_of(self, step: str) -> list[int]:
        """Places in `visits` of all visits of a step."""
        return self._steps.get(step, [])

    def before(self, number: int) -> int | None:
        """The moment right before a visit; None when there was none of that number."""
        place = self._places.get(number)
        return self._begins[place] if place is not None else None

    def after(self, number: int) -> int | None:
        """The moment right after a visit; None while it has not ended."""
        return self._ends.get(self._places.get(number, -1))

    def until(self, moment: int) -> Course:
        """What was told before a moment, as a course of its own."""
        held = Course()
        for _, _, visit in self._told[:moment]:
            held.tell(visit)
        return held
