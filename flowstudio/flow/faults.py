"""Takes a document apart and gathers every fault in it, each with its path, instead of stopping at the first."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from flowstudio.errors import FileError, PathKey, Problem
from flowstudio.flow.jsonvalue import describe, path_text
from flowstudio.flow.model import ABSENT, Json


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with one file, as far as it has been read."""

    file: str | None = None
    problems: list[Problem] = field(default_factory=list)

    def add(
        self,
        path: tuple[PathKey, ...],
        what: str,
        why: str = "",
        remedy: str = "",
        *,
        step: str | None = None,
        field: str | None = None,
    ) -> None:
        """Notes one fault."""
        self.problems.append(Problem(what, why, remedy, step=step, field=field, path=path, file=self.file))

    def raise_any(self) -> None:
        """FileError with all of them, if there are any."""
        if self.problems:
            raise FileError(self.problems)


@dataclass(frozen=True, slots=True)
class Part:
    """One value in a document, with its path; its readers note a fault and give a stand-in where it is of another kind."""

    value: Json
    faults: Faults
    path: tuple[PathKey, ...] = ()
    step: str | None = None
    """The step to which it belongs, for the reader of a fault."""

    def fault(self, why: str, remedy: str = "", what: str | None = None) -> None:
        """Notes that this value will not do."""
        told = what or f"{path_text(self.path)} is {describe(self.value)}"
        self.faults.add(self.path, told, why, remedy, step=self.step)

    def keys(self, known: tuple[str, ...], remedy: str = "") -> tuple[dict[str, Part], dict[str, Json]]:
        """This object's parts by known key, those that are null left out, and its unknown keys as they are."""
        if not isinstance(self.value, dict):
            self.fault("it must be an object", remedy)
            return {}, {}
        parts = {
            key: Part(self.value[key], self.faults, (*self.path, key), self.step)
            for key in known
            if self.value.get(key) is not None
        }
        return parts, {key: value for key, value in self.value.items() if key not in known}

    def entries(self, remedy: str = "") -> Iterator[tuple[str, Part]]:
        """The keys and parts of this object."""
        if not isinstance(self.value, dict):
            self.fault("it must be an object", remedy)
            return
        for key, value in self.value.items():
            yield key, Part(value, self.faults, (*self.path, key), self.step)

    def elements(self, remedy: str = "") -> Iterator[Part]:
        """The parts of this list."""
        if not isinstance(self.value, list):
            self.fault("it must be a list", remedy)
            return
        for index, value in enumerate(self.value):
            yield Part(value, self.faults, (*self.path, index), self.step)

    def at(self, key: str) -> Part:
        """The part under a key of this object, null where there is none."""
        value = self.value.get(key) if isinstance(self.value, dict) else None
        return Part(value, self.faults, (*self.path, key), self.step)

    def of_step(self, step: str) -> Part:
        """The same part, said to belong to a step."""
        return Part(self.value, self.faults, self.path, step)

    def object(self, remedy: str = "") -> dict[str, Json]:
        """The object as it is."""
        if isinstance(self.value, dict):
            return self.value
        self.fault("it must be an object", remedy)
        return {}

    def text(self, remedy: str = "", *, empty: bool = True) -> str:
        """The text; with `empty` False an empty one is a fault."""
        if isinstance(self.value, str) and (empty or self.value.strip()):
            return self.value
        self.fault("it must be a text" if empty else "it must be a text that is not empty", remedy)
        return ""

    def matching(self, pattern: re.Pattern[str], why: str, remedy: str = "") -> str:
        """The text, which must match `pattern` whole."""
        if isinstance(self.value, str) and pattern.fullmatch(self.value):
            return self.value
        self.fault(why, remedy)
        return ""

    def texts(self, remedy: str = "") -> tuple[str, ...]:
        """The list of texts."""
        return tuple(part.text(remedy) for part in self.elements(remedy))

    def boolean(self) -> bool:
        """True or false."""
        if isinstance(self.value, bool):
            return self.value
        self.fault("it must be true or false")
        return False

    def number(self, remedy: str = "") -> float:
        """The number, an integer as an integer."""
        if isinstance(self.value, int | float) and not isinstance(self.value, bool) and abs(self.value) < math.inf:
            return self.value
        self.fault("it must be a number", remedy)
        return 0

    def numbers(self, names: tuple[str, ...], bound: float = 1e9) -> tuple[float, ...]:
        """So many numbers, such as `[x, y]`."""
        wanted = f"it must be [{', '.join(names)}], numbers between -{bound:,.0f} and {bound:,.0f}"
        values: Any = self.value
        if (
            isinstance(values, list)
            and len(values) == len(names)
            and all(isinstance(v, int | float) and not isinstance(v, bool) and abs(v) <= bound for v in values)
        ):
            return tuple(float(v) for v in values)
        self.fault(wanted)
        return tuple(0.0 for _ in names)


def required(parts: dict[str, Part], key: str, whole: Part, remedy: str = "") -> Part | None:
    """The part under a key that must be there; its absence is a fault of the whole."""
    found = parts.get(key)
    if found is None and isinstance(whole.value, dict):
        place = (*whole.path, key)
        what = f"{path_text(place)} is {'null' if key in whole.value else 'missing'}"
        whole.faults.add(place, what, "it must be there", remedy, step=whole.step)
    return found


def optional_text(parts: dict[str, Part], key: str) -> str | None:
    """The text under a key, None where there is none."""
    return parts[key].text() if key in parts else None


def raw(whole: Part, key: str) -> Json:
    """The value under a key, null included; ABSENT where the key is not there."""
    return whole.value.get(key, ABSENT) if isinstance(whole.value, dict) else ABSENT
