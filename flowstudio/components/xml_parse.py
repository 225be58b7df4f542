"""The component `xml-parse`: makes an object of an XML document."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from flowstudio.components.bodies import BodyError, bytes_of, is_binary
from flowstudio.components.captions import one_line
from flowstudio.components.paths import Path, PathSyntaxError, kind_of, parse_path
from flowstudio.components.xml_mapping import MAX_DEPTH, Reading, name_fault, to_json
from flowstudio.sdk import Category, Component, Context, Example, Fault, Settings, StepError, setting

Json = Any

_PLACE: Final = re.compile(r", line \d+, column \d+$")
_DECLARED: Final = re.compile(rb"""<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]*)["']""")
_DECLARATION: Final = re.compile(r"<\?xml\s[^>]*\?>")
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    # Without a mark: how <? looks in them (XML 1.0, appendix F).
    (b"<\x00?\x00", "utf-16-le"),
    (b"\x00<\x00?", "utf-16-be"),
)


class XmlParse(Component):
    """Makes an object of an XML document; `xml-write` makes the document of it again.

    An element with neither attributes nor children is its text, an empty one an empty text. Any other is an object:
    `@name` is an attribute, `#text` its text, `?name` a processing instruction, and each child stands under its name.
    A name that comes several times has a list of values; those named in Lists have one in any case. Where text and
    children are mixed, `#text` holds the pieces of text; where the order of the children cannot be told from that of the
    keys, `#order` lists their names as they come. So no text and no order is lost. All values are texts: 007 stays 007.

    White space around child elements is layout and left out, unless other text stands beside it, or xml:space="preserve"
    or Keep white space says otherwise. Comments are left out unless they are asked for. CDATA is text like any other.

    Prefixes are part of the names, as the document writes them, and declarations are kept as `@xmlns:prefix`. A
    namespace listed in Namespaces has the prefix given there, whatever the sender chose.

    A document with a DOCTYPE is refused: entities that grow without bounds and files that are read in secret begin with
    one. Nothing is ever loaded from elsewhere. Elements nest at most 256 deep, a text has at most 10 million characters.
    A document that is not well-formed is refused with line and column.

    The payload is a text, or a binary value, whose encoding its mark or its declaration tells (else UTF-8).
    """

    key = "xml-parse"
    title = "Parse XML"
    description = "Makes an object of an XML document."
    category = Category.TRANSFORM
    icon = "brackets-angle"
    aliases = ("xml", "from xml", "xml to json", "soap", "unmarshal", "jaxb", "extract", "parse")

    class Config(Settings):
        """What is always a list, and how names are written."""

        lists: list[str] = setting(
            title="Lists",
            description="Paths of what is a list even if it comes once, from the root element on: orders.order. "
            "**.order means every order, wherever it stands. Names with dots stand in `back-ticks`.",
            default_factory=list,
        )
        namespaces: dict[str, str] = setting(
            title="Namespaces",
            description="Prefix and namespace: names in that namespace get this prefix, whichever the document uses. "
            "An empty prefix leaves it away.",
            default_factory=dict,
        )
        comments: bool = setting(
            False, title="Keep comments", description="Keep comments, under #comment.", advanced=True
        )
        white_space: bool = setting(
            False,
            title="Keep white space",
            description="Keep white space between elements too, as #text. Off, it counts as layout.",
            advanced=True,
        )

    examples = (
        Example(
            "Attributes, a list and an element that is always a list",
            {"lists": ["order.note"]},
            payload='<?xml version="1.0"?>\n<order id="007">\n  <line>Tee</line>\n  <line>Cap</line>\n  '
            "<note>gift</note>\n</order>",
            output={"order": {"@id": "007", "line": ["Tee", "Cap"], "note": ["gift"]}},
        ),
        Example(
            "A prefix of your own for a namespace",
            {"namespaces": {"s": "http://schemas.xmlsoap.org/soap/envelope/"}},
            payload='<soap:Body xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><id>7</id></soap:Body>',
            output={
                "s:Body": {
                    "@xmlns:soap": "http://schemas.xmlsoap.org/soap/envelope/",
                    "@xmlns:s": "http://schemas.xmlsoap.org/soap/envelope/",
                    "id": "7",
                }
            },
        ),
        Example(
            "Mixed content keeps its texts and their order",
            {},
            payload="<p>Press <key>Esc</key> or <key>q</key>.</p>",
            output={
                "p": {
                    "#text": ["Press ", " or ", "."],
                    "key": ["Esc", "q"],
                    "#order": ["#text", "key", "#text", "key", "#text"],
                }
            },
        ),
    )

    @classmethod
    def summary(cls, config: Mapping[str, Json]) -> str:
        """The paths that are always lists."""
        lists = config.get("lists")
        told = ", ".join(path for path in lists if isinstance(path, str)) if isinstance(lists, list) else ""
        return one_line(f"Always lists: {told}") if told else "XML to JSON"

    @classmethod
    def check(cls, config: Mapping[str, Json]) -> Iterable[Fault]:
        """Paths are paths of names; prefixes are such, and no namespace has two."""
        lists, namespaces = config["lists"], config["namespaces"]
        for place, source in enumerate(lists if isinstance(lists, list) else ()):
            if "{{" in source:
                continue
            try:
                path = parse_path(source)
            except PathSyntaxError as error:
                span = (error.position, error.position + 1)
                yield Fault(f"lists.{place}", "this is no path", error.message, error.remedy, span)
                continue
            if any(isinstance(key, int) for key in path) or "**" in path[1:] or path == ("**",):
                yield Fault(
                    f"lists.{place}",
                    f"{source} names no elements",
                    "a list is named by the elements on the way, with ** in front at most",
                    "write it such as orders.order or **.order",
                )
        seen: dict[str, str] = {}
        for prefix, uri in namespaces.items() if isinstance(namespaces, Mapping) else ():
            yield from _namespace_faults(prefix, uri, seen)

    def run(self, config: Config, payload: Json, context: Context) -> Json:
        """The document as an object."""
        reading = Reading(
            frozenset(_path(source) for source in config.lists),
            {uri: prefix for prefix, uri in config.namespaces.items()},
            config.white_space,
        )
        try:
            source = _source(payload)
            return to_json(_root(source, config.comments), reading, source.count(b"xmlns"))
        except RecursionError:
            raise _too_deep() from None


def _namespace_faults(prefix: str, uri: str, seen: dict[str, str]) -> Iterator[Fault]:
    field = f"namespaces.{prefix}"
    if prefix and (":" in prefix or name_fault(prefix)):
        yield Fault(field, f"{prefix!r} is no prefix", "names could not begin with it", "use letters and digits")
    elif prefix in ("xml", "xmlns"):
        yield Fault(field, f"{prefix} cannot be given away", "XML keeps it for itself", "use another prefix")
    if "{{" in uri:
        return
    if not uri.strip():
        yield Fault(field, "the namespace is empty", "the prefix would stand for nothing", "write its address")
    elif uri in seen:
        yield Fault(field, f"{uri} has the prefix {seen[uri]!r} already", "it can have one", "take one out")
    seen[uri] = prefix


def _path(source: str) -> Path:
    try:
        return parse_path(source)
    except PathSyntaxError as error:
        raise StepError(
            f"lists: {source!r} is no path: {error.message}; {error.remedy}", type="Path", retryable=False
        ) from None


def _source(payload: Json) -> bytes:
    """The document in UTF-8, whatever it declares."""
    if isinstance(payload, str):
        text = payload
    elif is_binary(payload):
        text = _text_of(payload)
    else:
        raise StepError(
            f"The payload is {kind_of(payload)}, and XML is text; put the text before this step, such as with a map",
            type="NotText",
            retryable=False,
        )
    text = text.removeprefix("\ufeff")
    _without_doctype(text)
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise _refused(
            "half a character (a lone surrogate) stands there, which XML does not have", *_place(text, error.start)
        ) from None


def _text_of(payload: Json) -> str:
    try:
        body = bytes_of(payload)
    except BodyError as error:
        raise StepError(
            f"The payload cannot be read: {error}; put out its bytes", type="Xml", retryable=False
        ) from None
    encoding = next((name for mark, name in _MARKS if body.startswith(mark)), None)
    if encoding is None:
        declared = _DECLARED.match(body)
        encoding = declared[1].decode() if declared else "utf-8"
    try:
        return body.decode(encoding)
    except UnicodeDecodeError as error:
        line, column = _place(before := body[: error.start].decode(encoding, "replace"), len(before))
        raise StepError(
            f"The XML cannot be read: line {line:,}, column {column:,}: it is not {encoding.upper()}, as it says: byte "
            f"{error.start:,} (0x{body[error.start]:02x}) cannot stand there; correct its declaration or its bytes",
            type="Encoding",
            data={"line": line, "column": column, "byte": error.start, "encoding": encoding},
            retryable=False,
        ) from None
    except (LookupError, ValueError):
        raise StepError(
            f"The document says that it is written in {encoding!r}, which nobody knows; correct its declaration",
            type="Encoding",
            data={"byte": 0, "encoding": encoding},
            retryable=False,
        ) from None


def _without_doctype(text: str) -> None:
    """Refuses a document type before a parser sees it: only comments and instructions can stand in front of one."""
    position = 0
    while True:
        while text[position : position + 1] in (" ", "\t", "\r", "\n"):
            position += 1
        if text.startswith("<!--", position):
            end = text.find("-->", position + 4)
        elif text.startswith("<?", position):
            end = text.find("?>", position + 2)
        else:
            break
        if end < 0:
            return  # what is wrong there is said by the parser
        position = end + (3 if text.startswith("-->", end) else 2)
    if text[position : position + 9].upper() == "<!DOCTYPE":
        raise _refused(
            "it has a DOCTYPE, which is refused because of what entities can do; take it out where the document is made",
            *_place(text, position),
            kind="Doctype",
        )


def _place(text: str, position: int) -> tuple[int, int]:
    return text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)


def _root(source: bytes, comments: bool) -> Any:
    from lxml import etree  # 30 ms and 10 MB that a palette does not need

    # The encoding is given because the declaration no longer tells the truth: these bytes are UTF-8.
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=not comments,
    )
    try:
        root = etree.fromstring(source, parser)
    except etree.XMLSyntaxError as error:
        message = _PLACE.sub("", error.msg or "it cannot be read")
        if "Excessive depth" in message:
            raise _too_deep() from None
        line, column = error.position
        raise _refused(message[:1].lower() + message[1:], line, column) from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise _refused("it has a DOCTYPE, which is refused", 1, 1, kind="Doctype")
    return root


def _refused(reason: str, line: int, column: int, *, kind: str = "NotWellFormed") -> StepError:
    return StepError(
        f"The XML cannot be read: line {line:,}, column {column:,}: {reason}"
        + ("; correct it where it is made" if kind == "NotWellFormed" else ""),
        type=kind,
        data={"line": line, "column": column},
        retryable=False,
    )


def _too_deep() -> StepError:
    return StepError(
        f"The elements of the XML nest deeper than {MAX_DEPTH} levels; flatten it where it is made",
        type="TooDeep",
        retryable=False,
    )
