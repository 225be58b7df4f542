"""The grammar: trees that know their characters, and cover them."""

from __future__ import annotations

import pytest
from hypothesis import given

from flowstudio.errors import ExpressionError, ExpressionLimitError
from flowstudio.expressions import syntax as tree
from flowstudio.expressions.dialects import for_careful, for_swift
from tests.expressions.strategies import expressions


def text_of(source: str, node: tree.Node) -> str:
    return source[node.start : node.end]


def test_a_node_knows_its_characters() -> None:
    source = " a.b[c > 1] & $f( 'x' , ?) "
    chain = tree.parse(source)
    assert isinstance(chain, tree.Chain)
    assert text_of(source, chain) == "a.b[c > 1] & $f( 'x' , ?)"
    path, call = chain.operands
    assert isinstance(path, tree.Path)
    assert [text_of(source, step) for step in path.steps] == ["a", "b[c > 1]"]
    assert isinstance(call, tree.Call)
    assert [text_of(source, argument) for argument in call.arguments] == ["'x'", "?"]


@pytest.mark.parametrize(
    ("source", "shape"),
    [
        ("a.b.c", "Path(Name Name Name)"),
        ("a & b + c", "Chain(Name Name Name)"),
        ("a + b * c", "Chain(Name Chain(Name Name))"),
        ("a = b and c or d", "Chain(Chain(Chain(Name Name) Name) Name)"),
        ("a ? b : c ? d : e", "Condition(Name Name Name Name Name)"),
        ("a ~> $b ~> $c", "Apply(Name Variable Variable)"),
        ("a = b ~> $c", "Apply(Chain(Name Name) Variable)"),
        ("a[0][]", "Keep(Filter(Name Literal))"),
        ("a.b{c: d}", "Group(Path(Name Name) Name Name)"),
        ("a^(>b, c)", "Sort(Name Name Name)"),
        ("-a.b", "Negation(Path(Name Name))"),
        ("-5", "Literal"),
        ("(a; b)", "Block(Name Name)"),
        ("$a := b ?? c", "Assignment(Variable Default(Name Name))"),
        ("function($a, $b)<n-n:n>{$a}", "Lambda(Variable Variable Variable)"),
        ("|a|{}, 'b'|", "Transform(Name Object Literal)"),
        ("[a..b, c]", "Array(Range(Name Name) Name)"),
        ("and.or.in", "Path(Name Name Name)"),
        ("a.'b'", "Path(Name Name)"),
        ("* * **", "Chain(Wildcard Descendant)"),
        ("%.a", "Path(Parent Name)"),
        ("a@$b#$c", "Position(Focus(Name Variable) Variable)"),
        ("/a[/]b/i", "Regex"),
        ("a /b/ c", "Chain(Name Name Name)"),
    ],
)
def test_the_shape_of_a_tree(source: str, shape: str) -> None:
    def shown(node: tree.Node) -> str:
        inside = " ".join(map(shown, tree.children(node)))
        return type(node).__name__ + (f"({inside})" if inside else "")

    assert shown(tree.parse(source)) == shape


def test_literals_have_their_values() -> None:
    for source, value in (
        ('"a\\n\\u00e9\\""', 'a\né"'),
        ('"\\ud83d\\ude00"', "😀"),
        ("1.50", 1.5),
        ("1e3", 1000),
        ("9007199254740993", 9007199254740993),
        ("true", True),
        ("null", None),
    ):
        node = tree.parse(source)
        assert isinstance(node, tree.Literal)
        assert node.value == value
        assert type(node.value) is type(value)


def test_depth_and_length_have_limits() -> None:
    tree.parse("(" * tree.MAX_DEPTH + "1" + ")" * tree.MAX_DEPTH)
    for source in ("(" * 101 + "1" + ")" * 101, "[" * 5000, "x" * (tree.MAX_TEXT + 1), "ä" * tree.MAX_TEXT):
        with pytest.raises(ExpressionLimitError):
            tree.parse(source)
    tree.parse("a" + " & a" * 1200)
    tree.parse("a ? 1 : " * 600 + "2")


@given(expressions)
def test_the_parts_lie_in_the_whole_and_one_after_the_other(source: str) -> None:
    try:
        root = tree.parse(source)
    except ExpressionError:
        return
    for node in tree.nodes(root):
        assert 0 <= node.start < node.end <= len(source)
        place = node.start
        for child in tree.children(node):
            assert place <= child.start < child.end <= node.end
            place = child.end


@given(expressions)
def test_what_engines_are_given_has_the_same_grammar(source: str) -> None:
    try:
        tree.parse(source)
    except ExpressionError:
        return
    tree.parse(for_swift(source))
    tree.parse(for_careful(source).text)
