"""What is open towards other systems, shared by the runs of an instance: one HTTP client, and each login once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr, ValidationError

from flowstudio.errors import BindError, Problem, StepError
from flowstudio.flow.model import Slot
from flowstudio.sdk.connection import Connection
from flowstudio.sdk.registry import Registry

if TYPE_CHECKING:
    from flowstudio.httpclient import HttpClient

Json = Any


@dataclass(frozen=True, slots=True)
class Outside:
    """What stands for the world outside of the process where that shall not be touched, or is shared with others."""

    http: HttpClient | None = None
    """Sends all requests, and is closed by whoever made it; None: a client of the instance's own."""
    clients: Mapping[str, Any] = field(default_factory=dict)
    """What `context.opened()` gives, by slot, instead of what the slot's login opens."""


class Connections:
    """The logins of one instance by slot, opened when they are first used. Closed once, by whoever made it."""

    def __init__(
        self,
        slots: Mapping[str, Slot],
        logins: Mapping[str, Mapping[str, Json]],
        registry: Registry,
        outside: Outside | None = None,
    ) -> None:
        self._outside = outside or Outside()
        self._slots = slots
        self._logins = {
            slot: _login(slot, slots[slot], fields, registry) for slot, fields in logins.items() if slot in slots
        }
        self._clients: dict[str, Any] = {}
        self._opening = asyncio.Lock()
        self._http: HttpClient | None = None

    def login(self, slot: str) -> Connection | None:
        """The login of a slot; None where a slot that may stay empty has none, StepError where it may not."""
        found = self._logins.get(slot)
        if found is None:
            told = self._slots.get(slot)
            if told is None or told.required:
                raise StepError(
                    f"the connection {slot} has no login; set one up and run again", type="NoLogin", retryable=False
                )
        return found

    @property
    def http(self) -> HttpClient:
        """The client of this instance."""
        if self._outside.http is not None:
            return self._outside.http
        if self._http is None:
            from flowstudio.httpclient import HttpClient  # loading it costs more than a flow without HTTP

            self._http = HttpClient()
        return self._http

    async def opened(self, slot: str) -> Any:
        """The client of a slot's login."""
        if slot in self._outside.clients:
            return self._outside.clients[slot]
        async with self._opening:
            if slot not in self._clients:
                login = self.login(slot)
                if login is None:
                    raise StepError(f"the connection {slot} has no login; set one up and run again", type="NoLogin")
                self._clients[slot] = await login.open()
            return self._clients[slot]

    async def close(self) -> None:
        """Closes all that was opened; the first error is raised after everything was tried."""
        errors: list[Exception] = []
        for slot, client in self._clients.items():
            try:
                await self._logins[slot].close(client)
            except Exception as error:  # a third party's client; the others must be closed all the same
                errors.append(error)
        self._clients.clear()
        if self._http is not None:
            await self._http.aclose()
            self._http = None
        if errors:
            raise errors[0]

    def secrets(self) -> Iterator[str]:
        """Every secret value of these logins, for redaction."""
        for login in self._logins.values():
            for value in dict(login.config).values():
                if isinstance(value, SecretStr):
                    yield value.get_secret_value()


def _login(slot: str, told: Slot, fields: Mapping[str, Json], registry: Registry) -> Connection:
    spec = registry.connection(told.type)
    try:
        config = spec.connection.Config.model_validate(dict(fields))
    except ValidationError as error:
        raise BindError(
            Problem(
                f"the login of {slot} does not fit",
                why=str(each["msg"]).lower(),  # never the value: it is a login
                remedy=f"{told.type} takes {', '.join(part.name for part in spec.fields)}",
                field=".".join(map(str, (slot, *each["loc"]))),
                path=("connections", slot, *each["loc"]),
            )
            for each in error.errors(include_url=False, include_input=False, include_context=False)
        ) from None
    return spec.connection(config)
