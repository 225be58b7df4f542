"""The messages between a screen and an engine process: JSON-RPC 2.0, one message a line. Nothing here runs anything."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from flowstudio.errors import ProtocolError
from flowstudio.trace.canonical import canonical

Json = Any

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
FLOW_HAS_PROBLEMS: Final = -32001
"""`data.problems` says why the flow may not run."""
RUN_IS_LIVE: Final = -32002
"""One run is live at a time."""
EXPRESSION_FAILED: Final = -32003
"""`data` has code, message, position and remedy of the expression's error."""
NOT_FOUND: Final = -32004
"""No such run, payload or path."""
NOT_INITIALIZED: Final = -32005
"""`initialize` comes first."""
NO_HISTORY: Final = -32006
"""The session has no data directory, and so keeps no history."""

LARGEST_PAYLOAD: Final = 1_000_000
"""Bytes of a payload in a message; larger ones go by file or by hash."""


def listening_port(flow: str) -> int:
    """Where the webhooks of the flow of this id listen: the same each time, above the usual servers, below the ephemeral ports."""
    return 20_000 + int.from_bytes(hashlib.blake2b(flow.encode(), digest_size=4).digest(), "big") % 12_000


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The parameters of a method: unknown ones are refused."""


class Retain(Params, frozen=True, kw_only=True):
    """Keeps at most so many runs, so many days and so many megabytes of them, and forgets the oldest beyond that.

    What somebody keeps or looks at stays, and so does what is under way; a run stays with its forks.
    """

    runs: int = 10_000
    days: float = 30
    megabytes: float = 2_000


class Initialize(Params, frozen=True):
    """Comes first: `data` is the data directory in which payloads and history are kept, `retain` how long.

    Where the history there cannot be used the session works without one, and the answer says why in `history`.
    """

    data: str | None = None
    retain: Retain | None = None


class At(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A visit of a run: its input is the payload."""

    visit: int
    run: str | None = None


class Evaluate(Params, frozen=True):
    """Evaluates an expression, or a text when `text` is set, over a payload given here, by hash, or of a visit."""

    expression: str
    payload: msgspec.Raw = msgspec.Raw(b"")
    at: At | None = None
    sample: str | None = None
    vars: dict[str, Json] = {}
    meta: dict[str, Json] = {}
    steps: dict[str, Json] = {}
    """What `$steps` shows, where no visit says it."""
    trigger: msgspec.Raw = msgspec.Raw(b"")
    """What `$trigger` shows, where no visit says it; nothing when it is not given."""
    text: bool = False
    keep: bool = False
    """Keeps the value as a payload, and answers with its reference alone."""


class Breakpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where a run stands still; `step` null with `when` error means any step, with `log` it writes and does not stop."""

    step: str | None = None
    when: Literal["before", "after", "error"] = "before"
    id: str | None = None
    condition: str | None = None
    item: int | None = None
    hits: int | None = None
    log: str | None = None
    disabled: bool = False


class Pin(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a step puts out instead of being visited, or how it fails."""

    payload: Json = None
    port: str = "out"
    meta: dict[str, Json] = {}
    error: dict[str, Json] | None = None


class Run(Params, frozen=True, rename={"from_": "from"}):
    """Runs a flow once: a document or a file; the payload here, in a file, or the sample beside the flow's file.

    With `from` the payload goes to that step instead of the trigger, with `to` the run stands still before that one.
    """

    flow: dict[str, Json] | str
    trigger: str | None = None
    payload: msgspec.Raw = msgspec.Raw(b"")
    payload_file: str | None = None
    meta: dict[str, Json] = {}
    vars: dict[str, Json] = {}
    secrets: dict[str, dict[str, str]] = {}
    path: str | None = None
    """Where the document lies on disk, for what it names relative to itself."""
    breakpoints: list[Breakpoint] = []
    muted: bool = False
    pins: dict[str, Pin] = {}
    from_: str | None = None
    to: str | None = None
    again: str | None = None
    """A recorded run whose first message is taken, with its trigger, in the place of `payload` and `meta`."""


class Movement(Params, frozen=True):
    """Moves a run: pause, continue, next, into, out. It ends in one `paused` or `finished`."""

    run: str | None = None


class Until(Params, frozen=True):
    """Goes on until a step, or a visit by number."""

    step: str | None = None
    visit: int | None = None
    run: str | None = None


class Back(Params, frozen=True):
    """Shows the moment before the visit made last; along the `path`, the last on this message's own way."""

    along: Literal["path"] | None = None
    run: str | None = None


class Goto(Params, frozen=True):
    """Shows the moment before or after a visit."""

    visit: int
    when: Literal["before", "after", "error"] = "before"
    run: str | None = None


class Given(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a fork of a run of the history begins with: values, logins, where its flow's file lies, where it stops."""

    vars: dict[str, Json] = {}
    secrets: dict[str, dict[str, str]] = {}
    path: str | None = None
    breakpoints: list[Breakpoint] = []
    muted: bool = False


class Edit(Params, frozen=True):
    """Changes what waits now, or begins a fork at an earlier moment; the answer names the run that goes on.

    `payload` replaces the payload, `value` what lies at `path` in it; `answer` stands in for an effect. `visit` alone is
    a fork from before that visit, unchanged. With `flow` a fork goes on with a changed flow, at the live head too: refused
    with problems where a waiting message's step or an open scope is not in it any more. In a run of the history a fork
    begins with what is `given`, and nothing is sent that was answered before.
    """

    payload: msgspec.Raw = msgspec.Raw(b"")
    path: list[str | int] | None = None
    value: msgspec.Raw = msgspec.Raw(b"")
    flow: dict[str, Json] | None = None
    answer: Json = None
    visit: int | None = None
    run: str | None = None
    given: Given | None = None


class Origin(Params, frozen=True):
    """Where what lies at a path of a visit's output, or of its input, came from: the way back, hop by hop."""

    visit: int
    path: list[str | int]
    side: Literal["input", "output"] = "output"
    run: str | None = None


class Ledger(Params, frozen=True):
    """What left the process in a run, and what came back."""

    run: str | None = None


class SetBreakpoints(Params, frozen=True):
    """Replaces all breakpoints, of the run under way too."""

    set: list[Breakpoint]
    muted: bool = False


class Listen(Params, frozen=True):
    """Starts the flow's triggers, webhooks on loopback; each firing is a run, one after another.

    With `once` the next request is only captured, and starts no run. Runs stop at these breakpoints, and at those that
    are set later.
    """

    flow: dict[str, Json] | str
    vars: dict[str, Json] = {}
    secrets: dict[str, dict[str, str]] = {}
    once: bool = False
    path: str | None = None
    breakpoints: list[Breakpoint] = []
    muted: bool = False
    pins: dict[str, Pin] = {}


class Unlisten(Params, frozen=True):
    """Stops listening."""


class Stop(Params, frozen=True):
    """Ends a run: visits under way are broken off."""

    run: str | None = None


class Payload(Params, frozen=True):
    """A page of a payload: the entries of what lies at `path`.

    `within` is for those who do not wait: after so many milliseconds the answer comes as far as it is there, with its
    `share` of the whole, and whoever asks again has it go on. What nobody asks for again stands still.
    """

    hash: str
    path: list[str | int] = []
    offset: int = 0
    limit: int = 200
    view: str = "tree"
    filter: str | None = None
    sort: Json = None
    line_of: list[str | int] | None = None
    """Of what lies at this path below, the view `text` tells the `line`."""
    within: int | None = None


class Value(Params, frozen=True):
    """All that lies at a path of a payload as text, piece by piece: a string as it is, anything else as JSON.

    The answer has the `text` from the character `offset` on, whether it is `json` and the `last` of it, and about the
    `size` of the whole.
    """

    hash: str
    path: list[str | int] = []
    offset: int = 0


class Search(Params, frozen=True):
    """The places in a payload that hold a text, in keys or values, upper and lower case alike; `within` as for `payload`."""

    hash: str
    text: str
    offset: int = 0
    limit: int = 200
    look: bool = False
    """Tells beside the paths of the `hits` what lies there (`looks`), as entries of pages."""
    within: int | None = None


class Diff(Params, frozen=True):
    """What differs between two payloads, or between what lies at a path of both; `within` as for `payload`.

    Items of lists are matched by what identifies them (`id`, say). A side of a difference is told as an entry of a page.
    """

    a: str
    b: str
    path: list[str | int] = []
    offset: int = 0
    limit: int = 200
    within: int | None = None


class Runs(Params, frozen=True):
    """A page of the recorded runs, newest first, forks behind their run: `find` in label, flow, id, steps and errors.

    With `value` they are those in which a payload that came in or went out holds `find`; each then has where it was
    `found`: visit, side and path. `within` as for `payload`: the answer comes with its `share` until all are looked
    through. `since` and `before` are seconds since 1970.
    """

    find: str = ""
    status: str | None = None
    offset: int = 0
    limit: int = 100
    flow: str | None = None
    since: float | None = None
    before: float | None = None
    value: bool = False
    within: int | None = None


class History(Params, frozen=True):
    """What the history holds: the `flows` that have runs, the `bytes` on disk, and the `retention`."""


class Mark(Params, frozen=True):
    """Keeps runs whatever is swept (`kept`), or no longer; gives them another `label`."""

    runs: list[str]
    kept: bool | None = None
    label: str | None = None


class Steps(Params, frozen=True):
    """The steps that were visited in a recorded run: how many `visits`, how many `failed`, the time, and the last visit."""

    run: str


class Compare(Params, frozen=True):
    """The visits of two runs aligned by address, each with what `differs`; with `differing` those alone.

    The answer also has how many `visits` there are in either, and how many of them are `differing`.
    """

    a: str
    b: str
    differing: bool = False
    offset: int = 0
    limit: int = 200


class Open(Params, frozen=True):
    """Tells a recorded run again: its flow in the answer, then every `visit`, its `log` and how it `finished`.

    From then on it can be moved in, and forks can begin in it where it is `whole`: nothing of it is done again. With
    `together` its visits come many at a time, as `visits`.
    """

    run: str
    data: str | None = None
    together: bool = False


class Delete(Params, frozen=True):
    """Forgets recorded runs with their forks, and the payloads that no other run refers to.

    With `ask` it is only said which `runs` would go.
    """

    runs: list[str]
    ask: bool = False


class Trace(Params, frozen=True):
    """The events of a run, in order."""

    run: str | None = None
    offset: int = 0
    limit: int = 1000


METHODS: Final[dict[str, type[Params]]] = {
    "initialize": Initialize,
    "evaluate": Evaluate,
    "run": Run,
    "listen": Listen,
    "unlisten": Unlisten,
    "stop": Stop,
    "pause": Movement,
    "continue": Movement,
    "next": Movement,
    "into": Movement,
    "out": Movement,
    "until": Until,
    "back": Back,
    "goto": Goto,
    "edit": Edit,
    "breakpoints": SetBreakpoints,
    "origin": Origin,
    "ledger": Ledger,
    "payload": Payload,
    "value": Value,
    "search": Search,
    "diff": Diff,
    "trace": Trace,
    "runs": Runs,
    "history": History,
    "open": Open,
    "mark": Mark,
    "steps": Steps,
    "compare": Compare,
    "delete": Delete,
    "retain": Retain,
}


NOTIFICATIONS: Final[dict[str, tuple[str, str]]] = {
    "visit": (
        "run visit step address status input output started_at duration_ms attempt left outcome meta effects error",
        "A visit began (`running`), and told again how it fares: `succeeded`, `filtered`, `failed` or `waiting`. `input` "
        "and `output` are references, `left` counts the messages that went on by each port.",
    ),
    "visits": ("run visits", "Many visits of a run of the history, as `visit` tells of one."),
    "log": ("run step address visit level message fields at", "A line of the run's log."),
    "paused": (
        "run visit step address when input reason live request recorded parent",
        "The run stands still before or after a visit, or shows an earlier moment (`live` false). With the reason "
        "`effect` a fork stands before something that it would send: `request` says what, `recorded` whether an answer "
        "was recorded.",
    ),
    "waiting": (
        "run wires",
        "Where messages wait while the run stands still: by wire how many, and the first of them.",
    ),
    "left_out": (
        "run steps logged effected",
        "A run of more than 100,000 visits: how many visits of each step were counted and not recorded.",
    ),
    "captured": ("step payload meta", "The request that `listen` with `once` waited for."),
    "fired": (
        "run step meta payload ref",
        "While it listens: a trigger has started a run, with this message; `ref` in the place of a payload above 1 MB.",
    ),
    "queued": ("count", "While it listens: so many firings wait until the runs before are through."),
    "skipped": ("step", "While it listens: a schedule fired while a run was under way, and was left out."),
    "due": ("step at", "While it listens: when a schedule fires next, in seconds since 1970."),
    "refused": (
        "step method path status reason at",
        "While it listens: a request that the trigger did not take, with the status that it was answered and why.",
    ),
    "history_failed": ("message", "The history of runs could not be written or swept; runs go on without it."),
    "swept": ("runs bytes", "So many runs were forgotten, because they are beyond what is retained."),
    "finished": ("run status outputs filtered visits duration_ms error", "The run has ended."),
}
"""What a session tells without being asked: the fields, and when."""


class Call(msgspec.Struct, frozen=True):
    """One request as it came in; `id` None is a notification, which gets no answer."""

    method: str
    params: msgspec.Raw = msgspec.Raw(b"{}")
    id: int | str | None = None
    jsonrpc: str = "2.0"


def notification(method: str, params: Mapping[str, Json]) -> bytes:
    """The line that tells something without being asked."""
    return canonical({"jsonrpc": "2.0", "method": method, "params": dict(params)}) + b"\n"


_calls = msgspec.json.Decoder(Call)


def read_call(line: bytes) -> Call:
    """The request on a line; ProtocolError when it is none."""
    try:
        return _calls.decode(line)
    except msgspec.ValidationError as error:
        raise ProtocolError(f"this is not a JSON-RPC request: {error}", code=INVALID_REQUEST) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(f"this line is not JSON: {error}", code=PARSE_ERROR) from None


def read_params(call: Call) -> Params:
    """The parameters of a request as its method declares them; ProtocolError says what does not fit."""
    model = METHODS.get(call.method)
    if model is None:
        raise ProtocolError(
            f"there is no method {call.method!r}; there are {', '.join(METHODS)}", code=METHOD_NOT_FOUND
        )
    try:
        return msgspec.json.decode(bytes(call.params) or b"{}", type=model)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(f"the parameters of {call.method} do not fit: {error}", code=INVALID_PARAMS) from None
