"""HTML and SVG as text: whatever is no markup yet is escaped on its way into an element.

Records come from strangers, so nothing depends on a caller who remembers to escape. `Html + str`
and an f-string of `Html` are plain `str`, and would be escaped again: a mistake shows, and is safe.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Union

EMPTY = frozenset({"line", "meta", "path", "rect"})  # they hold nothing, so none is closed
Child = Union[str, None, Iterable[Union[str, None]]]


class Html(str):
    """Markup: it goes into an element as it is."""

    __slots__ = ()


def element(name: str, /, *children: Child, **attributes: object) -> Html:
    """Return an element.

    Args:
        name: Its tag.
        children: What it holds: text, markup, lists of both; None is nothing.
        attributes: Their `_` stands for `-`, and at the end for nothing; those of None are left
            out.
    """
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escaped(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in EMPTY:
        return Html(f"<{name}{said}/>")
    return Html(f"<{name}{said}>{joined(*children)}</{name}>")


def joined(*children: Child) -> Html:
    """Return children one after the other."""
    parts = []
    for child in children:
        if isinstance(child, Html):
            parts.append(str(child))
        elif isinstance(child, str):
            parts.append(escaped(child))
        elif child is not None:
            parts.append(str(joined(*child)))
    return Html("".join(parts))


def escaped(text: str) -> str:
    """Return a text that is no markup, in elements and in attributes.

    What does not print is written as Python writes it: marks that turn the direction of what
    follows, line ends, halves of characters.
    """
    if not text.isprintable():
        text = "".join(map(_printing, text))
    return html.escape(text)


def code(text: str) -> Html:
    """Return a text of the machine's: a name, a path, a command."""
    return element("code", text)


def _printing(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode()
