"""The component `template`: writes a text with values in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flowstudio.components.bodies import MediaType
from flowstudio.components.captions import caption
from flowstudio.sdk import Category, Component, Context, Example, Fault, LongText, Settings, To, setting

Json = Any


class Template(Component):
    """Writes a text with values in it, and puts it out in place of the payload.

    Values stand in {{ }}: a text as it is, a number exactly, objects and lists as JSON, null and nothing as no text. They
    are not escaped: in HTML, XML or a query of another system, write what has to be escaped with `$replace` or
    `$encodeUrlComponent`, or make the text with the step for its format.

    The content type goes along as `$meta.content_type`, for a step that sends the text.
    """

    key = "template"
    title = "Template"
    description = "Writes a text with values in it, such as a mail or a page."
    category = Category.TRANSFORM
    icon = "text-t"
    aliases = (
        "text",
        "html",
        "mustache",
        "handlebars",
        "liquid",
        "freemarker",
        "velocity",
        "string builder",
        "compose",
    )

    class Config(Settings):
        """The text, and what it is."""

        text: LongText = setting(
            title="Text",
            description="The text. Values are written in {{ }}; \\{{ stands for the braces themselves.",
            placeholder="Dear {{ name }}, your order {{ number }} is on its way.",
        )
        content_type: str = setting(
            "text/plain",
            title="Content type",
            description="What the text is, such as text/html; later steps read it as $meta.content_type.",
        )

    examples = (
        Example(
            "A greeting; nothing is written as no text",
            {"text": "Dear {{ name }},\nyour {{ $count(lines) }} lines: {{ lines }}.{{ note }}"},
            payload={"name": "Ada", "lines": ["Tee", "Cap"]},
            output='Dear Ada,\nyour 2 lines: ["Tee","Cap"].',
        ),
        Example(
            "A page for a browser",
            {"text": "<h1>{{ title }}</h1>", "content_type": "text/html"},
            payload={"title": "Orders"},
            output="<h1>Orders</h1>",
        ),
    )

    @classmethod
    def summary(cls, config: Mapping[str, Json]) -> str:
        """The text's beginning."""
        return caption(config.get("text"), "No text yet")

    @classmethod
    def check(cls, config: Mapping[str, Json]) -> Iterable[Fault]:
        """The content type is one."""
        written = config["content_type"]
        if isinstance(written, str) and "{{" not in written:
            kind, slash, rest = MediaType.parse(written).name.partition("/")
            if not (kind and slash and rest) or any(character.isspace() for character in kind + rest):
                yield Fault(
                    "content_type",
                    f"{written!r} is no content type",
                    "others could not tell what the text is",
                    "write one such as text/plain, text/html or application/json",
                )

    def run(self, config: Config, payload: Json, context: Context) -> To:
        """The text."""
        return To(payload=config.text, meta={"content_type": config.content_type})
