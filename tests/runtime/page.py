"""Writes the page about the session's protocol from its message models: `python -m tests.runtime.page`."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec

from flowstudio.runtime import protocol

PAGE = Path(__file__).resolve().parents[2] / "resources" / "docs" / "session.md"

_HEAD = """# The session

`flowstudio session` is the engine process behind the editor: JSON-RPC 2.0 on standard input and output, one message a line. `initialize` comes first; the end of input ends the process. Requests are answered as soon as they can be, each on its own: a slow one does not keep `stop` waiting.

A payload in a message is at most 1 MB; larger ones go by file or by hash. A reference is `{hash, type, bytes, count, preview}`, the preview at most 1 KB; `payload` reads what is behind it, page by page. A path is a list of keys and places: `["lines", 0, "price"]`. A visit is a number, from 1 in the order in which visits began.

Every movement (`pause`, `continue`, `next`, `into`, `out`, `until`, `back`, `goto`) is answered at once with `{}` and ends in one `paused` or `finished`. `run` may be named in most methods; left out it is the current one.
"""


def page() -> str:
    """The whole page."""
    parts = [_HEAD, "## Methods\n"]
    for name, model in protocol.METHODS.items():
        parts.append(f"### {name}\n\n{inspect.cleandoc(model.__doc__ or '')}\n")
        parts.append(_table(model))
    for model in (protocol.Breakpoint, protocol.Pin, protocol.At, protocol.Given):
        parts.append(f"### The object {model.__name__}\n\n{inspect.cleandoc(model.__doc__ or '')}\n")
        parts.append(_table(model))
    parts.append("## Notifications\n\n| name | fields | when |\n|---|---|---|")
    for name, (fields, when) in protocol.NOTIFICATIONS.items():
        parts.append(f"| `{name}` | {' '.join(f'`{field}`' for field in fields.split())} | {when} |")
    parts.append("\n## Errors\n\n| code | when |\n|---|---|")
    source = inspect.getsource(protocol)
    for name in ("FLOW_HAS_PROBLEMS", "RUN_IS_LIVE", "EXPRESSION_FAILED", "NOT_FOUND", "NOT_INITIALIZED", "NO_HISTORY"):
        told = source.split(f"{name}: Final = ")[1].split('"""')[1]
        parts.append(f"| {getattr(protocol, name)} | {told} |")
    return "\n".join(parts) + "\n"


def _table(model: type[msgspec.Struct]) -> str:
    fields = msgspec.structs.fields(model)
    if not fields:
        return ""
    rows = [f"| `{field.encode_name}` | {_type(field.type)} | {_default(field)} |" for field in fields]
    return "\n".join(["| field | type | default |", "|---|---|---|", *rows, ""])


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if isinstance(value, msgspec.Raw):
        return "none"
    return f"`{json.dumps(value)}`"


def _type(kind: Any) -> str:
    if isinstance(kind, str):
        return kind
    if kind is Any:
        return "JSON"
    if kind is msgspec.Raw:
        return "JSON"
    if kind is type(None):
        return "null"
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is list:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"object of {_type(arguments[1])}"
    if arguments and origin is not None and getattr(origin, "__name__", "") == "Literal":
        return ", ".join(f'`"{value}"`' for value in arguments)
    if str(origin) == "typing.Literal":
        return ", ".join(f'`"{value}"`' for value in arguments)
    if arguments:
        return " or ".join(_type(each) for each in arguments)
    return {str: "text", int: "whole number", bool: "true or false", float: "number"}.get(kind, kind.__name__)


if __name__ == "__main__":
    PAGE.write_text(page())
