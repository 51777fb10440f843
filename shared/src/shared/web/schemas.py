"""Schemas of fields whose rules are in code, for the OpenAPI document.

Our own formats: `line` is one line of visible text without control characters, `text` is text without NUL, `cursor`
is `next` of the previous page.
"""

from typing import Any

from pydantic import WithJsonSchema

from shared.contracts.limits import MAX_INTEGER


def documented(**schema: Any) -> WithJsonSchema:
    """Return the schema of a text, to be added to its annotation."""
    return WithJsonSchema({"type": "string", **schema})


def line(least: int, most: int) -> WithJsonSchema:
    return documented(format="line", minLength=least, maxLength=most)


def integer(least: int = 1, most: int = MAX_INTEGER) -> WithJsonSchema:
    return WithJsonSchema({"type": "integer", "minimum": least, "maximum": most})
