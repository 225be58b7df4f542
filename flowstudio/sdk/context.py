"""What a component's `run()` may ask of the engine, and the one gate through which all effects pass."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from flowstudio.expressions.language import VisitClock
    from flowstudio.httpclient import Request, Response

Json = Any


class Log(Protocol):
    """A visit's log; fields are JSON."""

    def debug(self, message: str, **fields: Json) -> None: ...
    def info(self, message: str, **fields: Json) -> None: ...
    def warning(self, message: str, **fields: Json) -> None: ...
    def error(self, message: str, **fields: Json) -> None: ...


class Context(Protocol):
    """What is given to `run()` beside config and payload, for one visit."""

    @property
    def step(self) -> str:
        """The step's id."""

    @property
    def address(self) -> str:
        """Where the visit stands: unique in its run."""

    @property
    def attempt(self) -> int:
        """The number of this try of the visit, from 1."""

    @property
    def clock(self) -> VisitClock:
        """The visit's time and chance."""

    @property
    def log(self) -> Log:
        """The visit's log."""

    @property
    def idempotency_key(self) -> str:
        """One for all tries of this visit, another for every other visit."""

    @property
    def folder(self) -> Path:
        """Where relative file paths begin: the folder of the flow's file, else the working folder."""

    def remember(self, changes: Mapping[str, Json], remove: Iterable[str] = ()) -> None:
        """Keeps values for this instance, read as `$state`; they count once this visit has ended well."""

    def names(self) -> Mapping[str, Json]:
        """The bound names without their dollar: meta, vars, steps, trigger, run, customer, instance, item, state, error."""

    async def http(self, request: Request, *, connection: str | None = None) -> Response:
        """Sends a request with the login of a slot within the visit's timeout, reads the whole answer, records both.

        Raises ConnectionFailedError or StepTimeoutError; any status is an answer.
        """

    async def opened(self, connection: str) -> Any:
        """The client of a slot's connection, opened once and shared by the runs of an instance."""

    async def effect(self, kind: str, request: Json, perform: Callable[[], Awaitable[Json]]) -> Json:
        """Does something that leaves the process: `perform` is called unless a recording answers `request`.

        `request` is JSON that tells what will be done, without secrets; the same `request` at the same address means
        the same effect.
        """
