"""The reference pages, one for each component, made of what the components say of themselves."""

from __future__ import annotations

import inspect
import json
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flowstudio.flow.model import ABSENT
from flowstudio.sdk import Example, Port, Sleep, Wait
from flowstudio.sdk.registry import Registry
from flowstudio.sdk.spec import ConnectionSpec, FieldSpec, Spec
from tests.conformance.stage import NOW

FOLDER = Path(__file__).resolve().parents[2] / "resources" / "docs" / "components"

_FORMS = {
    "string": "text",
    "long-text": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "connection": "a connection's name",
    "secret": "secret",
    "json": "any JSON",
    "code": "code",
    "datetime": "date and time",
    "timedelta": "span of time",
}
_KINDS = {
    "static": "fixed for each customer",
    "text": "text with {{ }}",
    "value": "value, or one {{ }}",
    "expression": "expression",
}


def pages(registry: Registry) -> dict[str, str]:
    """Every page by its file name."""
    specs = registry.specs()
    made = {f"{spec.key}.md": page(spec) for spec in specs}
    made["connections.md"] = connections_page(registry.connections())
    made["index.md"] = index_page(specs)
    return made


def page(spec: Spec) -> str:
    """The page of one component."""
    parts = [f"# {spec.title}", spec.description]
    rows = [("Component", f"`{spec.name}`"), ("Group", spec.category)]
    if spec.aliases:
        rows.append(("Elsewhere", ", ".join(spec.aliases)))
    rows.append(("In", _ports(spec.inputs) or "none, it starts runs"))
    outs = _ports(spec.outputs)
    rows.append(("Out", f"{outs}, `error`" if spec.fails else outs))
    parts.append("\n".join(["| | |", "|---|---|", *(f"| {name} | {text} |" for name, text in rows)]))
    details = (inspect.getdoc(spec.component) or "").partition("\n\n")[2]
    if details:
        parts.append(_flowing(details))
    if spec.fields:
        parts += ["## Settings", *_settings(spec.fields)]
    parts += ["## Examples", *(text for example in spec.component.examples for text in _example(example, spec.shape))]
    return "\n\n".join(parts) + "\n"


def _ports(ports: tuple[Port, ...]) -> str:
    return ", ".join(f"`{port.name}`" for port in ports)


def _flowing(text: str) -> str:
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _settings(fields: tuple[FieldSpec, ...]) -> Iterator[str]:
    groups: dict[str | None, list[FieldSpec]] = {}
    for field in fields:
        groups.setdefault("Advanced" if field.advanced else field.group, []).append(field)
    for group, members in groups.items():
        if group is not None:
            yield f"### {group}"
        yield "\n".join(line for field in members for line in _setting(field, 0))


def _setting(field: FieldSpec, depth: int) -> Iterator[str]:
    indent = "  " * depth
    told = [_form(field), "required" if field.required else "", _KINDS[str(field.kind)]]
    if field.form in ("group", "union"):
        told = [_form(field), "required" if field.required else ""]
    if field.default not in (ABSENT, None, "", [], {}):
        told.append(f"default `{json.dumps(field.default, ensure_ascii=False)}`")
    yield f"{indent}- **{field.title}** (`{field.name}`; {'; '.join(filter(None, told))}). {field.description}"
    for inner in field.fields or (field.item.fields if field.item is not None else ()):
        yield from _setting(inner, depth + 1)
    for variant in field.variants:
        yield f'{indent}  - `"{variant.value}"`: {variant.title}'
        for inner in variant.fields:
            yield from _setting(inner, depth + 2)


def _form(field: FieldSpec) -> str:
    if str(field.kind) == "expression" and field.form == "json":
        return "any JSON"
    if field.form == "choice":
        return "one of " + ", ".join(f"`{option}`" for option in field.options)
    if field.form == "list" and field.item is not None:
        return "list of objects" if field.item.fields else f"list of: {_form(field.item)}"
    if field.form == "dict" and field.item is not None:
        return "names, each with a value"
    if field.form == "union":
        return f"an object, its `{field.discriminator}` says which"
    if field.form == "group":
        return "an object"
    limits = [
        f"{word} {int(limit) if float(limit).is_integer() else limit:,}"
        for word, limit in (("at least", field.minimum), ("at most", field.maximum))
        if limit is not None
    ]
    return ", ".join([_FORMS[field.form], *limits])


_ARRIVES = {"collect": "These payloads arrive:", "merge": "By branch, these payloads arrive:"}
_LEAVES = {"split": "By `{}` a message goes on for each of:", "call": "The called flow begins with:"}


def _example(example: Example, shape: str) -> Iterator[str]:
    yield f"### {example.title}"
    yield "Settings:"
    yield _json(dict(example.config))
    if example.state:
        yield "`$state`:"
        yield _json(dict(example.state))
    for name, text in example.files.items():
        yield f"`{name}` holds:"
        yield f"```\n{text.removesuffix(chr(10))}\n```"
    yield _ARRIVES.get(shape, "Payload:")
    yield _json(example.payload)
    for number, request in enumerate(example.requests):
        yield "It sends:"
        yield _json(dict(request))
        if number < len(example.answers):
            answer = example.answers[number]
            yield f"and is answered {answer.status}:"
            yield _json(answer.body)
    if example.remembers is not None:
        yield "`$state` is then:"
        yield _json(dict(example.remembers))
    if example.error is not None:
        yield f"It fails: {example.error}"
        return
    if isinstance(example.waits, Sleep):
        yield f"At {_moment(NOW)} it comes to rest until {_moment(example.waits.until)}."
    elif isinstance(example.waits, Wait):
        timeout = "" if example.waits.timeout is None else f", {example.waits.timeout:,g} seconds at most"
        yield f"It waits for the signal `{example.waits.signal}`{timeout}."
    if example.port is None:
        yield "Nothing goes on."
    else:
        yield _LEAVES.get(shape, "By `{}` goes on:").format(example.port)
        yield _json(example.output)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(sep=" ", timespec="seconds").replace("+00:00", " UTC")


def _json(value: Any) -> str:
    return f"```json\n{json.dumps(value, ensure_ascii=False, indent=2)}\n```"


def connections_page(specs: list[ConnectionSpec]) -> str:
    """The page of the logins."""
    parts = [
        "# Connections",
        "A connection is a login. A flow has a slot for it, the login itself lies in a secret store.",
    ]
    for spec in specs:
        parts += [f"## {spec.title}", f"Type `{spec.key}`. {spec.description}"]
        parts.append("\n".join(line for field in spec.fields for line in _setting(field, 0)))
    return "\n\n".join(parts) + "\n"


def index_page(specs: list[Spec]) -> str:
    """The list of all components, and how settings are written."""
    kinds = """\
        A setting has one of four kinds, which its component decides:

        - **fixed for each customer**: a JSON value, or exactly one `{{ }}` that reads `$vars` and `$customer` alone
        - **text with {{ }}**: text with expressions in double braces anywhere in it
        - **value, or one {{ }}**: a JSON value of its type, or exactly one `{{ }}` that gives one
        - **expression**: an expression, without braces"""
    lines = ["# Components"]
    group = ""
    for spec in specs:
        if spec.category != group:
            group = spec.category
            lines.append(f"\n## {group}\n")
        lines.append(f"- [{spec.title}]({spec.key}.md): {spec.description}")
    return (
        "\n".join([*lines, "\n## Settings\n", textwrap.dedent(kinds), "\nLogins: [connections](connections.md)."])
        + "\n"
    )


def write(folder: Path = FOLDER) -> list[Path]:
    """Writes every page, takes away those of components that are gone; the files that changed."""
    folder.mkdir(parents=True, exist_ok=True)
    made = pages(Registry.from_entry_points())
    changed = []
    for path in folder.glob("*.md"):
        if path.name not in made:
            path.unlink()
            changed.append(path)
    for name, text in made.items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8", newline="\n")
            changed.append(path)
    return changed
