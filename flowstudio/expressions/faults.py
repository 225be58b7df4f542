"""JSONata's error codes as sentences: what failed, where it can be told, and what to write instead."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from typing import Final

from flowstudio.errors import ExpressionError, ExpressionLimitError, ExpressionSyntaxError
from flowstudio.expressions import syntax as tree
from flowstudio.expressions.names import FUNCTIONS

_CODE = re.compile(r"\b([SDTU]\d{4})\b:?\s*")
_QUOTED = re.compile(r"operator \"?([^\s\"]+)\"?|the (\S+) operator")
_FUNCTION = re.compile(r"\$(\w+)")
_PREFIXES = ("Parse error: ", "Invalid syntax: ", "Argument error: ", "Evaluation error: ")

LIMITS: Final = frozenset({"D1011", "D1012", "D2014", "D2015", "U1001", "U1002"})
"""The codes of evaluations that were stopped."""

SENTENCES: Final = {
    "D1001": "the result is not a number that JSON has: it is infinite, as after a division by zero, or too large",
    "D1002": "only a number can be negated",
    "D1004": "the regular expression matches text of no length, again and again",
    "D1009": "the same key is there twice in { }",
    "D1011": "it nests too deeply, or functions call each other without end",
    "D1012": "it took too long",
    "D2014": "a range gives more than 10,000,000 numbers",
    "D2015": "a list became too long",
    "D3001": "a number is too large to be written as text",
    "D3010": "$replace needs to know what to look for: its second argument is empty",
    "D3011": "the limit of $replace is negative",
    "D3012": "the function given to $replace must give a text",
    "D3020": "the limit of $split is negative",
    "D3030": "this is no number",
    "D3040": "the limit of $match is negative",
    "D3050": "the function given to $reduce needs two parameters",
    "D3060": "the square root of a negative number is no number",
    "D3061": "the result of $power is too large to be a number",
    "D3070": "$sort needs a function that compares, for lists of anything but numbers or of anything but texts",
    "D3080": "the picture of $formatNumber has more than one pattern for negative numbers",
    "D3081": "the picture of $formatNumber has more than one decimal point",
    "D3082": "the picture of $formatNumber has more than one percent sign",
    "D3083": "the picture of $formatNumber has more than one per-mille sign",
    "D3084": "the picture of $formatNumber has both a percent and a per-mille sign",
    "D3085": "the picture of $formatNumber has no digit",
    "D3100": "the base given to $formatBase must be from 2 to 36",
    "D3110": "this is no time as ISO 8601 has it, such as 2026-01-31T08:30:00Z",
    "D3120": "the text given to $eval is no expression",
    "D3121": "the expression given to $eval failed",
    "D3130": "the picture names a way of counting that is not supported",
    "D3136": "the text does not fit the picture",
    "D3138": "$single found more than one match",
    "D3139": "$single found no match",
    "D3140": "the text is no well-formed URL",
    "T1003": "a key in { } must be a text",
    "T1005": "this is not a function",
    "T1006": "this is not a function",
    "T1007": "this cannot be applied partially: it is not a function",
    "T1008": "this cannot be applied partially: it is not a function",
    "T1010": "the function given to $match gives no match",
    "T2001": "the left side of an operator that computes is not a number",
    "T2002": "the right side of an operator that computes is not a number",
    "T2003": "a range must begin with a whole number",
    "T2004": "a range must end with a whole number",
    "T2006": "the right side of ~> must be a function",
    "T2007": "the values to order by are not all numbers, or all texts",
    "T2008": "the values to order by must be numbers or texts",
    "T2009": "a number and a text cannot be compared by size",
    "T2010": "only numbers and texts can be compared by size",
    "T2011": "what a transform changes must be told in { }",
    "T2012": "what a transform deletes must be names of fields",
    "U1001": "it took too long, or the functions call each other too deeply",
    "U1002": "it is nested too deeply",
}
"""What happened, for each code whose engine's own words say less."""

REMEDIES: Final = {
    "D1001": "check the divisor first, as in n = 0 ? null : total / n",
    "D1004": "let the pattern match at least one character",
    "D1011": "write the function so that the call of itself is the last thing that it does",
    "D1012": "let it work on less, or do the work in a script",
    "D2015": "let it work on less: split the list first",
    "D3030": "check the value first, as in $exists(x) ? $number(x) : 0",
    "D3070": "give $sort a function, as in $sort(list, function($a, $b){$a.price > $b.price})",
    "D3138": "use [ ] with an index to take one of several",
    "T1003": 'put a constant key into quotes, as in {"name": name}',
    "T2009": "make both the same with $number( ) or $string( )",
    "T2010": "compare with = or !=, or take a number or text of it",
    "T2011": 'write the changes as in | items | {"price": price * 2} |',
}


def coded(message: str) -> tuple[str, str]:
    """The code in an engine's message, and the message without it."""
    for prefix in _PREFIXES:
        message = message.removeprefix(prefix)
    match = _CODE.search(message)
    if match is None:
        return "", message.strip()
    return match.group(1), (message[: match.start()] + message[match.end() :]).strip(" :")


def failed(source: str, code: str, detail: str, advise: Callable[[str, str], str]) -> ExpressionError:
    """An evaluation's error in our words; `advise` gives the remedy of a common slip, or nothing."""
    if code in LIMITS:
        return limited(source, SENTENCES[code], code=code, remedy=REMEDIES.get(code, ""))
    root = tree.parse(source)
    place: int | None = None
    message = SENTENCES.get(code, "") or _lowered(detail)
    remedy = REMEDIES.get(code, "")
    if code in ("T2001", "T2002", "T2009", "T2010"):
        operators = _operators(detail, code)
        found = [
            (chain.operands[i if code == "T2001" else i + 1], operator, chain.places[i])
            for chain in tree.nodes(root)
            if isinstance(chain, tree.Chain)
            for i, operator in enumerate(chain.operators)
            if operator in operators
        ]
        named = {operator for _, operator, _ in found}
        if len(named) == 1:
            operator = named.pop()
            message = {
                "T2001": f"the left side of {operator} is not a number",
                "T2002": f"the right side of {operator} is not a number",
                "T2009": f"a number and a text cannot be compared by {operator}",
                "T2010": f"only numbers and texts can be compared by {operator}",
            }[code]
        if len(found) == 1:
            operand, _, operator_place = found[0]
            place = operator_place if code in ("T2009", "T2010") else operand.start
    elif code in ("T0410", "T0411", "T0412"):
        message, place = _argument(root, source, code, detail)
    elif code in ("T1005", "T1006"):
        message, place, remedy = _no_function(root, source, detail)
    elif code in ("D3137", "D3141"):
        # The words are the author's own.
        message = detail or message
        place = _only(root, "error" if code == "D3137" else "assert")
    elif code in ("D3030", "D3110", "D3140", "D3120", "D1009", "D3136", "D3130") and detail:
        given = re.search(r"'([^']{1,80})'|\"([^\"]{1,80})\"", detail)
        if given is not None and code in ("D3030", "D3110", "D3140", "D1009"):
            message = f"{message}: {given.group(1) or given.group(2)}"
    elif code == "D1002":
        place = _only_kind(root, tree.Negation)
    elif code in ("T2003", "T2004"):
        place = _only_kind(root, tree.Range)
    return ExpressionError(
        message or "the evaluation failed",
        code=code,
        position=place,
        remedy=advise(source, code) or remedy,
        source=source,
    )


def limited(source: str, message: str, *, code: str = "", remedy: str = "") -> ExpressionLimitError:
    """An evaluation that was stopped."""
    # Time and depth have one code in the reference.
    code = "U1001" if code in ("D1011", "D1012") else code
    return ExpressionLimitError(
        f"the evaluation was stopped: {message}", code=code, remedy=remedy or "let it work on less", source=source
    )


def unreadable(source: str, code: str, detail: str, place: int | None, remedy: str = "") -> ExpressionSyntaxError:
    """An engine's refusal of an expression whose words and brackets are right."""
    messages = {
        "S0217": "% has no parent here: the path before it does not go down far enough",
        "S0302": "the regular expression is not well formed",
    }
    return ExpressionSyntaxError(
        messages.get(code, "") or _lowered(detail) or "the expression cannot be read",
        code=code,
        position=place,
        remedy=remedy,
        source=source,
    )


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant."""
    lowered = {each.lower(): each for each in known}
    if name.lower() in lowered:
        return lowered[name.lower()]
    found = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.8)
    return lowered[found[0]] if found else None


def _operators(detail: str, code: str) -> frozenset[str]:
    match = _QUOTED.search(detail)
    named = (match.group(1) or match.group(2)) if match is not None else ""
    known = {"+", "-", "*", "/", "%"} if code in ("T2001", "T2002") else {"<", ">", "<=", ">="}
    return frozenset({named} & known or known)


def _argument(root: tree.Node, source: str, code: str, detail: str) -> tuple[str, int | None]:
    calls = [
        node for node in tree.nodes(root) if isinstance(node, tree.Call) and isinstance(node.function, tree.Variable)
    ]
    match = _FUNCTION.search(detail)
    names = {match.group(1)} if match is not None else {call.function.name for call in calls}  # type: ignore[attr-defined]
    if len(names) == 1:
        function = f"${names.pop()}"
    else:
        function = "a function"
    of_it = [call for call in calls if f"${call.function.name}" == function]  # type: ignore[attr-defined]
    place = of_it[0].start if len(of_it) == 1 else None
    number = re.search(r"[Aa]rgument (\d+)", detail)
    expected = _expected(detail)
    if "count mismatch" in detail or (counts := re.search(r"expected (\d+), got (\d+)", detail)) is not None:
        counts = re.search(r"expected (\d+), got (\d+)", detail)
        got = f", not {counts.group(2)}" if counts is not None else ""
        return f"{function} has another number of arguments{got}", place
    if code == "T0411":
        return f"the value that {function} works on is not {expected or 'of the right kind'}", place
    which = f"argument {number.group(1)} of {function}" if number is not None else f"an argument of {function}"
    if number is not None and len(of_it) == 1 and int(number.group(1)) <= len(of_it[0].arguments):
        place = of_it[0].arguments[int(number.group(1)) - 1].start
    return f"{which} is not {expected or 'of the right kind'}", place


_KINDS: Final = {
    "number": "a number",
    "string": "a text",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "function": "a function",
}


def _expected(detail: str) -> str:
    listed = re.search(r"array of (\w+)", detail, re.IGNORECASE)
    if listed is not None:
        kind = listed.group(1).lower().rstrip("s")
        return f"a list of {'objects' if kind == 'object' else 'texts' if kind == 'string' else kind + 's'}"
    expected = re.search(r"(?:must be (?:an? )?|expected )\(?([A-Z][\w<>:]*(?: or [A-Z][\w<>:]*)*)", detail)
    if expected is None:
        return ""
    kinds = [_KINDS.get(re.split(r"[<:]", word)[0].lower(), word) for word in expected.group(1).split(" or ")]
    return " or ".join(kinds)


def _no_function(root: tree.Node, source: str, detail: str) -> tuple[str, int | None, str]:
    match = _FUNCTION.search(detail) or re.search(r"function '(\w+)'", detail)
    called = [node for node in tree.nodes(root) if isinstance(node, tree.Call)]
    unknown = [
        node
        for node in called
        if (isinstance(node.function, tree.Variable) and node.function.name not in FUNCTIONS)
        or not isinstance(node.function, tree.Variable)
    ]
    if match is not None:
        unknown = [node for node in unknown if _called(node) == match.group(1)] or unknown
    if len({_called(node) for node in unknown}) != 1:
        error = [node for node in called if _called(node) == "error"]
        if error and not unknown:
            return "$error is the failed step's error here, so the function $error cannot be used", error[0].start, ""
        return "a value is called that is not a function", None, ""
    node = unknown[0]
    place = node.start if len(unknown) == 1 else None
    function = node.function
    if isinstance(function, tree.Variable):
        meant = nearest(function.name, FUNCTIONS)
        remedy = f"write ${meant}( )" if meant is not None else "look for the function in the list of functions"
        return f"there is no function ${function.name}", place, remedy
    if isinstance(function, tree.Name):
        meant = nearest(function.value, FUNCTIONS)
        remedy = f"functions begin with a dollar: write ${meant}( )" if meant is not None else ""
        return f"{function.value} is a field, not a function", place, remedy
    return f"{source[function.start : function.end][:40]} is not a function", place, ""


def _called(node: tree.Call) -> str:
    function = node.function
    if isinstance(function, tree.Variable):
        return function.name
    return function.value if isinstance(function, tree.Name) else ""


def _only(root: tree.Node, function: str) -> int | None:
    """The place of the one call of a function, where there is just one."""
    places = [node.start for node in tree.nodes(root) if isinstance(node, tree.Call) and _called(node) == function]
    return places[0] if len(places) == 1 else None


def _only_kind(root: tree.Node, kind: type[tree.Node]) -> int | None:
    places = [node.start for node in tree.nodes(root) if isinstance(node, kind)]
    return places[0] if len(places) == 1 else None


def _lowered(detail: str) -> str:
    detail = detail.strip().rstrip(".").split("\n")[0]
    return detail[:1].lower() + detail[1:] if detail[1:2].islower() else detail
