"""The connection: a login to another system, written as one class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from flowstudio.sdk.fields import Settings

if TYPE_CHECKING:
    from flowstudio.httpclient import Request


class Connection:
    """A kind of login. `Config` declares its fields; those of type SecretStr are kept in a secret store.

    Opened once for each instance and slot, and shared by its runs. A login that only changes requests overrides
    `apply`; one with a client of its own overrides `open` and `close`.
    """

    key: ClassVar[str]
    """Its name in flow files: `bearer`."""
    title: ClassVar[str]
    description: ClassVar[str] = ""

    class Config(Settings):
        """No fields."""

    def __init__(self, config: Any) -> None:
        self.config = config

    def apply(self, request: Request) -> Request:
        """The request with the login added to it."""
        return request

    async def open(self) -> Any:
        """The client that `context.opened()` gives; by default none."""
        return None

    async def close(self, client: Any) -> None:
        """Ends what `open()` began."""
