"""The mapping between XML and JSON: a document as an object, and an object as a document.

    <order id="7"><line>a</line><line>b</line></order>
    {"order": {"@id": "7", "line": ["a", "b"]}}

An element without attributes and children is its text. Otherwise it is an object: attributes are `@name`, namespace
declarations `@xmlns` and `@xmlns:prefix`, text is `#text`, a processing instruction `?target`, a comment `#comment`, and a
name that comes several times has a list. Keys stand in the order in which they first appear; where that does not tell the
order of the children, `#order` lists their names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from flowstudio.components.bodies import BodyError, json_bytes
from flowstudio.components.paths import Path, kind_of, written
from flowstudio.sdk import StepError

Json = Any
_Child = tuple[str, Json]

MAX_DEPTH: Final = 256
"""How deep elements may nest: what libxml2 allows, and less than half of the depth that a payload may have."""

TEXT: Final = "#text"
COMMENT: Final = "#comment"
ORDER: Final = "#order"
ANYWHERE: Final = "**"

_XML: Final = "http://www.w3.org/XML/1998/namespace"
_XMLNS: Final = "http://www.w3.org/2000/xmlns/"
_START: Final = (
    "A-Z_a-z\xc0-\xd6\xd8-\xf6\xf8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c\u200d\u2070-\u218f\u2c00-\u2fef"
    "\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
)
_NCNAME: Final = f"[{_START}][{_START}\\-.0-9\xb7\u0300-\u036f\u203f-\u2040]*"
_NAME: Final = re.compile(f"(?:({_NCNAME}):)?({_NCNAME})")
_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPED_TEXT: Final = re.compile("[&<>\r]")
_ESCAPED_ATTRIBUTE: Final = re.compile('[&<"\t\n\r]')
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
_BLANK: Final = " \t\r\n"


def name_fault(name: str) -> str:
    """Why a text cannot be the name of an element or attribute; empty where it can."""
    if not name:
        return "a name is not empty"
    if _NAME.fullmatch(name):
        return ""
    if any(character.isspace() for character in name):
        return "a name has no white space"
    return "a name begins with a letter or _, then letters, digits, - . and _ follow, with at most one : for a prefix"


@dataclass(frozen=True, slots=True)
class Reading:
    """How a document becomes JSON.

    `lists` are the paths whose values are always lists; `**` as first key stands for any way down. `prefixes` maps a
    namespace to the prefix that its names get, whatever the document uses.
    """

    lists: frozenset[Path] = frozenset()
    prefixes: Mapping[str, str] = field(default_factory=dict)
    keep_white_space: bool = False


@dataclass(slots=True)
class _Document:
    """A document while it is read: `declarations` is how many of namespaces can still come, at most."""

    reading: Reading
    declarations: int


def to_json(root: Any, reading: Reading, declarations: int) -> dict[str, Json]:
    """The JSON of a parsed document: of its root element, and of what stands before and after it.

    `declarations` is how many namespaces are declared in it, at most: looking for them is a third of the work.
    """
    document: dict[str, Json] = {}
    before = []
    sibling = root.getprevious()
    while sibling is not None:
        before.append(sibling)
        sibling = sibling.getprevious()
    after = []
    sibling = root.getnext()
    while sibling is not None:
        after.append(sibling)
        sibling = sibling.getnext()
    children = [_beside(each) for each in reversed(before)]
    scope = {"xml": _XML}
    children.append(_element(root, _Document(reading, declarations), (), scope, False))
    children += [_beside(each) for each in after]
    _group(document, children, reading.lists, ())
    return document


def _beside(node: Any) -> _Child:
    """A comment or processing instruction."""
    target = getattr(node, "target", None)
    return (COMMENT, node.text or "") if target is None else (f"?{target}", node.text or "")


def _element(element: Any, document: _Document, path: Path, scope: Mapping[str, str], preserved: bool) -> _Child:
    """The name and value of an element; `scope` are the prefixes that are declared around it."""
    reading = document.reading
    made: dict[str, Json] = {}
    inner = dict(scope) if reading.prefixes else scope
    # Where prefixes are given, a declaration that is left out looks new on every element inside: then all are looked at.
    if document.declarations > 0 or reading.prefixes:
        found = ((prefix or "", uri or "") for prefix, uri in element.nsmap.items())
        new = [(prefix, uri) for prefix, uri in found if scope.get(prefix, "") != uri]
        if new:
            document.declarations -= len(new)
            inner = dict(scope)
            for prefix, uri in new:
                _declare(made, inner, prefix, uri, reading)
    name = _qualified(element.tag, element.prefix, made, inner, reading)
    attributes = element.attrib
    if attributes:
        made.update(
            [
                ("@" + (key if key[0] != "{" else _attribute(element, key, made, inner, reading)), value)
                for key, value in attributes.items()
            ]
        )
        space = made.get("@xml:space")
        preserved = space == "preserve" or (preserved and space != "default")
    inside = list(element)
    if not inside:
        text = element.text or ""
        if not made:
            return name, text
        if text:
            made[TEXT] = text
        return name, made
    path = (*path, name)
    _group(made, _children(element, inside, document, path, inner, preserved), reading.lists, path)
    return name, made


def _children(
    element: Any, inside: list[Any], document: _Document, path: Path, scope: Mapping[str, str], preserved: bool
) -> list[_Child]:
    """What an element with others in it holds, in order: texts, elements, comments and instructions by their keys."""
    # White space around elements is layout; beside other text it is text.
    keep = preserved or document.reading.keep_white_space or _has_text(element, inside)
    children: list[_Child] = [(TEXT, element.text)] if keep and element.text else []
    for child in inside:
        if isinstance(child.tag, str):
            children.append(_element(child, document, path, scope, preserved))
        else:
            children.append(_beside(child))
        if keep and child.tail:
            children.append((TEXT, child.tail))
    return children


def _has_text(element: Any, inside: list[Any]) -> bool:
    text = element.text
    if text and text.strip(_BLANK):
        return True
    return any((text := child.tail) and text.strip(_BLANK) for child in inside)


def _group(made: dict[str, Json], children: list[_Child], lists: frozenset[Path], path: Path) -> None:
    """Puts children under their keys, in lists where a key comes several times, and their order where it is lost."""
    grouped: dict[str, list[Json]] = {}
    for key, value in children:
        grouped.setdefault(key, []).append(value)
    for key, values in grouped.items():
        always = bool(lists) and ((*path, key) in lists or _anywhere(lists, (*path, key)))
        made[key] = values if len(values) > 1 or always else values[0]
    if len(grouped) < len(children):
        order = [key for key, _ in children]
        if order != [key for key, values in grouped.items() for _ in values]:
            made[ORDER] = order


def _anywhere(lists: frozenset[Path], path: Path) -> bool:
    return any((ANYWHERE, *path[start:]) in lists for start in range(len(path)))


def _declare(made: dict[str, Json], scope: dict[str, str], prefix: str, uri: str, reading: Reading) -> None:
    """Writes down the declaration of a prefix, unless the settings give that prefix to another namespace."""
    if uri and prefix in reading.prefixes.values() and reading.prefixes.get(uri) != prefix:
        if uri not in reading.prefixes:
            raise _clash(prefix, uri)
        return
    made[f"@xmlns:{prefix}" if prefix else "@xmlns"] = uri
    scope[prefix] = uri


def _clash(prefix: str, uri: str) -> StepError:
    told = f"the prefix {prefix}" if prefix else "no prefix"
    return StepError(
        f"The document uses {told} for {uri}, and Namespaces gives it to another one; "
        "give that namespace a prefix in Namespaces too",
        type="Xml",
        retryable=False,
    )


def _qualified(tag: str, prefix: str | None, made: dict[str, Json], scope: Mapping[str, str], reading: Reading) -> str:
    """The name of an element with its prefix."""
    uri, local = ("", tag) if tag[0] != "{" else tag[1:].split("}", 1)
    if not reading.prefixes:
        return f"{prefix}:{local}" if prefix else local
    wanted = reading.prefixes.get(uri, prefix or "") if uri else ""
    if scope.get(wanted, "") != uri:
        assert isinstance(scope, dict)
        _declare(made, scope, wanted, uri, reading)
    return f"{wanted}:{local}" if wanted else local


def _attribute(element: Any, key: str, made: dict[str, Json], scope: Mapping[str, str], reading: Reading) -> str:
    """The name of an attribute in a namespace: always with a prefix."""
    uri, local = key[1:].split("}", 1)
    if uri == _XML:
        return f"xml:{local}"
    wanted = reading.prefixes.get(uri)
    if not wanted:
        known = [prefix for prefix, held in element.nsmap.items() if prefix and held == uri]
        wanted = known[0] if len(known) == 1 else _prefix_of(element, key)
    if scope.get(wanted) != uri:
        assert isinstance(scope, dict)
        _declare(made, scope, wanted, uri, reading)
    return f"{wanted}:{local}"


def _prefix_of(element: Any, key: str) -> str:
    """The prefix that an attribute has where several stand for its namespace: lxml tells it through XPath alone."""
    place = list(element.attrib).index(key) + 1
    return str(element.xpath(f"name(@*[{place}])")).partition(":")[0]


@dataclass(frozen=True, slots=True)
class Writing:
    """How JSON becomes a document. `indent` puts elements on lines of their own where no text stands between them."""

    indent: bool = False
    declaration: bool = True


def to_xml(document: Mapping[str, Json], writing: Writing) -> str:
    """The document that an object with one element describes; StepError names the path of what XML cannot hold."""
    children = list(_in_order(document, ()))
    elements = [path for path, key, _ in children if not key.startswith(("#", "?"))]
    attributes = [key for key in document if key[:1] == "@"]
    if attributes or any(key == TEXT for _, key, _ in children):
        _fail((attributes or [TEXT])[0:1], "stands beside the root element, and only the root may stand there")
    if len(elements) != 1:
        names = ", ".join(dict.fromkeys(str(path[0]) for path in elements))
        raise StepError(
            f"A document has one root element, and the payload has {len(elements)} ({names}); set Root to the name of "
            "one that holds them"
            if elements
            else "A document has a root element, and the payload has none; set Root to its name",
            type="Xml",
            retryable=False,
        )
    lines = ['<?xml version="1.0" encoding="UTF-8"?>'] if writing.declaration else []
    for path, key, value in children:
        parts: list[str] = []
        _write(parts, path, key, value, {"xml": _XML, "": ""}, writing.indent, 1)
        lines.append("".join(parts))
    return "\n".join(lines) + ("\n" if writing.indent else "")


def _write(
    parts: list[str], path: Path, key: str, value: Json, scope: Mapping[str, str], indent: bool, depth: int
) -> None:
    """One child: an element, a text, a comment or a processing instruction."""
    if key == TEXT:
        parts.append(_escaped(_ESCAPED_TEXT, _text(value, path)))
    elif key == COMMENT:
        text = _text(value, path)
        if "--" in text or text.endswith("-") or "\r" in text:
            _fail(path, "is a comment with -- or a carriage return in it or - at its end, which XML does not have")
        parts.append(f"<!--{text}-->")
    elif key[:1] == "?":
        parts.append(_instruction(path, key[1:], _text(value, path)))
    else:
        _write_element(parts, path, key, value, scope, indent, depth)


def _instruction(path: Path, target: str, text: str) -> str:
    if (fault := name_fault(target)) or ":" in target or target.lower() == "xml":
        _fail(path, f"cannot be a processing instruction: {fault or 'its name is reserved'}")
    if "?>" in text or "\r" in text or text[:1].isspace():
        _fail(
            path,
            "is a processing instruction with ?> or a carriage return in it or white space in front, "
            "which XML does not have",
        )
    return f"<?{target} {text}?>" if text else f"<?{target}?>"


def _write_element(
    parts: list[str], path: Path, name: str, value: Json, scope: Mapping[str, str], indent: bool, depth: int
) -> None:
    if depth > MAX_DEPTH:
        _fail(path[:3], f"holds elements that nest deeper than {MAX_DEPTH} levels")
    if fault := name_fault(name):
        _fail(path, f"cannot be an element: {fault}")
    if not isinstance(value, dict):
        text = _escaped(_ESCAPED_TEXT, _text(value, path))
        _resolved(name, scope, path, "element")
        parts.append(f"<{name}>{text}</{name}>" if text else f"<{name}/>")
        return
    scope = _declarations(value, scope, path)
    _resolved(name, scope, path, "element")
    parts.append(f"<{name}")
    seen: set[tuple[str, str]] = set()
    for key, held in value.items():
        if key[:1] != "@":
            continue
        attribute, here = key[1:], (*path, key)
        if fault := name_fault(attribute):
            _fail(here, f"cannot be an attribute: {fault}")
        if attribute != "xmlns" and not attribute.startswith("xmlns:"):
            expanded = _resolved(attribute, scope, here, "attribute")
            if expanded in seen:
                _fail(here, "is there twice, under two prefixes of one namespace")
            seen.add(expanded)
        if held is not None:
            parts.append(f' {attribute}="{_escaped(_ESCAPED_ATTRIBUTE, _text(held, here))}"')
    children = list(_in_order(value, path))
    if not children:
        parts.append("/>")
        return
    parts.append(">")
    inner = indent and all(key != TEXT for _, key, _ in children) and value.get("@xml:space") != "preserve"
    for place, key, held in children:
        if inner:
            parts.append("\n" + "  " * depth)
        _write(parts, place, key, held, scope, inner, depth + 1)
    parts.append("\n" + "  " * (depth - 1) + f"</{name}>" if inner else f"</{name}>")


def _declarations(value: Mapping[str, Json], scope: Mapping[str, str], path: Path) -> Mapping[str, str]:
    """The prefixes that hold inside an element."""
    declared: dict[str, str] = {}
    for key, uri in value.items():
        if key == "@xmlns" or key.startswith("@xmlns:"):
            prefix = key[7:]
            here = (*path, key)
            uri = "" if uri is None else uri
            if not isinstance(uri, str):
                _fail(here, f"is {kind_of(uri)}, and a namespace is a text")
            if not uri and prefix:
                _fail(here, "is empty, and only @xmlns may be that")
            if prefix == "xmlns" or (prefix == "xml") != (uri == _XML) or uri == _XMLNS:
                _fail(here, "cannot be declared so: xml and xmlns are reserved")
            declared[prefix] = uri
    return {**scope, **declared} if declared else scope


def _resolved(name: str, scope: Mapping[str, str], path: Path, what: str) -> tuple[str, str]:
    """A name's namespace and local part."""
    prefix, colon, local = name.rpartition(":")
    if not colon:
        return (scope.get("", "") if what == "element" else "", name)
    if prefix == "xmlns" or prefix not in scope:
        _fail(path, f'has the prefix {prefix}, which stands for nothing there; add "@xmlns:{prefix}" above')
    return scope[prefix], local


def _in_order(value: Mapping[str, Json], path: Path) -> Iterator[tuple[Path, str, Json]]:
    """The children that an object describes, each with its path; `#order` first, then what it does not name."""
    waiting: dict[str, Iterator[tuple[Path, Json]]] = {}
    for key, held in value.items():
        if not isinstance(key, str):
            _fail(path, f"has a key that is no text ({key!r})")
        if key[:1] == "@" or key == ORDER:
            continue
        if key[:1] == "#" and key not in (TEXT, COMMENT):
            _fail((*path, key), "is none of #text, #comment and #order")
        waiting[key] = _instances(held, (*path, key))
    order = value.get(ORDER, [])
    if not isinstance(order, list):
        _fail((*path, ORDER), f"is {kind_of(order)}, not a list of names")
    for key in order:
        if not isinstance(key, str):
            _fail((*path, ORDER), f"holds {kind_of(key)}, not names alone")
        # Whoever took a child away need not correct the order.
        if (found := next(waiting.get(key, iter(())), None)) is not None:
            yield found[0], key, found[1]
    for key, rest in waiting.items():
        for place, held in rest:
            yield place, key, held


def _instances(held: Json, path: Path) -> Iterator[tuple[Path, Json]]:
    if not isinstance(held, list):
        yield path, held
        return
    for place, element in enumerate(held):
        if isinstance(element, list):
            _fail((*path, place), "is a list in a list, which has no name in XML")
        yield (*path, place), element


def _text(value: Json, path: Path) -> str:
    """A value as characters."""
    if value is None:
        return ""
    if not isinstance(value, str):
        if isinstance(value, (dict, list)):
            _fail(path, f"is {kind_of(value)}, where only a text can stand")
        try:
            return json_bytes(value).decode()
        except BodyError as error:
            _fail(path, f"cannot be written: {error.reason}")
    if found := _FORBIDDEN.search(value):
        code = ord(found[0])
        told = "half a character (a lone surrogate)" if 0xD800 <= code <= 0xDFFF else f"the character U+{code:04X}"
        _fail(path, f"holds {told}, which XML does not have, at character {found.start():,}")
    return value


def _escaped(pattern: re.Pattern[str], text: str) -> str:
    return pattern.sub(lambda found: _ENTITIES[found[0]], text)


def _fail(path: Path | list[str], what: str) -> NoReturn:
    raise StepError(
        f"{written(path) or 'The payload'} {what}; change it before this step",
        type="Xml",
        data={"path": list(path)},
        retryable=False,
    )
