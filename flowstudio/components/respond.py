"""The component `respond`: answers the request that started the run."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flowstudio.components.bodies import BodyError, MediaType, bytes_of, is_binary
from flowstudio.components.captions import expression_caption
from flowstudio.sdk import (
    MISSING,
    Category,
    Component,
    Context,
    Example,
    Expression,
    Reply,
    Settings,
    StepError,
    Text,
    Value,
    setting,
)

Json = Any


class Respond(Component):
    """Answers the request that started the run.

    The first visit answers; a later one is noted in the log, and the message passes on in any case. A run that nobody
    waits for, started by hand or by the clock, passes on as well.
    """

    key = "respond"
    title = "Respond"
    description = "Answers the request that started the run, then passes the message on."
    category = Category.LOGIC
    icon = "arrow-bend-up-left"
    aliases = ("reply", "answer", "response", "return", "webhook response", "http response")
    pure = False

    class Config(Settings):
        """What to answer."""

        status: Value[int] = setting(
            200, title="Status", description="The HTTP status, such as 200 or 404.", ge=200, le=599
        )
        headers: dict[str, Text] = setting(
            title="Headers",
            description="Sent with the answer. An entry whose value is nothing is left out.",
            default_factory=dict,
        )
        body: Expression = setting(
            "$",
            title="Body",
            description="What is answered, as JSON unless a header Content-Type says otherwise: then a text goes out "
            "as it is, and a binary value as its bytes.",
        )

    examples = (
        Example("Answer with the payload", {}, payload={"id": 17}, output={"id": 17}),
        Example(
            "Created, with an address",
            {"status": 201, "headers": {"Location": "/customers/{{ id }}"}, "body": '{"id": id}'},
            payload={"id": 17, "name": "Ada"},
            output={"id": 17, "name": "Ada"},
        ),
        Example(
            "The status from the payload",
            {"status": "{{ found ? 200 : 404 }}", "body": "customer"},
            payload={"found": False},
            output={"found": False},
        ),
    )

    @classmethod
    def summary(cls, config: Mapping[str, Json]) -> str:
        """`201 Created`, and what is answered."""
        status = config.get("status", 200)
        told = _named(status) if isinstance(status, int) and not isinstance(status, bool) else "Status by expression"
        body = config.get("body")
        return told if body in (None, "$", "") else f"{told}: {expression_caption(body, 'a body')}"

    def run(self, config: Config, payload: Json, context: Context) -> Reply:
        """The answer; the payload goes on unchanged."""
        entries: Mapping[str, Any] = config.headers
        headers = {name: text for name, text in entries.items() if text is not MISSING}
        body = None if config.body is MISSING else config.body
        media = MediaType.parse(next((text for name, text in headers.items() if name.lower() == "content-type"), None))
        if is_binary(body) and media.name and not media.is_json:
            try:
                body = bytes_of(body)
            except BodyError as error:
                raise StepError(
                    f"The body cannot be answered as {media.name}: {error}; correct the body or its Content-Type",
                    type="Body",
                    retryable=False,
                ) from None
        return Reply(config.status, headers, body)


def _named(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
