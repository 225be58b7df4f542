"""Answers that come in pages: where the next page lies, and when the last one was read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from flowstudio.components.paths import kind_of, parse_path, value_at
from flowstudio.sdk import MISSING, StepError

if TYPE_CHECKING:
    from flowstudio.httpclient import URL, Request, Response

Json = Any
Style = Literal["none", "cursor", "page", "offset", "link"]

_ENDED: Final = (MISSING, None, "", False)


def first_query(config: Any) -> dict[str, str]:
    """What the query of the first request holds beside the step's own; `config` is the http step's."""
    size = {config.size_param: str(config.page_size)} if config.page_size and config.size_param else {}
    match config.pagination:
        case "page":
            return {config.page_param: str(config.first_page), **size}
        case "offset":
            return {config.offset_param: "0", **size}
    return size


class Pages:
    """One walk over the pages of an answer: collects their items and says what to ask for next.

    `config` is the http step's; its settings of the group Pagination are read. `first` is the first page's address.
    """

    def __init__(self, config: Any, first: URL) -> None:
        self._config = config
        self._first = first
        self._asked = {first}
        self.items: list[Json] = []
        self.count = 0

    def next(self, answer: Json, request: Request, response: Response) -> URL | None:
        """Takes in a page's items; the address of the next page, None after the last one."""
        config = self._config
        found = self._items_of(answer)
        self.items.extend(found)
        self.count += 1
        following = self._following(answer, len(found), request, response)
        if following is None:
            return None
        if self.count >= config.max_pages:
            raise StepError(
                f"The list goes on after {self.count:,} pages with {len(self.items):,} items; "
                "raise the number of pages that may be read, or ask for less",
                type="TooManyPages",
                retryable=False,
            )
        if following in self._asked:
            raise StepError(
                f"{request.url.host} names the same next page again and again; "
                "check where in the answer the next page is named",
                type="EndlessPages",
                retryable=False,
            )
        self._asked.add(following)
        return following

    def _items_of(self, answer: Json) -> list[Json]:
        path = self._config.items
        found = value_at(answer, parse_path(path)) if path else answer
        if found is None or found is MISSING:
            if path and isinstance(answer, dict) and found is MISSING and not self.count:
                raise _no_items(answer, f"has nothing at {path}")
            return []
        if not isinstance(found, list):
            raise _no_items(answer, f"has {kind_of(found)} at {path}" if path else f"is {kind_of(found)}")
        return found

    def _following(self, answer: Json, count: int, request: Request, response: Response) -> URL | None:
        config = self._config
        full = count > 0 and (not config.page_size or count >= config.page_size)
        match config.pagination:
            case "page":
                return self._with(config.page_param, config.first_page + self.count) if full else None
            case "offset":
                return self._with(config.offset_param, len(self.items)) if full else None
            case "cursor":
                cursor = value_at(answer, parse_path(config.next))
                if cursor in _ENDED:
                    return None
                if isinstance(cursor, bool) or not isinstance(cursor, (str, int, float)):
                    raise StepError(
                        f"The cursor at {config.next} of the answer is {kind_of(cursor)}, where a text or number belongs; "
                        "name the field that holds the cursor",
                        type="Pagination",
                        retryable=False,
                    )
                return self._with(config.cursor_param, cursor)
            case "link":
                named = value_at(answer, parse_path(config.next)) if config.next else MISSING
                if named in _ENDED or not isinstance(named, str):
                    named = response.links.get("next", {}).get("url") if not config.next else None
                return _joined(request.url, named) if named else None
        return None

    def _with(self, name: str, value: str | int | float) -> URL:
        return self._first.copy_set_param(name, str(value))


def _no_items(answer: Json, why: str) -> StepError:
    lists = [name for name, value in answer.items() if isinstance(value, list)] if isinstance(answer, dict) else []
    remedy = f"its list is at {' or '.join(lists[:3])}" if lists else "name the field that holds the list"
    return StepError(
        f"The answer {why}, but its items are to be gathered page by page; under Pagination set where the items are: {remedy}",
        type="Pagination",
        retryable=False,
    )


def _joined(here: URL, named: str) -> URL:
    try:
        there = here.join(named)
    except Exception:
        # httpx raises several kinds for what is no address; the reason is the same.
        raise StepError(
            f"{here.host} names a next page whose address is not one; check where in the answer the next page is named",
            type="Pagination",
            retryable=False,
        ) from None
    if (there.scheme, there.host, there.port) != (here.scheme, here.host, here.port):
        raise StepError(
            f"{here.host} names a next page at {there.host or 'another address'}, another server: "
            "it is not asked, because the login was not meant for it",
            type="Pagination",
            retryable=False,
        )
    return there
