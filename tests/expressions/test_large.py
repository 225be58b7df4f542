"""Ordinary work on lists of a million items is done, not refused."""

from __future__ import annotations

from typing import Any

import pytest

from flowstudio.expressions.language import VisitClock, compile_expression

COUNT = 1_000_000

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return [{"id": n, "qty": n % 7, "price": n % 100 / 2, "name": f"n{n % 1000}"} for n in range(COUNT)]


WORK = {
    "$count($)": COUNT,
    "$sum(qty)": sum(n % 7 for n in range(COUNT)),
    "$count($[qty > 5].id)": COUNT // 7,
    "$count($map($, function($row){$row.id}))": COUNT,
    "$count($filter($, function($row){$row.qty = 0}))": COUNT // 7 + 1,
    "$count($distinct(name))": 1000,
    "$count($keys(name{$: $count($)}))": 1000,
    "$max(price)": 49.5,
    "$^(>id)[0].id": COUNT - 1,
    "$length($join(name, ','))": sum(len(f"n{n % 1000}") for n in range(COUNT)) + COUNT - 1,
    "$reverse($)[0].id": COUNT - 1,
    "$count($append($, [1]))": COUNT + 1,
    '$[name in ["n1", "n2"]][0].id': 1,
    "$reduce(qty, function($sum, $n){$sum + $n})": sum(n % 7 for n in range(COUNT)),
}


@pytest.mark.parametrize("source", WORK)
def test_it_is_done(source: str, rows: list[dict[str, Any]]) -> None:
    assert compile_expression(source).evaluate(rows, {}, VisitClock(0, 1)) == WORK[source]


def test_a_million_objects_are_made_of_a_million(rows: list[dict[str, Any]]) -> None:
    made = compile_expression('[$.{"id": id, "total": qty * price}]').evaluate(rows, {}, None)
    assert len(made) == COUNT
    assert made[13] == {"id": 13, "total": 39.0}
