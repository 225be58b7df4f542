"""The component `xml-write`: writes an object as an XML document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flowstudio.components.paths import kind_of
from flowstudio.components.xml_mapping import MAX_DEPTH, Writing, name_fault, to_xml
from flowstudio.sdk import Category, Component, Context, Example, Fault, Settings, StepError, setting

Json = Any


class XmlWrite(Component):
    """Writes an object as an XML document, and puts out the text: the inverse of `xml-parse`.

    Each key is an element: `@name` is an attribute, `#text` text, `?name` a processing instruction, `#comment` a comment,
    and a list has one element for each value. Children come in the order of the keys, or as `#order` lists their
    names; what it does not name comes after. Prefixes are declared by `@xmlns` and `@xmlns:prefix`.

    Without Root the payload is an object with one key, the root element. With it any payload is what stands inside; the
    elements of a list are named Item.

    Texts are written as they are, numbers exactly, true and false as words; null is an empty element, and an attribute
    that is null is left out. Names that XML does not have, control characters, half characters, NaN, a list in a list and
    elements that nest deeper than 256 fail the step with the path.
    """

    key = "xml-write"
    title = "Write XML"
    description = "Writes an object as an XML document."
    category = Category.TRANSFORM
    icon = "brackets-angle"
    aliases = ("xml", "to xml", "json to xml", "soap", "marshal", "jaxb", "serialise", "build xml")

    class Config(Settings):
        """What the document begins with, and how it looks."""

        root: str = setting(
            "",
            title="Root",
            description="The name of the root element that is put around the payload. Empty: the payload has it.",
            placeholder="order",
        )
        item: str = setting(
            "item",
            title="Item",
            description="The name of each element where the payload is a list.",
            advanced=True,
        )
        declaration: bool = setting(
            True,
            title="Declaration",
            description='Whether the document begins with <?xml version="1.0" encoding="UTF-8"?>.',
            advanced=True,
        )
        indent: bool = setting(
            False,
            title="Indent",
            description="Put each element on a line of its own, where no text stands beside it.",
            advanced=True,
        )

    examples = (
        Example(
            "A root element with attributes and a list",
            {"declaration": False},
            payload={"order": {"@id": 7, "line": ["Tee", "Cap"], "note": None}},
            output='<order id="7"><line>Tee</line><line>Cap</line><note/></order>',
        ),
        Example(
            "A list under a root of its own",
            {"root": "orders", "item": "order", "indent": True},
            payload=[{"number": 12345678901234567890}, {"number": 2, "paid": True}],
            output='<?xml version="1.0" encoding="UTF-8"?>\n<orders>\n  <order>\n    '
            "<number>12345678901234567890</number>\n  </order>\n  <order>\n    <number>2</number>\n    "
            "<paid>true</paid>\n  </order>\n</orders>\n",
        ),
        Example(
            "Mixed content, in the order that is listed",
            {"declaration": False},
            payload={
                "p": {
                    "#text": ["Press ", " & hold."],
                    "key": "Esc",
                    "#order": ["#text", "key", "#text"],
                }
            },
            output="<p>Press <key>Esc</key> &amp; hold.</p>",
        ),
    )

    @classmethod
    def summary(cls, config: Mapping[str, Json]) -> str:
        """The root element."""
        root = config.get("root")
        return " ".join(f"<{root}>".split()) if isinstance(root, str) and root.strip() else "JSON to XML"

    @classmethod
    def check(cls, config: Mapping[str, Json]) -> Iterable[Fault]:
        """The names are names of XML."""
        for field in ("root", "item"):
            name = config[field]
            if isinstance(name, str) and "{{" not in name and (name or field == "item") and (why := name_fault(name)):
                yield Fault(field, f"{name!r} cannot name an element", why, "write a name such as order")

    def run(self, config: Config, payload: Json, context: Context) -> str:
        """The document as text."""
        if config.root:
            payload = {config.root: {config.item: payload} if isinstance(payload, list) else payload}
        if not isinstance(payload, dict):
            raise StepError(
                f"The payload is {kind_of(payload)}, and a document is made of an object with the root element; "
                "set Root to its name",
                type="Xml",
                retryable=False,
            )
        try:
            return to_xml(payload, Writing(config.indent, config.declaration))
        except RecursionError:
            raise StepError(
                f"The payload nests deeper than the {MAX_DEPTH} levels that a document may have; make it flatter",
                type="TooDeep",
                retryable=False,
            ) from None
