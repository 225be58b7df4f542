"""`xml-parse` and `xml-write`: nothing is lost on the way to JSON and back, and nothing hostile gets in."""

from __future__ import annotations

import builtins
import csv
import socket
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from flowstudio.components.bodies import binary_of
from flowstudio.components.xml_parse import XmlParse
from flowstudio.components.xml_write import XmlWrite
from flowstudio.errors import StepError
from flowstudio.plan.settings import compile_config
from flowstudio.sdk.spec import derive
from tests.conformance.configs import json_values
from tests.conformance.stage import StageContext, compiled, perform

Json = Any

CORPUS = Path(__file__).resolve().parents[1] / "data" / "xml"
with (CORPUS / "manifest.csv").open(encoding="utf-8", newline="") as manifest:
    FILES = list(csv.DictReader(manifest))
BOMBS = ("attack__external.xml", "attack__quadratic.xml", "attack__xmlbomb.xml")


def parse(document: Json, **config: Json) -> Json:
    """What `xml-parse` puts out."""
    return perform(XmlParse, config, document).payload


def write(payload: Json, **config: Json) -> str:
    """What `xml-write` puts out."""
    text = perform(XmlWrite, config, payload).payload
    assert isinstance(text, str)
    return text


def refusal(work: Any) -> StepError:
    """The error with which something fails for good."""
    with pytest.raises(StepError) as refused:
        work()
    assert refused.value.retryable is False
    return refused.value


def canonical(document: bytes | str, *, comments: bool = False, layout: bool = True) -> bytes:
    """A document in canonical form (C14N); without `layout` white space around child elements does not count."""
    parser = etree.XMLParser(remove_comments=not comments, resolve_entities=False)
    root = etree.fromstring(document.encode() if isinstance(document, str) else document, parser)
    if not layout:
        for element in root.iter(etree.Element):
            texts = [element.text, *(child.tail for child in element)]
            preserved = element.xpath("ancestor-or-self::*[@xml:space][1]/@xml:space") == ["preserve"]
            if len(element) and not preserved and not any(text and text.strip(" \t\r\n") for text in texts):
                element.text = None
                for child in element:
                    child.tail = None
    try:
        return etree.tostring(root.getroottree(), method="c14n", with_comments=comments)
    except etree.C14NError:
        # Namespaces that are relative addresses have no canonical form.
        return etree.tostring(root.getroottree())


def test_the_corpus_is_all_there() -> None:
    assert len(FILES) == 129


@pytest.mark.parametrize("entry", FILES, ids=lambda entry: entry["file"])
def test_the_corpus_comes_through_or_is_refused(entry: dict[str, str]) -> None:
    body = (CORPUS / entry["file"]).read_bytes()
    verdict = entry["verdict of expat"]
    if verdict in ("well-formed", "see name") and not entry["has DOCTYPE"]:
        exact = parse(binary_of(body), white_space=True, comments=True)
        assert canonical(write(exact), comments=True) == canonical(body, comments=True)
        assert canonical(write(parse(binary_of(body)))) == canonical(body, layout=False)
        return
    error = refusal(lambda: parse(binary_of(body)))
    assert "line" in error.message
    assert "column" in error.message
    if entry["has DOCTYPE"] and verdict != "not well-formed":
        assert error.type == "Doctype"


@pytest.mark.parametrize("name", BOMBS)
def test_an_attack_opens_nothing_and_needs_no_memory(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    document = (CORPUS / name).read_text(encoding="utf-8")
    config = compiled(XmlParse, {}).bind({}).evaluate(None, {}, None)
    assert XmlParse().run(config, "<warm/>", StageContext()) == {"warm": ""}

    def forbidden(*args: Any, **more: Any) -> Any:
        raise AssertionError("something was opened")

    monkeypatch.setattr(socket, "socket", forbidden)
    monkeypatch.setattr(builtins, "open", forbidden)
    tracemalloc.start()
    try:
        assert refusal(lambda: XmlParse().run(config, document, StageContext())).type == "Doctype"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000


@pytest.mark.parametrize(
    "document",
    [
        "<!DOCTYPE a><a/>",
        '<?xml version="1.0"?>\n<!-- c --><?p i?>\n<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        "\ufeff \n<!doctype html><html/>",
        binary_of("<!DOCTYPE a><a/>".encode("utf-16")),
        binary_of('<?xml version="1.0"?><!DOCTYPE a><a/>'.encode("utf-16-be")),
    ],
)
def test_a_document_type_is_refused_wherever_it_stands(document: Json) -> None:
    error = refusal(lambda: parse(document))
    assert error.type == "Doctype"
    assert error.data["line"] >= 1


def test_comments_in_front_cannot_make_the_look_for_one_slow() -> None:
    assert parse("<!---->" * 200_000 + "<a/>") == {"a": ""}
    refusal(lambda: parse("<!---->" * 200_000 + "<!DOCTYPE a><a/>"))


@pytest.mark.parametrize(
    ("document", "payload"),
    [
        ("<a/>", {"a": ""}),
        ("<a></a>", {"a": ""}),
        ("<a> x </a>", {"a": " x "}),
        ("<a>007</a>", {"a": "007"}),
        (f"<a>{2**70}</a>", {"a": str(2**70)}),
        ("<a><![CDATA[<b>]]>&amp;&#65;</a>", {"a": "<b>&A"}),
        ('<a b="1"/>', {"a": {"@b": "1"}}),
        ('<a b="1">x</a>', {"a": {"@b": "1", "#text": "x"}}),
        ("<a>\n  <b/>\n</a>", {"a": {"b": ""}}),
        ("<a><b>1</b><b>2</b></a>", {"a": {"b": ["1", "2"]}}),
        ("<a><b/>tail</a>", {"a": {"b": "", "#text": "tail"}}),
        ("<a><b>1</b><c/><b>2</b></a>", {"a": {"b": ["1", "2"], "c": "", "#order": ["b", "c", "b"]}}),
        ("<a><b>x</b> <b>y</b>.</a>", {"a": {"b": ["x", "y"], "#text": [" ", "."], "#order": ["b", "#text"] * 2}}),
        ('<a xml:space="preserve"> <b/></a>', {"a": {"@xml:space": "preserve", "#text": " ", "b": ""}}),
        ("<a>x<!-- c -->y</a>", {"a": "xy"}),
        ("<a>x<?p i?>y</a>", {"a": {"#text": ["x", "y"], "?p": "i", "#order": ["#text", "?p", "#text"]}}),
        ("<?style a?><a/>", {"?style": "a", "a": ""}),
        ('<x:a xmlns:x="urn:x" x:b="1"/>', {"x:a": {"@xmlns:x": "urn:x", "@x:b": "1"}}),
        ('<a xmlns="urn:x"><b xmlns=""/></a>', {"a": {"@xmlns": "urn:x", "b": {"@xmlns": ""}}}),
        (
            '<a xmlns:p="urn:x" xmlns:q="urn:x" q:b="1"/>',
            {"a": {"@xmlns:p": "urn:x", "@xmlns:q": "urn:x", "@q:b": "1"}},
        ),
    ],
)
def test_how_a_document_is_an_object(document: str, payload: Json) -> None:
    assert parse(document) == payload
    assert canonical(write(payload)) == canonical(document, layout=False)


def test_comments_and_white_space_are_kept_where_they_are_asked_for() -> None:
    document = "<!--1--><a> <b/><!--2--> </a><!--3-->"
    payload = parse(document, comments=True, white_space=True)
    assert payload["#comment"] == ["1", "3"]
    assert payload["a"]["#comment"] == "2"
    assert canonical(write(payload), comments=True) == canonical(document, comments=True)


def test_lists_are_lists_even_of_one() -> None:
    document = "<o><i><i/></i><p.q/></o>"
    assert parse(document, lists=["o.i"]) == {"o": {"i": [{"i": ""}], "p.q": ""}}
    assert parse(document, lists=["**.i", "o.`p.q`"]) == {"o": {"i": [{"i": [""]}], "p.q": [""]}}
    assert parse("<o/>", lists=["o"]) == {"o": [""]}
    assert write({"o": [""]}, declaration=False) == "<o/>"


SOAP = "http://schemas.xmlsoap.org/soap/envelope/"


@pytest.mark.parametrize(
    "document",
    [
        f'<x:E xmlns:x="{SOAP}"><x:B><id x:k="1"/></x:B></x:E>',
        f'<E xmlns="{SOAP}"><B><id xmlns="" xmlns:z="{SOAP}" z:k="1"/></B></E>',
        f'<s:E xmlns:s="{SOAP}"><s:B><id s:k="1"/></s:B></s:E>',
    ],
)
def test_a_namespace_has_the_prefix_that_is_given(document: str) -> None:
    payload = parse(document, namespaces={"s": SOAP})
    assert payload["s:E"]["s:B"]["id"]["@s:k"] == "1"
    expanded = [(e.tag, sorted(e.attrib.items())) for e in etree.fromstring(write(payload).encode()).iter()]
    assert expanded == [(e.tag, sorted(e.attrib.items())) for e in etree.fromstring(document.encode()).iter()]


def test_prefixes_can_change_places() -> None:
    document = '<p:a xmlns:p="urn:u" xmlns:q="urn:v"><q:b/><q:b/><p:c/><x:d xmlns:x="urn:x"/></p:a>'
    again = write(parse(document, namespaces={"q": "urn:u", "p": "urn:v"}), declaration=False)
    assert again.startswith("<q:a ")
    tags = [element.tag for element in etree.fromstring(document).iter()]
    assert [element.tag for element in etree.fromstring(again).iter()] == tags


def test_a_prefix_can_be_taken_away_and_never_given_to_two() -> None:
    assert parse('<x:a xmlns:x="urn:x"/>', namespaces={"": "urn:x"})["a"]["@xmlns"] == "urn:x"
    error = refusal(lambda: parse('<s:a xmlns:s="urn:other"/>', namespaces={"s": "urn:x"}))
    assert "Namespaces" in error.message
    assert "a" in parse('<a xmlns:s="urn:y"/>', namespaces={"s": "urn:x", "t": "urn:y"})


@pytest.mark.parametrize(
    ("document", "line"),
    [("<a>\n<b></a>", 2), ("", 1), ("  \n", 2), ("<a/>\n<b/>", 2), ("<a>\ud800</a>", 1), ("<a>\x01</a>", 1), ("{}", 1)],
)
def test_what_is_not_well_formed_is_refused_with_its_place(document: str, line: int) -> None:
    error = refusal(lambda: parse(document))
    assert error.type == "NotWellFormed"
    assert error.data["line"] == line
    assert f"line {line}, column" in error.message


@pytest.mark.slow
def test_elements_that_nest_too_deep_are_refused() -> None:
    assert refusal(lambda: parse("<a>" * 100_000 + "</a>" * 100_000)).type == "TooDeep"
    fits = "<a>" * 256 + "</a>" * 256
    assert canonical(write(parse(fits))) == canonical(fits)
    deep: Json = ""
    for _ in range(100_000):
        deep = {"a": deep}
    assert "deep" in refusal(lambda: write(deep)).message


@pytest.mark.parametrize("payload", [None, 5, [], {"a": 1}, {"base64": "!", "size": 1}])
def test_what_is_no_text_is_refused(payload: Json) -> None:
    refusal(lambda: parse(payload))


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "utf-16", "windows-1252"])
def test_bytes_are_read_as_they_declare(encoding: str) -> None:
    body = f'<?xml version="1.0" encoding="{encoding}"?><a>ä</a>'.encode(encoding)
    assert parse(binary_of(body)) == {"a": "ä"}
    assert parse(f'<?xml version="1.0" encoding="{encoding}"?><a>ä</a>') == {"a": "ä"}
    assert "nobody knows" in refusal(lambda: parse(binary_of(b'<?xml version="1.0" encoding="kl"?><a/>'))).message


@pytest.mark.parametrize(
    ("payload", "document"),
    [
        ({"a": None}, "<a/>"),
        ({"a": {}}, "<a/>"),
        ({"a": 2**70}, f"<a>{2**70}</a>"),
        ({"a": [1.5]}, "<a>1.5</a>"),
        (
            {"a": {"@x": True, "@y": None, "b": [1, None, {"#text": 2}], "c": []}},
            '<a x="true"><b>1</b><b/><b>2</b></a>',
        ),
        ({"a": '<&>"\r\n'}, '<a>&lt;&amp;&gt;"&#13;\n</a>'),
        ({"a": {"@x": '<&>"\r\n\t'}}, '<a x="&lt;&amp;>&quot;&#13;&#10;&#9;"/>'),
        ({"a": {"b": [1, 2], "c": 3, "#order": ["c", "b", "gone", "b", "b"]}}, "<a><c>3</c><b>1</b><b>2</b></a>"),
        ({"a": {"b": [1, 2], "c": 3, "#order": ["b"]}}, "<a><b>1</b><b>2</b><c>3</c></a>"),
        ({"é:_1": {"@xmlns:é": "urn:x"}}, '<é:_1 xmlns:é="urn:x"/>'),
    ],
)
def test_how_an_object_is_a_document(payload: Json, document: str) -> None:
    assert write(payload, declaration=False) == document
    etree.fromstring(document.encode())


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        ({}, "has none"),
        ([], "a list"),
        ("x", "a text"),
        ({"a": 1, "b": 2}, "has 2 (a, b)"),
        ({"a": [1, 2]}, "has 2 (a)"),
        ({"a": [[1]]}, "a[0] is a list in a list"),
        ({"a": {"b c": 1}}, "white space"),
        ({"a": {"1": 1}}, "begins with a letter"),
        ({"a": {"": 1}}, "not empty"),
        ({"": 1}, "not empty"),
        ({"a": {"b:c:d": 1}}, "at most one :"),
        ({"a": {"p:b": 1}}, "prefix p"),
        ({"a": {"@p:b": 1}}, "prefix p"),
        ({"a": {"@xmlns:p": "u", "@xmlns:q": "u", "@p:b": 1, "@q:b": 2}}, "twice"),
        ({"a": {"@xmlns:p": ""}}, "empty"),
        ({"a": {"@xmlns:xml": "u"}}, "reserved"),
        ({"a": {"@b": {"c": 1}}}, "an object"),
        ({"a": {"#text": {"c": 1}}}, "an object"),
        ({"a": {"#other": 1}}, "#other"),
        ({"a": {"#order": "b"}}, "#order"),
        ({"a": {"#order": [1]}}, "#order"),
        ({"@a": 1, "b": 2}, "beside the root"),
        ({"#text": "x", "b": 2}, "beside the root"),
        ({"a": "\x00"}, "U+0000"),
        ({"a": {"@b": "\x0b"}}, "U+000B"),
        ({"a": "\ud800"}, "lone surrogate"),
        ({"a": "\uffff"}, "U+FFFF"),
        ({"a": {"#comment": "a--b"}}, "comment"),
        ({"a": {"#comment": "a-"}}, "comment"),
        ({"a": {"?p": "a?>b"}}, "?>"),
        ({"a": {"?xml": "a"}}, "reserved"),
        ({"a": float("nan")}, "NaN"),
        ({"a": {"b": float("inf")}}, "Infinity"),
        ({"a": 10**5000}, "digits"),
    ],
)
def test_what_xml_cannot_hold_is_told(payload: Json, told: str) -> None:
    assert told in refusal(lambda: write(payload)).message


def test_a_root_is_put_around_any_payload() -> None:
    assert write(5, root="n", declaration=False) == "<n>5</n>"
    assert write([1, {"b": 2}], root="l", item="i", declaration=False) == "<l><i>1</i><i><b>2</b></i></l>"
    assert write([], root="l", declaration=False) == "<l/>"
    assert write({"a": 1, "b": 2}, root="r", declaration=False) == "<r><a>1</a><b>2</b></r>"


def test_indenting_changes_no_text() -> None:
    payload = {"a": {"b": {"c": "1"}, "p": {"#text": "x ", "i": "y"}, "s": {"@xml:space": "preserve", "t": "z"}}}
    text = write(payload, indent=True)
    assert "\n    <c>1</c>\n" in text
    assert "<p>x <i>y</i></p>" in text
    assert parse(text) == payload


def faults(component: Any, **config: Json) -> list[str]:
    """The fields with something wrong in them."""
    _, problems = compile_config(derive(component), config)
    assert all(problem.why and problem.remedy for problem in problems)
    return [problem.field or "" for problem in problems]


@pytest.mark.parametrize(
    ("component", "config", "field"),
    [
        (XmlParse, {"lists": ["a.b", "a..b"]}, "lists.1"),
        (XmlParse, {"lists": ["a[0]"]}, "lists.0"),
        (XmlParse, {"lists": ["a.**.b"]}, "lists.0"),
        (XmlParse, {"namespaces": {"1": "urn:x"}}, "namespaces.1"),
        (XmlParse, {"namespaces": {"xml": "urn:x"}}, "namespaces.xml"),
        (XmlParse, {"namespaces": {"a": "urn:x", "b": "urn:x"}}, "namespaces.b"),
        (XmlParse, {"namespaces": {"a": " "}}, "namespaces.a"),
        (XmlWrite, {"root": "a b"}, "root"),
        (XmlWrite, {"item": ""}, "item"),
    ],
)
def test_wrong_settings_are_named(component: Any, config: dict[str, Json], field: str) -> None:
    assert faults(component, **config) == [field]


names = st.sampled_from(["a", "b", "c-1", "é", "p:a"])
texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), max_size=5
)


@st.composite
def elements(draw: st.DrawFn, depth: int = 3) -> str:
    """An element as text."""
    name = draw(names)
    attributes = draw(st.dictionaries(st.sampled_from(["x", "p:y"]), texts, max_size=2))
    written = "".join(f" {key}={_attribute(value)}" for key, value in attributes.items())
    parts = st.one_of(texts.map(_escaped), st.sampled_from([" ", "\n", "<?i d?>", "<!--c-->"]))
    if depth:
        parts |= elements(depth - 1)
    return f'<{name} xmlns:p="urn:p"{written}>{"".join(draw(st.lists(parts, max_size=5)))}</{name}>'


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _attribute(text: str) -> str:
    return '"' + _escaped(text).replace('"', "&quot;") + '"'


@pytest.mark.slow
@given(document=elements())
def test_any_document_comes_through(document: str) -> None:
    exact = parse(document, white_space=True, comments=True)
    assert canonical(write(exact), comments=True) == canonical(document, comments=True)
    assert canonical(write(parse(document))) == canonical(document, layout=False)
    assert parse(write(parse(document), declaration=False)) == parse(document)


@given(text=st.text(st.sampled_from("<>/ab&;!-[]?='\" \n#x:"), max_size=40) | st.text(max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        payload = parse(text)
    except StepError:
        with pytest.raises((etree.XMLSyntaxError, ValueError, UnicodeEncodeError)):
            etree.fromstring(text.removeprefix("\ufeff").encode(), etree.XMLParser(encoding="utf-8"))
        return
    assert parse(write(payload)) == payload


@given(payload=json_values | st.dictionaries(names, json_values, min_size=1, max_size=1))
def test_what_is_written_is_well_formed(payload: Json) -> None:
    for config in ({}, {"root": "r"}, {"root": "r", "indent": True}):
        try:
            text = write(payload, **config)
        except StepError:
            continue
        etree.fromstring(text.encode())
