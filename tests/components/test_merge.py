"""`merge`: what is made of the branches."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flowstudio.components.merge import MergeComponent
from flowstudio.plan.settings import compile_config
from flowstudio.sdk.spec import derive
from tests.conformance.configs import json_values
from tests.conformance.stage import compiled

arrivals_of = st.lists(st.tuples(st.sampled_from(["stock", "price", "a-b"]), json_values), min_size=1, max_size=6)


def join(config: dict[str, Any], arrivals: list[tuple[str, Any]]) -> Any:
    """What a merge makes of these arrivals."""
    return MergeComponent().join(compiled(MergeComponent, config).bind({}).evaluate(None, {}, None), arrivals)


@given(arrivals_of)
def test_the_list_holds_every_message(arrivals: list[tuple[str, Any]]) -> None:
    assert join({}, arrivals) == join({"mode": "list"}, arrivals) == [payload for _, payload in arrivals]


@given(arrivals_of)
def test_the_object_has_each_step_once_and_every_message_of_it(arrivals: list[tuple[str, Any]]) -> None:
    joined = join({"mode": "object"}, arrivals)
    assert list(joined) == list(dict.fromkeys(step for step, _ in arrivals))
    for step, value in joined.items():
        own = [payload for name, payload in arrivals if name == step]
        assert value == (own if len(own) > 1 else own[0])


def test_another_mode_is_a_fault() -> None:
    (problem,) = compile_config(derive(MergeComponent), {"mode": "zip"})[1]
    assert (problem.field, problem.remedy) == ("mode", "one of list, object")
