"""What the clipboard holds, on flows alone."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from flowstudio.editor.canvas import clips
from flowstudio.editor.canvas.clips import Part
from flowstudio.errors import EditRefusedError, FileError
from flowstudio.flow.edits import Edit, RemoveStep, Several
from flowstudio.flow.model import Flow, Group, Note, Step, Wire
from flowstudio.sdk.component import Category, Component
from flowstudio.sdk.fields import Code, Expression, Settings, Text, setting
from tests.editor.canvas.world import chain, each, orders, registry


class Reader(Component):
    key, title, description, icon, category = "reader", "Reader", "Reads.", "eye", Category.TRANSFORM

    class Config(Settings):
        value: Expression = setting("$")
        words: Text = setting("")
        code: Code = setting("")


REGISTRY = registry()
REGISTRY.add(Reader)
BY = (48.0, 120.0)


def wires(flow: Flow) -> list[str]:
    return [str(wire) for wire in flow.wires]


def copies(flow: Flow, *steps: str) -> tuple[Part, Edit]:
    return clips.duplicate(flow, clips.part_of(flow, steps), REGISTRY, BY)


def text(flow: Flow, part: Part) -> str:
    return clips.text_of(clips.clip(flow, part))


def test_copies_have_ids_of_their_own_and_the_wires_among_them() -> None:
    flow = orders()
    flow = replace(flow, steps={**flow.steps, "map": replace(flow.steps["map"], disabled=True, note="why", timeout=5)})
    part, edit = copies(flow, "map", "lines")
    after = edit.apply(flow)
    assert part.steps == ("lines-2", "map-2")
    assert "lines-2 -> map-2" in wires(after)
    assert after.steps["map-2"] == after.steps["map"]
    assert after.layout.steps["map-2"] == (592 + 48, 120)
    assert edit.title == "duplicate 2 steps"


def test_a_copy_of_a_copy_counts_on() -> None:
    flow = chain("a", "b")
    for expected in ("b-2", "b-3"):
        part, edit = copies(flow, list(flow.steps)[-1])
        assert part.steps == (expected,)
        flow = edit.apply(flow)


def test_a_clip_survives_its_way_through_a_text_editor() -> None:
    flow = orders()
    written = text(flow, clips.part_of(flow, ["region", "vat"], ["n1"]))
    pasted = clips.flow_of_text("\n  " + json.dumps(json.loads(written)) + "\n")
    assert pasted is not None
    empty = Flow("other", "Other")
    part, edit = clips.paste(empty, pasted, REGISTRY, "paste", at=(24, 48))
    after = edit.apply(empty)
    assert part == Part(("region", "vat"), ("n1",))
    assert wires(after) == ["region:EU -> vat"]
    assert after.layout.steps == {"region": (24, 168), "vat": (336, 48)}
    assert after.notes == flow.notes


def test_a_group_is_copied_with_what_it_holds() -> None:
    flow = each()
    part, edit = clips.duplicate(flow, clips.part_of(flow, groups=["g1"]), REGISTRY, BY)
    after = edit.apply(flow)
    assert part == Part(("one-2", "two-2"), (), ("g2",))
    assert after.groups["g2"] == Group("Inside", ("one-2", "two-2"))
    assert after.groups["g1"] == flow.groups["g1"]


def test_notes_get_keys_of_their_own() -> None:
    flow = orders()
    part, edit = clips.duplicate(flow, clips.part_of(flow, notes=["n1"]), REGISTRY, BY)
    after = edit.apply(flow)
    assert part.notes == ("n2",)
    assert after.layout.notes["n2"] == (24, 264, 432, 96)


def test_what_reads_a_copied_step_reads_the_copy() -> None:
    steps = {
        "a": Step("shape@1"),
        "b": Step("reader@1", {"value": "$steps.a.x", "words": "{{ $steps.a.x }}!", "code": "return steps['a']"}),
        "c": Step("shape@1"),
    }
    flow = Flow("f", "F", steps, (Wire("a", "b"),))
    after = copies(flow, "a", "b")[1].apply(flow)
    assert after.steps["b-2"].config == {
        "value": "$steps.`a-2`.x",
        "words": "{{ $steps.`a-2`.x }}!",
        "code": "return steps['a-2']",
    }
    assert after.steps["b"] == flow.steps["b"]
    alone = copies(flow, "b")[1].apply(flow)
    assert alone.steps["b-2"].config == flow.steps["b"].config, "the step that is read was not copied"


def test_a_new_id_is_never_an_old_one_of_the_same_clip() -> None:
    flow = Flow("f", "F", {"a": Step("shape@1"), "a-2": Step("reader@1", {"value": "$steps.a"})})
    pasted = clips.flow_of_text(text(flow, Part(("a", "a-2"))))
    assert pasted is not None
    other = Flow("o", "O", {"a": Step("shape@1")})
    after = clips.paste(other, pasted, REGISTRY, "paste")[1].apply(other)
    assert list(after.steps) == ["a", "a-3", "a-2"]
    assert after.steps["a-2"].config == {"value": "$steps.`a-3`"}


def test_a_whole_flow_can_be_pasted() -> None:
    flow = orders()
    pasted = clips.flow_of_text(json.dumps(flow.to_document()))
    assert pasted is not None
    after = clips.paste(flow, pasted, REGISTRY, "paste", at=(0, 600))[1].apply(flow)
    assert len(after.steps) == 2 * len(flow.steps)
    assert len(after.wires) == 2 * len(flow.wires)


@pytest.mark.parametrize("words", ["", "curl https://example.com", "{not json}", "[1, 2]", '{"a": 1}'])
def test_other_text_is_nothing_of_ours(words: str) -> None:
    assert clips.flow_of_text(words) is None


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ('{"edit": "Several", "title": "paste", "edits": [', "not whole JSON"),
        ('{"edit": "Several", "title": "p", "edits": [{"edit": "AddStep", "step": "a"}]}', "component"),
        ('{"edit": "Frob"}', "Frob"),
        ('{"format": "flowstudio/flow@1", "id": "x", "name": "X"}', "steps"),
        (json.dumps(Several("p", (RemoveStep("a"),)).to_document()), "no copy of steps"),
    ],
)
def test_a_damaged_clip_says_what_is_wrong(words: str, why: str) -> None:
    with pytest.raises(FileError, match=why):
        clips.flow_of_text(words)


def test_a_clip_that_contradicts_itself_says_what_is_wrong() -> None:
    twice = Several("p", (clips.clip(chain("a"), Part(("a",))).edits[0],) * 2)
    with pytest.raises(EditRefusedError, match="there is a step a already"):
        clips.flow_of_text(clips.text_of(twice))


def test_notes_alone_can_be_copied() -> None:
    flow = replace(Flow("f", "F"), notes={"n1": Note("Hello")})
    pasted = clips.flow_of_text(text(flow, Part(notes=("n1",))))
    assert pasted is not None
    assert pasted.notes == flow.notes
