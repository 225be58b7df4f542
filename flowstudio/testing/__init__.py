"""Tests flows and components without a network, an account or a wait.

A `Bench` is one instance of a flow under the test's control: values and fake logins go in, HTTP is answered by stubs or
by a recording, time passes only while a run waits, and what came of it (outputs, visits by step, the log, what was
sent) is read from a record. It is the engine that runs flows everywhere else; only the world around it is made up.
`check_examples` runs the examples of a component, which are its documentation, and says where they are not true.
"""

from flowstudio.sdk.component import Answer
from flowstudio.testing.bench import Bench, Login, Signal, UnexpectedEffectError
from flowstudio.testing.clock import FakeClock, NetworkRefusedError
from flowstudio.testing.examples import check_examples
from flowstudio.testing.http import HttpStubs, Stub, UnexpectedRequestError
from flowstudio.testing.results import ComponentRecord, Effect, Left, LogLine, RunRecord, VisitRecord

__all__ = [
    "Answer",
    "Bench",
    "ComponentRecord",
    "Effect",
    "FakeClock",
    "HttpStubs",
    "Left",
    "LogLine",
    "Login",
    "NetworkRefusedError",
    "RunRecord",
    "Signal",
    "Stub",
    "UnexpectedEffectError",
    "UnexpectedRequestError",
    "VisitRecord",
    "check_examples",
]
