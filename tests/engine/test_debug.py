"""The debugger: standing still, stepping, looking back, changing payloads, forks that send nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from flowstudio.engine.bound import BoundPlan, Values
from flowstudio.engine.breakpoints import Breakpoint
from flowstudio.engine.debug import Debugger, Standing
from flowstudio.engine.gate import UNANSWERED, Pin
from flowstudio.errors import InvalidInputError
from flowstudio.flow.called import among
from flowstudio.flow.model import Flow
from flowstudio.plan.advance import fold
from flowstudio.plan.compile import compile_flow
from flowstudio.sdk import Category, Component, Context
from flowstudio.sdk.message import Message
from flowstudio.trace.events import Logged
from tests.builders import flow
from tests.toys import Lines, Slow, toys


class Post(Component):
    """Sends the payload to a world that counts."""

    key = "post"
    title = "Post"
    description = "Sends."
    category = Category.CONNECT
    pure = False
    sent: ClassVar[list[Any]] = []

    async def run(self, config: Any, payload: Any, context: Context) -> Any:
        async def perform() -> Any:
            self.sent.append(payload)
            return f"answer to {payload}"

        return await context.effect("post", {"body": payload}, perform)


class Hand:
    """Somebody at the debugger: acts, and waits for where it stands next."""

    def __init__(self, bound: BoundPlan, payload: Any, **more: Any) -> None:
        self.places: asyncio.Queue[Standing | None] = asyncio.Queue()
        self.lines = Lines()
        self.debugger = Debugger(
            bound,
            "s",
            Message(payload),
            stood=self.places.put_nowait,
            ended=lambda result: self.places.put_nowait(None),
            recorders=[self.lines],
            **more,
        )
        self.task = asyncio.ensure_future(self.debugger.run())

    async def place(self) -> Standing | None:
        """Where it stands next; None when the run has ended."""
        return await asyncio.wait_for(self.places.get(), 5)

    async def after(self, movement: Callable[..., Any], *args: Any, **more: Any) -> str | None:
        """Moves; then `visit step when` where it stands."""
        movement(*args, **more)
        return told(await self.place())

    async def end(self) -> list[Any]:
        """The outputs once it has ended."""
        return [out.payload for out in (await asyncio.wait_for(self.task, 5)).outputs]


def told(place: Standing | None) -> str | None:
    return (
        None
        if place is None
        else f"{place.visit} {place.address}" + ("" if place.when == "before" else f" {place.when}")
    )


def by_hand(
    drawn: Flow, payload: Any, act: Callable[[Hand], Awaitable[Any]], called: dict[str, Flow] | None = None, **more: Any
) -> Any:
    async def whole() -> Any:
        registry = toys()
        registry.add(Post)
        bound = BoundPlan(compile_flow(drawn, registry, among(called or {})), Values(), registry)
        hand = Hand(bound, payload, **more)
        try:
            return await act(hand)
        finally:
            if not hand.task.done():
                hand.debugger.stop()
                await hand.task
            await bound.close()

    return asyncio.run(whole())


def at(step: str | None, when: Any = "before", **more: Any) -> list[Breakpoint]:
    return [Breakpoint("b", step, when, **more)]


class TestBreakpoints:
    def test_a_run_stands_still_before_the_step_and_goes_on_to_the_end(self) -> None:
        async def act(hand: Hand) -> Any:
            place = await hand.place()
            assert place is not None
            assert (place.visit, place.step, place.payload, place.reason) == (3, "b", "xa", "breakpoint")
            hand.debugger.go()
            return await hand.place(), await hand.end()

        assert by_hand(flow("s=start -> a=mark -> b=mark -> c=mark"), "x", act, breakpoints=at("b")) == (None, ["xabc"])

    def test_after_a_step_and_on_an_error_of_any(self) -> None:
        async def act(hand: Hand) -> Any:
            return [told(await hand.place()), await hand.after(hand.debugger.go), await hand.after(hand.debugger.go)]

        drawn = flow("s=start -> a=mark -> f=fail -> c=mark")
        both = [Breakpoint("1", "a", "after"), Breakpoint("2", None, "error")]
        assert by_hand(drawn, "fail", act, breakpoints=both) == ["2 a after", "3 f error", None]

    def test_behind_a_failure_it_stands_still_before_the_run_has_ended(self) -> None:
        async def act(hand: Hand) -> Any:
            place = await hand.place()
            assert place is not None
            standing = told(place), place.reason, hand.debugger.runner.state.status, hand.task.done()
            hand.debugger.back()
            looked = told(await hand.place())
            hand.debugger.go()
            return standing, looked, [told(await hand.place()), (await hand.task).status]

        drawn = flow("s=start -> a=mark -> f=fail")
        assert by_hand(drawn, "fail", act, breakpoints=[Breakpoint("1", None, "error")]) == (
            ("3 f error", "error", "running", False),
            "3 f",
            [None, "failed"],
        )

    def test_behind_the_last_visit_it_stands_still_and_can_be_stopped(self) -> None:
        async def act(hand: Hand) -> Any:
            standing = told(await hand.place()), hand.task.done()
            hand.debugger.stop()
            return standing, (await hand.task).status

        drawn = flow("s=start -> a=mark")
        assert by_hand(drawn, "x", act, breakpoints=at("a", "after")) == (("2 a after", False), "cancelled")

    def test_only_messages_that_satisfy_the_condition(self) -> None:
        async def act(hand: Hand) -> Any:
            return [told(await hand.place()), await hand.after(hand.debugger.go)]

        drawn = flow("s=start -> each=each -> m=mark -> g=gather")
        assert by_hand(drawn, [1, 5, 2], act, breakpoints=at("m", condition="$ > 2")) == ["4 each[1]/m", None]

    def test_only_one_item_and_only_from_the_third_on(self) -> None:
        async def act(hand: Hand) -> Any:
            return [told(await hand.place()), await hand.after(hand.debugger.go)]

        drawn = flow("s=start -> each=each -> m=mark -> g=gather")
        assert by_hand(drawn, [1, 2, 3], act, breakpoints=at("m", item=1)) == ["4 each[1]/m", None]
        assert by_hand(drawn, [1, 2, 3], act, breakpoints=at("m", hits=3)) == ["5 each[2]/m", None]

    def test_disabled_and_muted_ones_stop_nothing(self) -> None:
        async def act(hand: Hand) -> Any:
            return await hand.place()

        drawn = flow("s=start -> a=mark")
        assert by_hand(drawn, "x", act, breakpoints=at("a", disabled=True)) is None
        assert by_hand(drawn, "x", act, breakpoints=at("a"), muted=True) is None

    def test_a_logpoint_writes_and_does_not_stop(self) -> None:
        async def act(hand: Hand) -> Any:
            assert await hand.place() is None
            return [(line.step, line.message) for line in hand.lines.of(Logged)]

        drawn = flow("s=start -> a=mark -> b=mark")
        assert by_hand(drawn, "x", act, breakpoints=at("b", log="came with {{ $ }}")) == [("b", "came with xa")]

    def test_they_may_change_while_the_run_is_under_way(self) -> None:
        async def act(hand: Hand) -> Any:
            await hand.place()
            hand.debugger.breakpoints.set(at("c"))
            return await hand.after(hand.debugger.go)

        assert by_hand(flow("s=start -> a=mark -> b=mark -> c=mark"), "x", act, breakpoints=at("a")) == "4 c"

    def test_a_condition_that_does_not_compile_is_refused(self) -> None:
        with pytest.raises(InvalidInputError, match="does not compile"):
            by_hand(flow("s=start -> a=mark"), "x", lambda hand: hand.place(), breakpoints=at("a", condition="(("))


class TestStepping:
    def test_next_makes_one_visit_after_another(self) -> None:
        async def act(hand: Hand) -> Any:
            seen = [told(await hand.place())]
            while seen[-1] is not None:
                seen.append(await hand.after(hand.debugger.next))
            return seen, await hand.end()

        drawn = flow("s=start -> a=mark -> end=mark; s -> b=mark -> end")
        seen, outputs = by_hand(drawn, "x", act, breakpoints=at("s"))
        assert seen == ["1 s", "2 a", "3 end~s.0", "4 b", "5 end~s.1", None]
        assert outputs == ["xaend", "xbend"]

    def test_over_a_call_is_the_whole_of_it_and_into_the_first_step_in_it(self) -> None:
        async def over(hand: Hand) -> Any:
            await hand.place()
            return [await hand.after(hand.debugger.next), await hand.after(hand.debugger.next)]

        async def into(hand: Hand) -> Any:
            await hand.place()
            return [await hand.after(hand.debugger.into), await hand.after(hand.debugger.out)]

        drawn = flow("s=start -> sub=sub -> m=mark", sub={"flow": "other"})
        called = {"other": flow("t=start -> a=mark -> b=mark")}
        assert by_hand(drawn, "x", over, called, breakpoints=at("sub")) == ["6 m", None]
        assert by_hand(drawn, "x", into, called, breakpoints=at("sub")) == ["3 sub:/t", "6 m"]

    def test_a_breakpoint_in_a_called_flow_stops_a_step_over_it(self) -> None:
        async def act(hand: Hand) -> Any:
            await hand.place()
            return [await hand.after(hand.debugger.next), await hand.after(hand.debugger.go)]

        drawn = flow("s=start -> sub=sub -> m=mark", sub={"flow": "other"})
        called = {"other": flow("t=start -> a=mark -> b=mark")}
        points = [Breakpoint("1", "sub"), Breakpoint("2", "b")]
        assert by_hand(drawn, "x", act, called, breakpoints=points) == ["5 sub:/b", None]

    def test_out_leaves_the_item(self) -> None:
        async def act(hand: Hand) -> Any:
            await hand.place()
            return [await hand.after(hand.debugger.out), await hand.after(hand.debugger.out)]

        drawn = flow("s=start -> each=each -> a=mark -> b=mark -> g=gather -> m=tmap")
        assert by_hand(drawn, ["x", "y"], act, breakpoints=at("a", hits=1))[0] == "5 each[1]/a"

    def test_until_a_step_and_until_a_visit(self) -> None:
        async def act(hand: Hand) -> Any:
            await hand.place()
            return [await hand.after(hand.debugger.until, "c"), await hand.after(hand.debugger.until, 5)]

        drawn = flow("s=start -> a=mark -> b=mark -> c=mark -> d=mark")
        assert by_hand(drawn, "x", act, breakpoints=at("a")) == ["4 c", "5 d"]

    def test_pause_stops_before_whatever_comes_next(self) -> None:
        async def act(hand: Hand) -> Any:
            while not any(token.stage == "busy" for token in hand.debugger.runner.state.tokens.values()):
                await asyncio.sleep(0)
            hand.debugger.pause()
            Slow.gates["x"].set()
            place = await hand.place()
            assert place is not None
            return told(place), place.reason

        Slow.gates = {"x": asyncio.Event()}
        assert by_hand(flow("s=start -> slow=slow -> m=mark"), "x", act) == ("3 m", "pause")

    def test_stop_ends_a_run_that_stands(self) -> None:
        async def act(hand: Hand) -> Any:
            await hand.place()
            hand.debugger.stop()
            return (await hand.task).status

        assert by_hand(flow("s=start -> a=mark"), "x", act, breakpoints=at("a")) == "cancelled"


class TestLookingBack:
    def test_back_and_on_again_does_nothing_twice(self) -> None:
        async def act(hand: Hand) -> Any:
            seen = [told(await hand.place())]
            for movement in (hand.debugger.back, hand.debugger.back, hand.debugger.next, hand.debugger.next):
                seen.append(await hand.after(movement))
            seen.append(await hand.after(hand.debugger.next))
            return seen, list(Post.sent), await hand.end()

        Post.sent = []
        drawn = flow("s=start -> p=post -> m=mark")
        seen, sent, outputs = by_hand(drawn, "x", act, breakpoints=at("m"))
        assert seen == ["3 m", "2 p", "1 s", "2 p", "3 m", None]
        assert (sent, outputs) == (["x"], ["answer to xm"])

    def test_a_moment_shows_what_was_there_then(self) -> None:
        async def act(hand: Hand) -> Any:
            await hand.place()
            hand.debugger.goto(2)
            before = await hand.place()
            hand.debugger.goto(2, "after")
            after = await hand.place()
            assert before is not None
            assert after is not None
            return (before.payload, before.live), (after.payload, after.when)

        drawn = flow("s=start -> a=mark -> b=mark -> c=mark")
        assert by_hand(drawn, "x", act, breakpoints=at("c")) == (("x", False), ("xa", "after"))

    def test_a_run_that_has_ended_can_be_looked_at(self) -> None:
        async def act(hand: Hand) -> Any:
            assert await hand.place() is None
            seen = [await hand.after(hand.debugger.back), await hand.after(hand.debugger.back)]
            return [*seen, await hand.after(hand.debugger.next), await hand.after(hand.debugger.go)]

        assert by_hand(flow("s=start -> a=mark -> b=mark"), "x", act) == ["3 b", "2 a", "3 b", None]

    def test_back_along_the_messages_own_path(self) -> None:
        async def act(hand: Hand) -> Any:
            await hand.place()
            return [await hand.after(hand.debugger.back, along=True), await hand.after(hand.debugger.back, along=True)]

        drawn = flow("s=start -> a=mark -> b=mark -> c=mark; s -> x=mark -> y=mark")
        assert by_hand(drawn, "x", act, breakpoints=at("c"))[0].endswith(" b")

    def test_a_moment_that_never_was_is_refused(self) -> None:
        async def act(hand: Hand) -> Any:
            await hand.place()
            with pytest.raises(LookupError, match="visit 9"):
                hand.debugger.goto(9)

        by_hand(flow("s=start -> a=mark"), "x", act, breakpoints=at("a"))


class TestEditing:
    def test_the_payload_of_the_waiting_message(self) -> None:
        async def act(hand: Hand) -> Any:
            await hand.place()
            hand.debugger.edit("y")
            hand.debugger.go()
            await hand.place()
            assert fold(hand.debugger.bound.plan, hand.debugger.course.events) == hand.debugger.runner.state
            return await hand.end(), hand.debugger.edited

        assert by_hand(flow("s=start -> a=mark -> b=mark"), "x", act, breakpoints=at("b")) == (["yb"], True)

    def test_nothing_can_be_changed_where_nothing_waits(self) -> None:
        async def act(hand: Hand) -> Any:
            await hand.place()
            with pytest.raises(InvalidInputError, match="no message waits here"):
                hand.debugger.edit("y")

        by_hand(flow("s=start -> a=mark -> b=mark"), "x", act, breakpoints=at("a", "after"))


class TestForks:
    def fork(self, hand: Hand, visit: int, payload: Any = UNANSWERED, **more: Any) -> Hand:
        state = hand.debugger.fork_at(visit)
        if payload is not UNANSWERED:
            number = hand.debugger.course.started(hand.debugger.course.before(visit) or 0).token
            token = state.tokens[number]
            tokens = {**state.tokens, number: replace(token, message=replace(token.message, payload=payload))}
            state = replace(state, tokens=tokens)
        return Hand(hand.debugger.bound, None, state=state, recording=hand.debugger.recording, **more)

    def test_what_is_the_same_answers_from_the_recording(self) -> None:
        async def act(hand: Hand) -> Any:
            assert await hand.place() is None
            other = self.fork(hand, 2)
            seen = [told(await other.place()), await other.after(other.debugger.go)]
            return seen, await other.end(), list(Post.sent), other.debugger.id != hand.debugger.id

        Post.sent = []
        drawn = flow("s=start -> a=mark -> p=post -> b=mark")
        assert by_hand(drawn, "x", act) == (["2 a", None], ["answer to xab"], ["xa"], True)

    def test_another_request_is_sent_only_when_somebody_says_so(self) -> None:
        async def act(hand: Hand) -> Any:
            assert await hand.place() is None
            other = self.fork(hand, 2, "y")
            await other.place()
            other.debugger.go()
            asked = await other.place()
            assert asked is not None
            assert (asked.reason, asked.request) == ("effect", {"kind": "post", "request": {"body": "ya"}})
            assert Post.sent == ["xa"]
            other.debugger.go()
            return await other.place(), await other.end(), list(Post.sent)

        Post.sent = []
        drawn = flow("s=start -> a=mark -> p=post -> b=mark")
        assert by_hand(drawn, "x", act) == (None, ["answer to yab"], ["xa", "ya"])

    def test_or_the_recorded_answer_stands_in_or_one_that_was_written(self) -> None:
        async def act(hand: Hand) -> Any:
            assert await hand.place() is None
            ends = []
            for written in (UNANSWERED, "mine "):
                other = self.fork(hand, 2, "y")
                await other.place()
                other.debugger.go()
                await other.place()
                other.debugger.answer(other.debugger.recorded_answer() if written is UNANSWERED else written)
                assert told(await other.place()) == "4 b"
                other.debugger.go()
                await other.place()
                ends.append(await other.end())
            return ends, list(Post.sent)

        Post.sent = []
        drawn = flow("s=start -> a=mark -> p=post -> b=mark")
        assert by_hand(drawn, "x", act) == ([["answer to xab"], ["mine b"]], ["xa"])


def test_a_pin_stands_in_for_a_step() -> None:
    async def act(hand: Hand) -> Any:
        assert await hand.place() is None
        return await hand.end(), list(Post.sent)

    Post.sent = []
    drawn = flow("s=start -> p=post -> b=mark")
    assert by_hand(drawn, "x", act, pins={"p": Pin("pinned ")}) == (["pinned b"], [])
