"""Every error that FlowStudio raises on purpose, and `Problem`, a reason why a flow may not run.

    FlowStudioError
    ├── InvalidInputError           the input is wrong; carries problems; exit status 2
    │   ├── FileError               a file cannot be read as what it should be
    │   ├── EditRefusedError        an edit does not apply to this flow
    │   ├── CompileError            a flow may not run
    │   └── BindError               a customer's values do not fit the template
    ├── ExpressionError             an expression or text; carries code, position and remedy
    │   ├── ExpressionSyntaxError   it does not compile
    │   └── ExpressionLimitError    it was stopped: too long, too deep, too large
    ├── StepError                   a step failed; what `$error` shows
    │   ├── StepTimeoutError        one try took longer than its timeout
    │   ├── ConnectionFailedError   the other system could not be reached, or hung up
    │   └── HttpStatusError         the other system answered with a status that the step counts as failure
    ├── SecretStoreError            secrets can be neither read nor kept here
    ├── StoreError                  something on disk cannot be read or written
    └── ProtocolError               a session's message cannot be answered; carries the JSON-RPC code

An error prints one sentence and says what to do; everything a program needs of it is an attribute.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["error", "warning"]
PathKey = str | int


@dataclass(frozen=True, slots=True)
class Problem:
    """A reason why a flow may not run, or should be looked at: what happened, why, what to do.

    `field` is the dotted name of a config field (`headers.Accept`), `path` the JSON path in the file as a tuple,
    `span` the characters of the field's text that are meant, from 0, end exclusive.
    """

    what: str
    why: str = ""
    remedy: str = ""
    step: str | None = None
    field: str | None = None
    path: tuple[PathKey, ...] = ()
    span: tuple[int, int] | None = None
    severity: Severity = "error"
    file: str | None = None

    def __str__(self) -> str:
        place = ".".join(part for part in (self.step, self.field) if part)
        told = ", ".join(part.rstrip(".") for part in (self.what, self.why, self.remedy) if part)
        return f"{place}: {told}" if place else told

    def to_json(self) -> dict[str, Any]:
        """The problem as `--json` prints it."""
        return {
            "file": self.file,
            "step": self.step,
            "field": self.field,
            "path": list(self.path),
            "what": self.what,
            "why": self.why,
            "remedy": self.remedy,
            "severity": self.severity,
        }


class FlowStudioError(Exception):
    """The root of all errors raised on purpose."""


class InvalidInputError(FlowStudioError):
    """The input is wrong: `problems` says where, why and what to do."""

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("; ".join(str(problem) for problem in self.problems))


class FileError(InvalidInputError):
    """A file cannot be read as what it should be."""


class EditRefusedError(InvalidInputError):
    """An edit does not apply; `index` is its place in a list of edits, None for a single one."""

    def __init__(self, problem: Problem, index: int | None = None) -> None:
        super().__init__(problem)
        self.index = index

    @property
    def problem(self) -> Problem:
        """The one reason."""
        return self.problems[0]


class CompileError(InvalidInputError):
    """A flow may not run."""


class BindError(InvalidInputError):
    """A customer's values do not fit the template."""


class ExpressionError(FlowStudioError):
    """An expression or a text failed.

    `code` is JSONata's (`T2001`), `position` counts characters from 0 and is None where the language gives none,
    `remedy` is set for a common slip.
    """

    def __init__(
        self, message: str, *, code: str = "", position: int | None = None, remedy: str = "", source: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.position = position
        self.remedy = remedy
        self.source = source


class ExpressionSyntaxError(ExpressionError):
    """An expression or text does not compile."""


class ExpressionLimitError(ExpressionError):
    """An evaluation was stopped because it took too long, nested too deep or grew too large."""


class StepError(FlowStudioError):
    """A step failed: what `$error`, the trace and the books show of it.

    `type` is a short stable name (`Timeout`, `HttpStatus`), `status` an HTTP status where there was one, `data` any
    JSON that helps (the answer's body), `retry_after` the seconds that the other side asked to wait. `retryable` None
    leaves the decision to the step's retry policy; False means that trying again cannot help.
    """

    type = "StepError"

    def __init__(
        self,
        message: str,
        *,
        type: str | None = None,  # noqa: A002 - the word of the trace
        status: int | None = None,
        data: Any = None,
        retry_after: float | None = None,
        retryable: bool | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if type is not None:
            self.type = type
        self.status = status
        self.data = data
        self.retry_after = retry_after
        self.retryable = retryable
        self.details = dict(details or {})


class StepTimeoutError(StepError):
    """One try took longer than the step's timeout."""

    type = "Timeout"


class ConnectionFailedError(StepError):
    """The other system could not be reached, or hung up."""

    type = "ConnectionFailed"


class HttpStatusError(StepError):
    """The other system answered with a status that the step counts as failure."""

    type = "HttpStatus"


class SecretStoreError(FlowStudioError):
    """Secrets can be neither read nor kept here."""


class StoreError(FlowStudioError):
    """Something on disk cannot be read or written."""


class ProtocolError(FlowStudioError):
    """A session's message cannot be answered; `code` is JSON-RPC's, `data` goes with it."""

    def __init__(self, message: str, *, code: int, data: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.data = data
