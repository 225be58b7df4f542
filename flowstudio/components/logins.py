"""The built-in logins: basic, bearer, api-key and the shared secret of signed webhooks."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import SecretStr, create_model

from flowstudio.sdk import Connection, Settings, StepError, setting

if TYPE_CHECKING:
    from flowstudio.httpclient import Request


def _with_header(request: Request, name: str, value: str) -> Request:
    from flowstudio.httpclient import Request  # loaded with the first request: the palette loads every login

    if not value.isascii():
        # Never the value, nor what of it: it is the secret.
        raise StepError(
            f"the login holds letters that the header {name} cannot carry; headers take ASCII, enter it anew",
            type="UnfitLogin",
            retryable=False,
        )
    # A new request: the one that was given may be recorded, and a record holds no login.
    headers = request.headers.copy()
    headers[name] = value
    return Request(request.method, request.url, headers=headers, content=request.content)


class Basic(Connection):
    """Name and password, sent with every request."""

    key = "basic"
    title = "Name and password"
    description = "HTTP Basic: a user name and a password are sent with every request."

    class Config(Settings):
        """The account."""

        username: str = setting(title="User name", description="The account's name.", min_length=1)
        password: SecretStr = setting(title="Password", description="The account's password.")

    def apply(self, request: Request) -> Request:
        """The request with an Authorization header."""
        pair = f"{self.config.username}:{self.config.password.get_secret_value()}"
        return _with_header(request, "Authorization", "Basic " + base64.b64encode(pair.encode()).decode())


class Bearer(Connection):
    """An access token, sent with every request."""

    key = "bearer"
    title = "Access token"
    description = "An access token is sent with every request (Authorization: Bearer)."

    class Config(Settings):
        """The token."""

        token: SecretStr = setting(title="Token", description="The access token, without the word Bearer.")

    def apply(self, request: Request) -> Request:
        """The request with an Authorization header."""
        token = self.config.token.get_secret_value().strip()
        return _with_header(request, "Authorization", f"Bearer {token}")


class ApiKey(Connection):
    """A key in a header or in the address' query."""

    key = "api-key"
    title = "API key"
    description = "A key is sent with every request, in a header or in the query."

    # `in` is a word of Python's own: such a field cannot be written in a class.
    _fields: ClassVar[dict[str, Any]] = {
        "name": (
            str,
            setting("X-API-Key", title="Name", description="The name of the header or query parameter.", min_length=1),
        ),
        "in": (
            Literal["header", "query"],
            setting("header", title="Sent in", description="Where the key is sent."),
        ),
        "value": (SecretStr, setting(title="Key", description="The key itself.")),
    }
    Config = create_model("Config", __base__=Settings, **_fields)  # type: ignore[arg-type] # mypy takes the new name for the base

    def apply(self, request: Request) -> Request:
        """The request with the key in it."""
        name, value = self.config.name, self.config.value.get_secret_value().strip()
        if getattr(self.config, "in") == "header":
            return _with_header(request, name, value)
        from flowstudio.httpclient import Request  # as above

        url = request.url.copy_set_param(name, value)
        return Request(request.method, url, headers=request.headers, content=request.content)


class Hmac(Connection):
    """A secret that both sides know; whoever sends signs with it."""

    key = "hmac"
    title = "Signing secret"
    description = "A shared secret: the sender of a webhook signs its requests with it."

    class Config(Settings):
        """The secret."""

        secret: SecretStr = setting(title="Secret", description="The signing secret, as the sender shows it.")
