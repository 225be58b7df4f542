"""The component `http`: calls another system and puts its answer in the place of the payload."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from html import unescape
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator

from flowstudio.components.bodies import (
    BodyError,
    MediaType,
    binary_of,
    bytes_of,
    form_bytes,
    json_bytes,
    json_of,
    multipart_bytes,
    scalar_text,
    text_of,
    utf8,
)
from flowstudio.components.captions import caption, one_line
from flowstudio.components.pagination import Pages, Style, first_query
from flowstudio.components.paths import PathSyntaxError, kind_of, parse_path
from flowstudio.sdk import (
    MISSING,
    Answer,
    Category,
    Component,
    Context,
    Example,
    Fault,
    HttpStatusError,
    Lazy,
    Settings,
    SlotName,
    StepError,
    Text,
    To,
    setting,
)

if TYPE_CHECKING:
    from flowstudio.httpclient import URL, Request, Response

Json = Any
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]

_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
_WITHOUT_KEY: Final = frozenset({"GET", "HEAD"})
_STATUSES: Final = re.compile(r"([1-9]\d\d)(?:-([1-9]\d\d))?")
_SCHEME: Final = re.compile(r"(?i)https?://.|\s*\{\{")
_TAG: Final = re.compile(r"(?is)<title[^>]*>(.*?)</title>")
_REASON_LENGTH: Final = 300
# Where APIs put the sentence that says why, the most telling first.
_REASON_KEYS: Final = (
    "detail",
    "message",
    "error_description",
    "error_message",
    "errorMessage",
    "description",
    "reason",
    "error",
    "errors",
    "fault",
    "faultstring",
    "title",
    "msg",
)


def _statuses(text: str) -> str:
    found = _STATUSES.fullmatch(text.strip())
    if not found or int(found[2] or found[1]) < int(found[1]):
        raise ValueError("write a status such as 404, or a range such as 400-599")
    return text.strip()


Statuses = Annotated[str, AfterValidator(_statuses)]


class Http(Component):
    """Calls another system over HTTP.

    The answer's body replaces the payload; `$meta.status` and `$meta.headers` (names in lower case) tell the rest. An
    empty body is null. JSON is read with integers exact; what is neither JSON nor text becomes a binary value,
    `{"base64": "...", "content_type": "...", "size": 123}`, and such a value is what the body types binary and multipart
    take. Text is read by its byte order mark, the charset of its Content-Type, UTF-8, else Windows-1252.

    Every method but GET and HEAD carries an `Idempotency-Key`, the same for all tries of a visit and another for every
    other visit, unless `headers` gives one. Redirects are not followed: their status is an answer like any other.

    A status in `fail_on` fails the step with the type `HttpStatus`; `$error.status` is the status and `$error.data` the
    body of the answer. A `Retry-After` of the other system is heeded when the step is tried again.
    """

    key = "http"
    title = "HTTP request"
    description = "Calls another system over HTTP and continues with its answer."
    category = Category.CONNECT
    icon = "globe"
    aliases = ("rest", "api", "request", "call", "get", "post", "fetch", "curl", "web service", "soap")
    pure = False

    class Config(Settings):
        """What to call, with what, and how to read the answer."""

        method: Method = setting("GET", title="Method", description="What to do at the address.")
        url: Text = setting(
            title="Address",
            description="Where to call, beginning with http:// or https://. Values are written in {{ }}.",
            widget="url",
            placeholder="https://api.example.com/customers/{{ id }}",
            min_length=1,
        )
        connection: SlotName | None = setting(
            None, title="Connection", description="The login that is added to the request."
        )
        query: dict[str, Text] = setting(
            title="Query parameters",
            description="Added to the address after the question mark. An entry whose value is nothing is left out.",
            default_factory=dict,
        )
        headers: dict[str, Text] = setting(
            title="Headers",
            description="Sent with the request. An entry whose value is nothing is left out.",
            default_factory=dict,
        )
        body: Lazy | None = setting(
            None,
            title="Body",
            description="What is sent. Left empty, POST, PUT and PATCH send the payload, the others nothing.",
        )
        body_type: Literal["json", "form", "multipart", "text", "binary"] = setting(
            "json",
            title="Body type",
            description="How the body is written: as JSON, as the fields of a form (multipart: with files), as plain "
            'text, or as the bytes of a binary value {"base64": ..., "content_type": ...}.',
        )
        response: Literal["auto", "json", "text", "binary"] = setting(
            "auto",
            title="Answer",
            description="How the answer is read. Auto follows its Content-Type; what is neither JSON nor text becomes "
            'a binary value {"base64": ..., "content_type": ..., "size": ...}.',
        )
        fail_on: list[Statuses] = setting(
            title="Fail on",
            description="The statuses that make the step fail: single ones such as 404, ranges such as 400-599. "
            "An empty list never fails.",
            default_factory=lambda: ["400-599"],
        )
        pagination: Style = setting(
            "none",
            title="Pages",
            description="How the system hands out long lists. All pages are read, and the payload becomes one list of "
            "all items: with a cursor from each answer, by page number, by offset, or by a link to the next page "
            "(the Link header, or an address in the answer).",
            group="Pagination",
        )
        items: str = setting(
            "",
            title="Items at",
            description="Where in each answer the list lies, such as data.items. Empty when the answer is the list.",
            group="Pagination",
            placeholder="data",
        )
        next: str = setting(
            "",
            title="Next at",
            description="Where in each answer the cursor or the address of the next page lies, such as "
            "paging.next_cursor. Empty with Link: the Link header is read.",
            group="Pagination",
            placeholder="paging.next_cursor",
        )
        cursor_param: str = setting(
            "cursor",
            title="Cursor parameter",
            description="The query parameter that takes the cursor.",
            group="Pagination",
            min_length=1,
        )
        page_param: str = setting(
            "page",
            title="Page parameter",
            description="The query parameter that takes the page number.",
            group="Pagination",
            min_length=1,
        )
        first_page: int = setting(
            1, title="First page", description="The number of the first page.", group="Pagination", ge=0
        )
        offset_param: str = setting(
            "offset",
            title="Offset parameter",
            description="The query parameter that takes the number of items to skip.",
            group="Pagination",
            min_length=1,
        )
        size_param: str = setting(
            "limit",
            title="Size parameter",
            description="The query parameter that takes the page size, where one is given.",
            group="Pagination",
        )
        page_size: int | None = setting(
            None,
            title="Page size",
            description="How many items to ask for at a time. A page with fewer is the last one; without a size, "
            "an empty page is.",
            group="Pagination",
            ge=1,
        )
        max_pages: int = setting(
            100,
            title="Most pages",
            description="The step fails when there are more, so that a list is never cut without a word.",
            group="Pagination",
            ge=1,
            le=10_000,
        )

    examples = (
        Example(
            "Create a customer from the payload",
            {"method": "POST", "url": "https://crm.example.com/customers"},
            payload={"name": "Ada Lovelace"},
            output={"id": 17, "name": "Ada Lovelace"},
            requests=(
                {"method": "POST", "url": "https://crm.example.com/customers", "body": {"name": "Ada Lovelace"}},
            ),
            answers=(Answer(201, {"Content-Type": "application/json"}, {"id": 17, "name": "Ada Lovelace"}),),
        ),
        Example(
            "Look something up, with an optional filter",
            {
                "url": "https://shop.example.com/orders/{{ number }}",
                "query": {"fields": "id,total", "currency": "{{ currency }}"},
            },
            payload={"number": 1042},
            output={"id": 1042, "total": 149},
            requests=({"method": "GET", "url": "https://shop.example.com/orders/1042?fields=id%2Ctotal"},),
            answers=(Answer(200, {"Content-Type": "application/json"}, {"id": 1042, "total": 149}),),
        ),
        Example(
            "Read every page of a list",
            {
                "url": "https://shop.example.com/orders",
                "pagination": "cursor",
                "items": "data",
                "next": "paging.next",
            },
            output=[{"id": 1}, {"id": 2}, {"id": 3}],
            requests=(
                {"method": "GET", "url": "https://shop.example.com/orders"},
                {"method": "GET", "url": "https://shop.example.com/orders?cursor=c2"},
            ),
            answers=(
                Answer(
                    200,
                    {"Content-Type": "application/json"},
                    {"data": [{"id": 1}, {"id": 2}], "paging": {"next": "c2"}},
                ),
                Answer(200, {"Content-Type": "application/json"}, {"data": [{"id": 3}], "paging": {}}),
            ),
        ),
    )

    @classmethod
    def summary(cls, config: Mapping[str, Json]) -> str:
        """`POST {crm_url}/customers`."""
        method = config.get("method")
        address = caption(config.get("url"), "…")
        return one_line(f"{method if isinstance(method, str) else 'GET'} {address.removeprefix('https://')}")

    @classmethod
    def check(cls, config: Mapping[str, Json]) -> Iterable[Fault]:
        """The address has a scheme; what the way of paging needs is there; paths are paths."""
        url = config["url"]
        if url.strip().lower().startswith("demo:"):
            yield Fault(
                "url",
                "a demo address stands in a variable alone",
                "it is replaced by that of the target system which is started for the run",
                "make it a variable, or write an address that begins with http:// or https://",
            )
        elif not _SCHEME.match(url.strip()):
            yield Fault(
                "url",
                "the address does not begin with http:// or https://",
                "it would not be known how to call it",
                "write the whole address",
            )
        for name in ("items", "next"):
            source = config[name]
            if source and "{{" not in source:
                try:
                    parse_path(source)
                except PathSyntaxError as error:
                    yield Fault(
                        name, "this is no path", error.message, error.remedy, (error.position, error.position + 1)
                    )
        if config["pagination"] == "cursor" and not config["next"]:
            yield Fault(
                "next",
                "it is not said where the cursor lies",
                "without it only the first page could be read",
                "name the field of the answer that holds the next cursor",
            )

    async def run(self, config: Config, payload: Json, context: Context) -> To:
        """The answer's body; `$meta.status` and `$meta.headers` tell the rest."""
        # Loaded with the first request: the palette loads every component.
        from flowstudio.httpclient import build_request

        content, content_type = _content(config, payload)
        headers = _given(config.headers)
        given = {name.lower() for name in headers}
        if content_type and "content-type" not in given:
            headers["Content-Type"] = content_type
        if config.response == "json" and "accept" not in given:
            headers["Accept"] = "application/json"
        own_key = config.method in _WITHOUT_KEY or "idempotency-key" in given
        query = list(_given(config.query).items())

        def request_for(address: str, params: Iterable[tuple[str, str]], page: int) -> Request:
            sent = dict(headers)
            if not own_key:
                # Each page is a request of its own: under one key the other side would answer all with the first.
                sent["Idempotency-Key"] = context.idempotency_key + (f":page-{page}" if page > 1 else "")
            return build_request(config.method, address, headers=sent, params=params, content=content)

        async def ask(request: Request) -> tuple[Response, Json]:
            response = await context.http(request, connection=config.connection)
            if _fails(response.status_code, config.fail_on):
                raise _refusal(request.url, response, context.clock.now)
            return response, _answer(config.response, request.url, response)

        if config.pagination == "none":
            response, answer = await ask(request_for(config.url, query, 1))
            return To(payload=answer, meta=_meta(response))
        request = request_for(config.url, [*query, *first_query(config).items()], 1)
        pages = Pages(config, request.url)
        while True:
            response, answer = await ask(request)
            following = pages.next(answer, request, response)
            if following is None:
                return To(payload=pages.items, meta=_meta(response))
            request = request_for(str(following), (), pages.count + 1)


def _given(entries: Mapping[str, Any]) -> dict[str, str]:
    """The entries that have a value for this message."""
    return {name: value for name, value in entries.items() if value is not MISSING}


def _meta(response: Response) -> dict[str, Json]:
    return {"status": response.status_code, "headers": {name.lower(): text for name, text in response.headers.items()}}


def _content(config: Any, payload: Json) -> tuple[bytes | None, str]:
    """The bytes to send and their type; None for a request without a body."""
    value = config.body() if config.body is not None else payload if config.method in _WITH_BODY else MISSING
    if value is MISSING:
        return None, ""
    try:
        match config.body_type:
            case "form":
                return form_bytes(value), "application/x-www-form-urlencoded"
            case "multipart":
                content, boundary = multipart_bytes(value)
                return content, f"multipart/form-data; boundary={boundary}"
            case "text":
                if isinstance(value, (dict, list)):
                    raise BodyError(f"the body is {kind_of(value)}, and it is to be sent as text; write $string($)")
                return utf8("" if value is None else scalar_text(value)), "text/plain; charset=utf-8"
            case "binary":
                named = value.get("content_type") if isinstance(value, dict) else None
                return bytes_of(value), named if isinstance(named, str) else "application/octet-stream"
        return json_bytes(value), "application/json"
    except BodyError as error:
        raise StepError(
            f"The body cannot be sent as {config.body_type}: {error}; correct body or body type",
            type="Body",
            retryable=False,
        ) from None


def _answer(form: str, url: URL, response: Response) -> Json:
    body = response.content
    header = response.headers.get("content-type", "")
    media = MediaType.parse(header)
    if form == "binary":
        return binary_of(body, header)
    if form == "auto":
        if not body:
            return None
        form = _form_of(media, body)
        if form == "binary":
            return binary_of(body, header)
    try:
        return json_of(body, media.charset) if form == "json" else text_of(body, media.charset)
    except BodyError as error:
        raise StepError(
            f"{url.host} answered {_status(response)}, but the body is not the {'JSON' if form == 'json' else 'text'} "
            f"that was expected: {error}; look at the answer, or read it as text or binary",
            type="Answer",
            status=response.status_code,
            details={"line": error.line, "column": error.column},
        ) from None


def _form_of(media: MediaType, body: bytes) -> str:
    if media.is_json:
        return "json"
    if media.is_text:
        return "text"
    if media.name:
        return "binary"
    # Nothing is said of what it is: text is what can be read as such.
    try:
        body.decode()
    except UnicodeDecodeError:
        return "binary"
    return "text"


def _fails(status: int, ranges: Iterable[str]) -> bool:
    for written in ranges:
        first, _, last = written.partition("-")
        if int(first) <= status <= int(last or first):
            return True
    return False


def _status(response: Response) -> str:
    return f"{response.status_code} {response.reason_phrase}".strip()


def _refusal(url: URL, response: Response, now: float) -> HttpStatusError:
    """What is raised for a status that counts as failure, in the words that go with it."""
    status = response.status_code
    data = _body_of_failure(response)
    reason = _reason(data)
    if status == 401:
        what, remedy = "did not accept the login", "check the connection"
    elif status == 403:
        what, remedy = "does not allow this", "check what the login may do"
    elif status in (404, 410):
        what, remedy = "has nothing at this address", "check the address"
    elif status == 429:
        what, remedy = "asks for fewer requests", "retry later, or send less at a time"
    elif status >= 500:
        what, remedy = "failed", "try again later, or ask whoever runs it"
    elif 300 <= status < 400:
        what, remedy = "points to another address", "call that address"
    else:
        what, remedy = "did not accept the request", "check what is sent"
    # The other side's own reason says better what to do than any general advice.
    told = f"{url.host} {what} ({_status(response)})" + (f": {reason}" if reason else f"; {remedy}")
    return HttpStatusError(told, status=status, data=data, retry_after=_retry_after(response, now))


def _body_of_failure(response: Response) -> Json:
    """The body as JSON, text or binary, whichever it can be: a failure is told even when its body is broken."""
    body = response.content
    if not body:
        return None
    header = response.headers.get("content-type", "")
    media = MediaType.parse(header)
    try:
        return json_of(body, media.charset)
    except BodyError:
        if media.is_text or media.is_json or not media.name:
            return text_of(body)
        return binary_of(body, header)


def _reason(data: Json) -> str:
    """The sentence in a failure's body that says why, cut; empty where there is none."""
    if isinstance(data, str) and (found := _TAG.search(data)):
        data = unescape(found[1])
    elif isinstance(data, str) and data.lstrip().startswith("<"):
        return ""
    told = " ".join(_sentence(data, 0).split()).rstrip(".")
    return told if len(told) <= _REASON_LENGTH else told[: _REASON_LENGTH - 1] + "…"


def _sentence(data: Json, depth: int) -> str:
    if isinstance(data, str):
        return data.strip()
    if depth > 4:
        return ""
    if isinstance(data, list):
        told = [part for part in (_sentence(element, depth + 1) for element in data[:5]) if part]
        return "; ".join(dict.fromkeys(told))
    if not isinstance(data, dict):
        return ""
    for key in _REASON_KEYS:
        if part := _sentence(data.get(key), depth + 1):
            if isinstance(data.get(key), str) and (more := _sentence(data.get("errors"), depth + 1)) and more != part:
                return f"{part} ({more})"
            field = _field_of(data) if depth else ""
            return f"{field}: {part}" if field else part
    # `{"email": ["is required"]}`: the fields that are wrong, each with its reasons.
    fields = [
        (name, _sentence(value, depth + 1))
        for name, value in list(data.items())[:5]
        if depth or isinstance(value, list)
    ]
    return "; ".join(f"{name}: {part}" for name, part in fields if part)


def _field_of(data: Mapping[str, Json]) -> str:
    """The field that an entry of a list of errors is about."""
    for key in ("field", "param", "property", "loc", "path"):
        named = data.get(key)
        if isinstance(named, list) and named:
            named = named[-1]
        if isinstance(named, str) and named:
            return named
    return ""


def _retry_after(response: Response, now: float) -> float | None:
    """The seconds that the other side asks to wait. A date is counted from the answer's own Date, else from `now`."""
    text = response.headers.get("retry-after", "").strip()
    if not text:
        return None
    if text.isdecimal():
        return float(text[:12])
    until = _seconds(text)
    if until is None:
        return None
    sent = _seconds(response.headers.get("date", ""))
    return max(0.0, until - (now if sent is None else sent))


def _seconds(date: str) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
    except (TypeError, ValueError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
