"""A message: a payload with its metadata and the lineage from which `$steps` is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from flowstudio.expressions.nothing import MISSING

Json = Any


@dataclass(frozen=True, slots=True)
class Lineage:
    """What the steps behind a message put out on its own path: a chain, newest first, shared between messages."""

    step: str
    payload: Json
    before: Lineage | None = None

    def __iter__(self) -> Iterator[Lineage]:
        link: Lineage | None = self
        while link is not None:
            yield link
            link = link.before

    def output_of(self, step: str) -> Json:
        """What `step` put out last on this path; MISSING if the path did not visit it."""
        for link in self:
            if link.step == step:
                return link.payload
        return MISSING

    def to_mapping(self) -> dict[str, Json]:
        """Step id to output, the latest of each."""
        outputs: dict[str, Json] = {}
        for link in self:
            outputs.setdefault(link.step, link.payload)
        return outputs


@dataclass(frozen=True, slots=True)
class Message:
    """What travels along a wire; never changed, steps make new ones.

    `meta` is what `$meta` shows, `error` what `$error` shows (on error routes alone).
    """

    payload: Json
    meta: Mapping[str, Json] = field(default_factory=dict)
    lineage: Lineage | None = None
    error: Mapping[str, Json] | None = None
