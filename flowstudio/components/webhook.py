"""The component `webhook`: starts a run for each HTTP request that it accepts."""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, ConfigDict

from flowstudio.components.bodies import BodyError, MediaType, binary_of, form_of, json_of, multipart_of, text_of
from flowstudio.components.captions import caption, one_line
from flowstudio.components.signatures import (
    PRESETS,
    Refused,
    Signed,
    verify_hmac,
    verify_key,
    verify_password,
    verify_token,
)
from flowstudio.sdk import (
    MISSING,
    Category,
    Delivery,
    Example,
    Fault,
    Lazy,
    Message,
    Reply,
    Route,
    Settings,
    SlotName,
    Trigger,
    setting,
)

Json = Any
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]

MASK: Final = "•••"

_SECRET_HEADERS: Final = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"})
_DELIVERY_HEADERS: Final = {"github": "x-github-delivery", "shopify": "x-shopify-webhook-id"}
"""Where a sender names a delivery; it names it again when it sends it again."""
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_~.:@!$'()*+,;=-]+")


def _path(text: str) -> str:
    path = text.strip().strip("/")
    for segment in path.split("/"):
        if not segment:
            raise ValueError("a path has one or more words between its slashes, such as orders or shop/orders")
        if segment in (".", "..") or not _SEGMENT.fullmatch(segment):
            raise ValueError(f"{segment!r} cannot stand in an address; use letters, digits, - and _")
    return path


class Open(Settings):
    """Takes requests from anybody."""

    model_config = ConfigDict(title="None")
    type: Literal["none"] = "none"


class ByPassword(Settings):
    """Takes requests that carry a user name and a password."""

    model_config = ConfigDict(title="Name and password")
    type: Literal["basic"] = "basic"
    connection: SlotName = setting(
        title="Connection", description="A connection of type basic: the name and password that senders must give."
    )


class ByToken(Settings):
    """Takes requests that carry an access token."""

    model_config = ConfigDict(title="Access token")
    type: Literal["bearer"] = "bearer"
    connection: SlotName = setting(
        title="Connection", description="A connection of type bearer: the token that senders must give."
    )


class ByKey(Settings):
    """Takes requests that carry a key."""

    model_config = ConfigDict(title="API key")
    type: Literal["api-key"] = "api-key"
    connection: SlotName = setting(
        title="Connection",
        description="A connection of type api-key: the key that senders must give, and the header or query parameter for it.",
    )


class BySignature(Settings):
    """Takes requests that are signed with a shared secret."""

    model_config = ConfigDict(title="Signature (HMAC)")
    type: Literal["hmac"] = "hmac"
    connection: SlotName = setting(
        title="Connection", description="A connection of type hmac: the secret that the sender signs with."
    )
    preset: Literal["github", "shopify", "stripe", "slack"] | None = setting(
        None,
        title="Sender",
        description="How a well-known sender signs. Leave it empty to say it yourself: header, algorithm, encoding.",
    )
    header: str | None = setting(
        None, title="Header", description="The header that holds the signature.", placeholder="X-Signature"
    )
    algorithm: Literal["sha256", "sha1", "sha512"] = setting(
        "sha256", title="Algorithm", description="The hash that the signature is made with."
    )
    encoding: Literal["hex", "base64"] = setting(
        "hex", title="Encoding", description="How the signature is written in its header."
    )
    timestamp_header: str | None = setting(
        None,
        title="Time header",
        description="The header with the time of sending in seconds, where the sender signs TIME.BODY and not the body alone.",
        advanced=True,
    )
    tolerance: int = setting(
        300,
        title="Tolerance",
        description="How many seconds old a request may be, where the time is signed: an older one may be a copy.",
        ge=1,
        advanced=True,
    )


class Webhook(Trigger):
    """Starts a run for each HTTP request that it accepts.

    The body becomes the payload: JSON as it is, a form as an object of its fields (a name that comes several times gives
    a list, a file a binary value), text as text, anything else as a binary value `{"base64", "content_type", "size"}`,
    no body as null. A body that is packed with gzip is unpacked. `$meta.trigger` holds `method`, `path`, `query` and
    `headers` (names in lower case); what could be a login is masked in it.

    A request that is not accepted starts no run and is answered in JSON with what is wrong: 400 (the body cannot be
    read), 401 (the login or signature), 405 (the method), 413 (too large), 415 (an unknown packing), 503 (no login was set
    up here yet). Signatures are compared in constant time; where the time is signed (Stripe, Slack, or a time header of
    your own), a request that is older than the tolerance is refused.
    """

    key = "webhook"
    title = "Webhook"
    description = "Starts a run for each HTTP request to its address."
    category = Category.TRIGGER
    icon = "broadcast"
    aliases = ("http", "request", "api", "endpoint", "listener", "callback", "rest", "incoming", "receive")

    class Config(Settings):
        """Which requests start a run."""

        path: Annotated[str, AfterValidator(_path)] = setting(
            title="Path",
            description="The end of the webhook's address, such as orders or shop/orders.",
            placeholder="orders",
            min_length=1,
        )
        methods: list[Method] = setting(
            title="Methods",
            description="The HTTP methods that are taken.",
            default_factory=lambda: ["POST"],
        )
        auth: Open | ByPassword | ByToken | ByKey | BySignature = setting(
            title="Authentication",
            description="How senders show that they may start a run.",
            default_factory=Open,
            discriminator="type",
        )
        max_bytes: int = setting(
            10_000_000,
            title="Largest body",
            description="In bytes; larger requests are refused.",
            ge=0,
            le=1_000_000_000,
            advanced=True,
        )
        dedupe_key: Lazy | None = setting(
            None,
            title="Same request",
            description="What tells that a request came before: a second one with the same value starts no run.",
            placeholder="event_id",
            advanced=True,
        )

    examples = (
        Example(
            "Take orders",
            {"path": "orders"},
            payload={"number": 1042},
            output={"number": 1042},
        ),
        Example(
            "Signed requests from GitHub",
            {"path": "github", "auth": {"type": "hmac", "connection": "github", "preset": "github"}},
            payload={"action": "opened"},
            output={"action": "opened"},
        ),
        Example(
            "PUT and PATCH with a token",
            {"path": "shop/stock", "methods": ["PUT", "PATCH"], "auth": {"type": "bearer", "connection": "shop"}},
            payload={"sku": "TEE-L", "stock": 3},
            output={"sku": "TEE-L", "stock": 3},
        ),
    )

    @classmethod
    def summary(cls, config: Mapping[str, Json]) -> str:
        """`POST /orders`."""
        methods, path = config.get("methods"), config.get("path")
        told = ", ".join(map(str, methods)) if isinstance(methods, list) and methods else "POST"
        if not isinstance(path, str) or not path.strip("/ "):
            return one_line(f"{told} …")
        return one_line(f"{told} /{caption(path).strip('/')}")

    @classmethod
    def check(cls, config: Mapping[str, Json]) -> Iterable[Fault]:
        """Methods differ; a signature's place is known, once."""
        methods = config.get("methods")
        if methods == []:
            yield Fault("methods", "no method is taken", "no request could start a run", "choose at least one")
        elif isinstance(methods, list) and len(set(map(str, methods))) < len(methods):
            yield Fault("methods", "a method is there twice", "", "take one out")
        auth = config.get("auth")
        if not isinstance(auth, Mapping) or auth.get("type") != "hmac":
            return
        if auth.get("preset") is None and not auth.get("header"):
            yield Fault(
                "auth.header",
                "it is not said where the signature is",
                "without it no request could be verified",
                f"choose a sender ({', '.join(PRESETS)}), or name the header",
            )
        elif auth.get("preset") is not None and auth.get("header"):
            yield Fault(
                "auth.header",
                "the sender fixes the header",
                f"{auth['preset']} always signs the same way",
                "clear the header, or the sender",
            )

    def source(self, config: Config) -> Route:
        """The route that requests come by."""
        return Route(config.path, tuple(config.methods), config.max_bytes)

    def accept(self, config: Config, delivery: Delivery) -> Message | Reply:
        """The message that a request makes, or the answer that says why it makes none."""
        method = delivery.method.upper()
        if method not in config.methods:
            return _refusal(
                405,
                "method_not_allowed",
                f"This webhook takes {' and '.join(config.methods)}, not {method}.",
                {"Allow": ", ".join(config.methods)},
            )
        if len(delivery.body) > config.max_bytes:
            return _refusal(
                413, "too_large", f"The body has {len(delivery.body):,} bytes; this webhook takes {config.max_bytes:,}."
            )
        try:
            _authenticate(config.auth, delivery)
        except Refused as refused:
            return _refusal(refused.status, refused.code, refused.message, refused.headers)
        try:
            payload = _payload(delivery, config.max_bytes)
        except _UnsupportedError as error:
            return _refusal(415, "unsupported_media_type", str(error))
        except BodyError as error:
            kind = MediaType.parse(delivery.headers.get("content-type")).name or "no content type"
            return _refusal(400, "bad_body", f"The body cannot be read ({kind}): {error}.")
        return Message(payload, {"trigger": _described(config.auth, delivery, method)})

    def key_of(self, config: Config, delivery: Delivery) -> str | None:
        """The value of `dedupe_key`; else, where a signature holds no time, what tells a delivery from a copy of it."""
        if config.dedupe_key is not None:
            value = config.dedupe_key()
            return None if value is MISSING or value is None else json.dumps(value, sort_keys=True)
        auth = config.auth
        if not isinstance(auth, BySignature) or auth.timestamp_header or auth.preset in ("stripe", "slack"):
            return None
        told = delivery.headers.get(_DELIVERY_HEADERS.get(auth.preset or "", ""))
        return f"delivery:{told}" if told else f"body:{hashlib.sha256(delivery.body).hexdigest()}"


class _UnsupportedError(Exception):
    """The body is in a form that this webhook does not read."""


def _refusal(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(
        status,
        {"Content-Type": "application/json", "Cache-Control": "no-store", **(headers or {})},
        {"error": code, "message": message},
    )


def _authenticate(auth: Any, delivery: Delivery) -> None:
    if isinstance(auth, Open):
        return
    login = delivery.login
    if login is None or not all(isinstance(text, str) and text for text in login.values()):
        # The sender can do nothing about it, and a message must not be lost: it is asked to come again.
        raise Refused(
            503, "no_login", f"The login {auth.connection!r} of this webhook is not set up yet.", {"Retry-After": "300"}
        )
    try:
        if isinstance(auth, ByPassword):
            verify_password(delivery.headers.get("authorization"), login["username"], login["password"])
        elif isinstance(auth, ByToken):
            verify_token(delivery.headers.get("authorization"), login["token"])
        elif isinstance(auth, ByKey):
            name, place = _key_place(login)
            given = delivery.query.get(name) if place == "query" else delivery.headers.get(name.lower())
            verify_key(given, login["value"], name, place)
        else:
            told = Signed(
                auth.preset, auth.header or "", auth.algorithm, auth.encoding, auth.timestamp_header, auth.tolerance
            )
            verify_hmac(told, login["secret"], delivery.headers, delivery.body, delivery.at)
    except KeyError:
        raise Refused(
            503,
            "wrong_login",
            f"The login {auth.connection!r} of this webhook is of another type than {auth.type}.",
            {"Retry-After": "300"},
        ) from None


def _key_place(login: Mapping[str, str]) -> tuple[str, str]:
    """The name of a key and where it stands; a login is stored without what its type fills in."""
    return login.get("name") or "X-API-Key", login.get("in") or "header"


def _payload(delivery: Delivery, max_bytes: int) -> Json:
    body = _unpacked(delivery.body, delivery.headers.get("content-encoding", ""), max_bytes)
    header = delivery.headers.get("content-type", "")
    media = MediaType.parse(header)
    if not body:
        if media.is_json and delivery.method.upper() in _WITH_BODY:
            raise BodyError("it is empty, and JSON has at least one value")
        return None
    if media.is_json:
        return json_of(body, media.charset)
    if media.name == "application/x-www-form-urlencoded":
        return form_of(body, media.charset)
    if media.name == "multipart/form-data":
        return multipart_of(body, media.parameters.get("boundary", ""))
    if media.is_text:
        return text_of(body, media.charset)
    if media.name:
        return binary_of(body, header)
    # Nothing is said of what it is: JSON and text are recognised.
    try:
        return json_of(body)
    except BodyError:
        pass
    try:
        return body.decode()
    except UnicodeDecodeError:
        return binary_of(body)


def _unpacked(body: bytes, encoding: str, max_bytes: int) -> bytes:
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise _UnsupportedError(f"The body is packed with {encoding}; send it unpacked or with gzip.")
    unpacker = zlib.decompressobj(wbits=47)  # gzip or zlib, by the header
    try:
        unpacked = unpacker.decompress(body, max_bytes + 1)
    except zlib.error:
        raise BodyError(f"it is not packed with {encoding}, as its header says") from None
    if len(unpacked) > max_bytes:
        raise BodyError(f"unpacked it has more than the {max_bytes:,} bytes that this webhook takes")
    if not unpacker.eof:
        raise BodyError(f"it is packed with {encoding}, and its end is missing")
    return unpacked


def _described(auth: Any, delivery: Delivery, method: str) -> dict[str, Json]:
    """What `$meta.trigger` shows of a request; what could be a login is masked."""
    headers = {
        name.lower(): MASK if name.lower() in _SECRET_HEADERS else value for name, value in delivery.headers.items()
    }
    query = dict(delivery.query)
    if isinstance(auth, ByKey) and delivery.login is not None:
        name, _ = _key_place(delivery.login)
        if name.lower() in headers:
            headers[name.lower()] = MASK
        if name in query:
            query[name] = MASK
    return {"method": method, "path": delivery.path, "query": query, "headers": headers}
