"""JSONata's own cases: what the reference implementation gives, evaluated through our face."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowstudio.errors import ExpressionError
from flowstudio.expressions.language import VisitClock, compile_expression
from flowstudio.expressions.nothing import MISSING

DATA = Path(__file__).parent.parent / "data" / "jsonata"

KNOWN_TO_FAIL = {
    "range-operator/case021.json": "a list of 10,000,000 numbers, made only to be counted, is over our limit",
}
"""Cases that give something else here, with the reason. The list may only become shorter."""


def _cases() -> Iterator[Any]:
    groups = DATA / "groups"
    for path in sorted(groups.glob("*/*.json")):
        stored = json.loads(path.read_text(encoding="utf-8"))
        several = stored if isinstance(stored, list) else [stored]
        for number, case in enumerate(several):
            name = path.relative_to(groups).as_posix() + (f"[{number}]" if isinstance(stored, list) else "")
            if "expr-file" in case:
                case = {**case, "expr": (path.parent / case["expr-file"]).read_text(encoding="utf-8")}
            reason = KNOWN_TO_FAIL.get(name)
            marks = [pytest.mark.xfail(reason=reason, strict=True)] if reason else []
            yield pytest.param(case, id=name, marks=marks)


def _input(case: dict[str, Any]) -> Any:
    if "data" in case:
        return case["data"]
    if case.get("dataset") is None:
        return MISSING
    return json.loads((DATA / "datasets" / f"{case['dataset']}.json").read_text(encoding="utf-8"))


def _same(one: Any, other: Any, unordered: bool) -> bool:
    """Equal, where true is not 1, and a list may be in another order."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key], unordered) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        if unordered:
            one, other = sorted(one, key=json.dumps), sorted(other, key=json.dumps)
        return len(one) == len(other) and all(_same(a, b, unordered) for a, b in zip(one, other, strict=True))
    return bool(one == other)


@pytest.mark.parametrize("case", list(_cases()))
def test_a_case_of_the_reference(case: dict[str, Any]) -> None:
    payload, bindings = _input(case), case.get("bindings") or {}
    clock = VisitClock(1_700_000_000.0, 7)
    expected = case.get("code") or case.get("error", {}).get("code")
    if expected is not None:
        with pytest.raises(ExpressionError) as caught:
            compile_expression(case["expr"]).evaluate(payload, bindings, clock)
        assert caught.value.code == expected
        assert caught.value.message
        return
    value = compile_expression(case["expr"]).evaluate(payload, bindings, clock)
    if case.get("undefinedResult"):
        assert value is MISSING
    else:
        assert value is not MISSING
        assert _same(value, case["result"], bool(case.get("unordered"))), value


@pytest.mark.slow
def test_the_names_of_the_known_failures_are_those_of_cases() -> None:
    assert set(KNOWN_TO_FAIL) <= {case.id for case in _cases()}
