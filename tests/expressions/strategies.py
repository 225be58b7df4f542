"""Hypothesis draws payloads, bound names, and expressions over them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

FIELDS = ("a", "b", "c", "items", "first-name")

texts = st.sampled_from(
    ["", "x", "Ada", "a,b,c", "10", "true", 'say "hi"', "ü😀", "2026-01-31T08:30:00.000Z", "y" * 40]
)
numbers = st.one_of(st.integers(-5, 20), st.sampled_from([0.5, -1.25, 1e21, 149.0, 2**53 - 1]))
scalars: st.SearchStrategy[Any] = st.one_of(st.none(), st.booleans(), numbers, texts)
payloads: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4)),
    max_leaves=12,
)
without_null: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.booleans(), numbers, texts),
    lambda inner: st.dictionaries(st.sampled_from(FIELDS), st.one_of(inner, st.lists(inner, max_size=4)), max_size=4),
    max_leaves=12,
)
"""Payloads as most are: no null, no list directly in a list."""
objects = st.dictionaries(st.sampled_from(FIELDS), payloads, max_size=5)
names = st.fixed_dictionaries(
    {"vars": objects, "steps": st.fixed_dictionaries({"push": payloads, "close-inner": payloads}), "meta": objects}
)

_leaves = st.sampled_from(
    (
        *("a", "b", "items", "`first-name`", "$", "$$", "$vars.a", "$steps.push", "$steps.`close-inner`.b", "$meta"),
        *("1", "0", "-2", "2.5", '"x"', "'a,b'", '""', "true", "false", "null", "*", "$v", "$item.index", "missing"),
    )
)
_functions = st.sampled_from(
    "sum count string number boolean not exists keys spread uppercase length trim type reverse distinct sort".split()
)
_operators = st.sampled_from("+ - * / % = != < <= > >= & and or in".split())


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    two = st.tuples(inner, inner)
    return st.one_of(
        st.builds("{0}.{1}".format, inner, inner),
        st.builds("({0} {1} {2})".format, inner, _operators, inner),
        st.builds("{0}[{1}]".format, inner, inner),
        st.builds("{0}[]".format, inner),
        st.builds("{0}[0]".format, inner),
        st.builds("${0}({1})".format, _functions, inner),
        two.map(lambda each: f"[{each[0]}, {each[1]}]"),
        two.map(lambda each: f'{{"k": {each[0]}, "l": {each[1]}}}'),
        two.map(lambda each: f'{each[0]}.{{"k": {each[1]}}}'),
        two.map(lambda each: f"{each[0]}.({each[1]})"),
        two.map(lambda each: f"({each[0]} ? {each[1]} : $v)"),
        two.map(lambda each: f"({each[0]} ?? {each[1]})"),
        two.map(lambda each: f"($v := {each[0]}; {each[1]})"),
        two.map(lambda each: f"$map({each[0]}, function($v, $i){{{each[1]}}})"),
        two.map(lambda each: f"$filter({each[0]}, function($v){{{each[1]}}})"),
        two.map(lambda each: f"$append({each[0]}, {each[1]})"),
        two.map(lambda each: f"{each[0]}^({each[1]})"),
        two.map(lambda each: f"$join({each[0]}.$string(), {each[1]})"),
        inner.map(lambda each: f"{each} ~> $string()"),
        inner.map(lambda each: f"$reduce({each}, function($x, $y){{$string($x) & $y}})"),
        inner.map(lambda each: f"$split($string({each}), ',')"),
        inner.map(lambda each: f"/* a comment */ ({each})"),
    )


expressions = st.recursive(_leaves, _grown, max_leaves=6)
"""Expressions of every part of the language but those whose results the two engines may order differently."""

scraps = st.lists(
    st.sampled_from(
        "a b $x $ $$ 1 2.5 . .. , ; : :: := ? ?: ?? ( ) [ ] { } {{ }} + - * ** / % = == != < > <= >= & && | || ~> ^ @ #"
        " ! ~ and or in true null function($x){ λ ` ``q r`` \" ' \"s\" 't' \\ /re/i /* */ // $eval( $now() \n \x00 é 😀 \ud800".split(
            " "
        )
    ),
    max_size=12,
).map(" ".join)
"""Pieces of expressions in no order."""
