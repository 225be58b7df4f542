"""What cards show of texts and expressions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowstudio.components.captions import LENGTH, caption, expression_caption
from flowstudio.sdk.registry import Registry

REGISTRY = Registry.from_entry_points()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{{ $vars.crm_url }}/customers", "{crm_url}/customers"),
        ("{{ order.number }} of {{customer.name}}", "{number} of {name}"),
        ("{{ $count(lines) }} lines", "{…} lines"),
        ("{{ a & b }}", "{…}"),
        ("{{ $steps.push.`odd key` }}", "{odd key}"),
        ("{{ lines[0].sku }}", "{sku}"),
        (r"\{{ no }}", "{{ no }}"),
        ("two\n  lines", "two lines"),
        ("{{ open", "{{ open"),
        ("", "none"),
        (None, "none"),
        (5, "none"),
    ],
)
def test_braces_are_shown_as_names(text: Any, shown: str) -> None:
    assert caption(text, "none") == shown


def test_variables_are_shown_by_their_names() -> None:
    assert expression_caption("total >\n $vars.min_total") == "total > min_total"


@given(st.text())
def test_a_caption_is_one_short_line(text: str) -> None:
    for shown in (caption(text, "none"), expression_caption(text, "none")):
        assert len(shown.splitlines()) == 1
        assert len(shown) <= LENGTH


@pytest.mark.parametrize(
    ("component", "config", "shown"),
    [
        ("http@1", {"method": "POST", "url": "{{ $vars.crm_url }}/customers"}, "POST {crm_url}/customers"),
        ("http@1", {"url": "https://api.example.com/x"}, "GET api.example.com/x"),
        ("http@1", {}, "GET …"),
        ("webhook@1", {"path": "/orders/", "methods": ["POST", "PUT"]}, "POST, PUT /orders"),
        ("webhook@1", {}, "POST …"),
        ("schedule@1", {"every": 300}, "Every 5 minutes"),
        ("schedule@1", {"every": 86_400}, "Every day"),
        ("schedule@1", {"every": 1.5}, "Every 1.5 seconds"),
        ("schedule@1", {}, "No time set"),
        ("map@1", {"expression": '{"name": first, "lines": [orders.{"sku": sku}]}'}, "name, lines, sku"),
        ("map@1", {"expression": "customer.name"}, "customer.name"),
        ("map@1", {}, "No fields yet"),
        ("set@1", {"fields": {"a.b": "1", "c": "2"}, "remove": ["d"]}, "a.b, c; without d"),
        ("filter@1", {"condition": "total > $vars.min_total"}, "total > min_total"),
        ("filter@1", {}, "No condition yet"),
        ("choice@1", {"cases": [{"port": "a", "when": "x"}, {"port": "b", "when": "y"}]}, "First of 2 cases"),
        ("choice@1", {"cases": [{"port": "a", "when": "x = 1"}]}, "x = 1"),
        ("choice@1", {}, "No cases yet"),
        ("script@1", {"code": "\n# Enrich the customer\nreturn payload"}, "Enrich the customer"),
        ("script@1", {"code": ""}, "No code yet"),
        ("respond@1", {"status": 201, "body": '{"id": id}'}, '201 Created: {"id": id}'),
        ("respond@1", {"status": "{{ code }}"}, "Status by expression"),
        ("respond@1", {}, "200 OK"),
        ("log@1", {"message": "Order {{ number }}", "level": "warning"}, "Warning: Order {number}"),
        ("manual@1", {"sample": {"id": 1, "name": "x"}}, "Sample: id, name"),
        ("manual@1", {}, "Started by hand"),
    ],
)
def test_a_card_says_what_its_step_does(component: str, config: dict[str, Any], shown: str) -> None:
    assert REGISTRY.spec(component).summary(config) == shown


def test_a_cron_line_is_told_in_words_with_its_zone() -> None:
    shown = REGISTRY.spec("schedule@1").summary({"cron": "0 6 * * 1-5", "timezone": "Europe/Berlin"})
    assert "06:00" in shown
    assert shown.endswith("(Europe/Berlin)")
