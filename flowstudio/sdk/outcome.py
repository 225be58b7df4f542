"""What a component's `run()` may return instead of a payload: the six outcomes that the engine knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flowstudio.expressions.nothing import MISSING

Json = Any


@dataclass(frozen=True, slots=True)
class To:
    """Goes on by these ports (default `out`), in their order; MISSING keeps the payload, `meta` is laid over `$meta`."""

    ports: tuple[str, ...] = ("out",)
    payload: Json = MISSING
    meta: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Drop:
    """Ends this message's path: it did not match. A success, counted as filtered."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Answers whoever waits for this run, then goes on by `out` with the payload unchanged.

    `body` is JSON, text or bytes by the content type in `headers` (none: JSON).
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Json = None


@dataclass(frozen=True, slots=True)
class Sleep:
    """Goes on by `out` at `until` (seconds since the epoch)."""

    until: float


@dataclass(frozen=True, slots=True)
class Wait:
    """Goes on by `out` when the named signal comes, by `timeout` when it has not come after so many seconds."""

    signal: str
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """Ends this message's path; with an `error` it fails the run."""

    error: str | None = None


Outcome = To | Drop | Reply | Sleep | Wait | Stop
