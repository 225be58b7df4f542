"""Stubbed HTTP: which requests are expected, what answers them, and what was sent."""

from __future__ import annotations

import asyncio
import errno
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from flowstudio.errors import StepError
from flowstudio.httpclient import AsyncBaseTransport, ByteStream, Request, Response
from flowstudio.httpclient.transport import PooledTransport
from flowstudio.sdk.component import Answer
from flowstudio.testing.recording import Recording

Json = Any
Reaction = Callable[[Request], Awaitable[Response]]

_BODY_SHOWN: Final = 500


class UnexpectedRequestError(AssertionError):
    """A flow or component sent what no stub answers."""


@dataclass(eq=False)
class Stub:
    """What answers the requests of one method to one address, made by `HttpStubs.on`.

    Every call of `respond`, `respond_with`, `fail` or `hang` adds an answer: they are given in turn, and the last of
    them again and again.
    """

    method: str
    url: str | re.Pattern[str]
    requests: list[Request] = field(default_factory=list)
    """The requests that it answered."""
    _reactions: list[Reaction] = field(default_factory=list)

    @property
    def calls(self) -> int:
        """How many requests it has answered."""
        return len(self.requests)

    def respond(
        self, body: Json = None, *, status: int = 200, headers: Mapping[str, str] | None = None, after: float = 0.0
    ) -> Stub:
        """Answers; `body` is JSON unless its Content-Type is another or it is bytes; `after` are seconds of the fake clock."""
        return self.respond_with(lambda request: Answer(status, dict(headers or {}), body), after=after)

    def respond_with(self, answer: Callable[[Request], Answer | Json], *, after: float = 0.0) -> Stub:
        """Answers what a function makes of the request: an Answer, or the body of a 200."""

        async def react(request: Request) -> Response:
            await asyncio.sleep(after)
            try:
                made = answer(request)
            except (StepError, AssertionError):
                raise
            except Exception as error:  # a mistake in the test must not look like a failure of the other system
                raise AssertionError(f"What answers {self} failed: {type(error).__name__}: {error}") from error
            return response_of(made if isinstance(made, Answer) else Answer(body=made))

        self._reactions.append(react)
        return self

    def fail(self, error: Exception | None = None) -> Stub:
        """Fails instead of answering; without an `error` the server refuses the connection."""

        async def react(request: Request) -> Response:
            raise error if error is not None else ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")

        self._reactions.append(react)
        return self

    def hang(self) -> Stub:
        """Never answers, so that the step runs into its timeout."""

        async def react(request: Request) -> Response:
            return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return] # never comes

        self._reactions.append(react)
        return self

    def takes(self, request: Request) -> bool:
        """Whether it answers this request."""
        if self.method not in (request.method, "*"):
            return False
        address = str(request.url)
        if isinstance(self.url, re.Pattern):
            return self.url.search(address) is not None
        if "?" not in self.url:
            address = address.partition("?")[0]
        return re.fullmatch(".*".join(map(re.escape, self.url.split("*"))), address, re.DOTALL) is not None

    async def answer(self, request: Request) -> Response:
        """The next answer."""
        self.requests.append(request)
        if not self._reactions:
            raise AssertionError(f"The stub {self} says nothing: add .respond(...) to it")
        return await self._reactions[min(self.calls, len(self._reactions)) - 1](request)

    def __str__(self) -> str:
        return f"{self.method} {self.url.pattern if isinstance(self.url, re.Pattern) else self.url}"


class HttpStubs:
    """The other systems as a flow sees them over HTTP. A later stub goes before an earlier one."""

    def __init__(self) -> None:
        self._stubs: list[Stub] = []
        self.requests: list[Request] = []
        """Every request that was sent, logins and all, in order."""

    def on(self, method: str, url: str | re.Pattern[str]) -> Stub:
        """A stub for requests of this method (`*`: any) to this address, which still needs its answer: `.respond(...)`.

        In a text `*` stands for anything, and without a `?` in it the query does not matter.
        """
        stub = Stub(method.upper(), url)
        self._stubs.insert(0, stub)
        return stub

    @property
    def stubs(self) -> tuple[Stub, ...]:
        """All stubs, in the order in which they were made."""
        return tuple(reversed(self._stubs))

    def find(self, request: Request) -> Stub | None:
        """The stub that answers a request."""
        return next((stub for stub in self._stubs if stub.takes(request)), None)


class StubbedTransport(AsyncBaseTransport):
    """What stands at the other end of a bench's HTTP client."""

    def __init__(
        self, stubs: HttpStubs, recording: Recording, network: bool, unexpected: Callable[[AssertionError], None]
    ) -> None:
        self._stubs = stubs
        self._recording = recording
        self._network = network
        self._unexpected = unexpected

    async def handle_async_request(self, request: Request) -> Response:
        """The answer of a stub, of the recording, or of the network where that is allowed."""
        await request.aread()
        self._stubs.requests.append(request)
        stub = self._stubs.find(request)
        if stub is not None:
            try:
                return await stub.answer(request)
            except AssertionError as failed:
                self._unexpected(failed)
                raise
        recorded = self._recording.answer_to_request(request)
        if recorded is not None:
            return response_of(recorded)
        if self._network:
            return await _over_the_wire(request)
        error = UnexpectedRequestError(_told(request, self._stubs, self._recording))
        self._unexpected(error)
        raise error


async def _over_the_wire(request: Request) -> Response:
    # A connection that stays open would hold the fake clock to the real one.
    async with PooledTransport(True, True, 1) as wire:
        raw = await wire.handle_async_request(request)
        body = b"".join([part async for part in raw.stream])  # type: ignore[union-attr] # the transport's are async
        await raw.aclose()
        return Response(raw.status_code, headers=raw.headers.raw, stream=ByteStream(body))


def response_of(answer: Answer) -> Response:
    """An answer on the wire: a body is JSON unless its Content-Type is another, or it is bytes."""
    headers = dict(answer.headers)
    content = b""
    if isinstance(answer.body, bytes):
        content = answer.body
    elif answer.body is not None:
        kind = next((value for name, value in headers.items() if name.lower() == "content-type"), None)
        if kind is None:
            headers["Content-Type"] = kind = "application/json"
        content = (json.dumps(answer.body) if "json" in kind else str(answer.body)).encode()
    return Response(answer.status, headers=headers, content=content)


def _told(request: Request, stubs: HttpStubs, recording: Recording) -> str:
    lines = ["A request was sent that nothing answers:", f"  {request.method} {request.url}"]
    body = request.content.decode("utf-8", "replace")
    if body:
        lines.append(f"  {body[:_BODY_SHOWN]}{'...' if len(body) > _BODY_SHOWN else ''}")
    known = [f"  {stub} (answered {stub.calls})" for stub in stubs.stubs]
    lines += ["The stubs are:", *known] if known else ["There are no stubs."]
    left = [f"  {line}" for line in recording.requests_left()]
    if left:
        lines += ["Left in the recording are:", *left]
    lines.append(f'Add one: bench.http.on("{request.method}", "{str(request.url).partition("?")[0]}").respond(...)')
    return "\n".join(lines)


__all__ = ["HttpStubs", "Stub", "StubbedTransport", "UnexpectedRequestError", "response_of"]
