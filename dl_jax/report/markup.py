"""HTML from nested function calls: whatever is not already HTML is escaped."""

import base64
import html
import struct
from collections.abc import Sequence
from pathlib import Path

from dl_jax.report.picture import DOTS_PER_INCH, Picture

_VOID = frozenset({"img", "link", "meta", "source"})
_PIXELS_PER_INCH = 110  # of the page: the labels of a picture are as large as its caption


class Html(str):
    """Text that is HTML already. The type is the proof of it: all other text is escaped."""

    __slots__ = ()


def element(tag: str, *children: object, **attributes: object) -> Html:
    """An element with its children, everything escaped that is not `Html`.

    Attributes that are None are left out, and those that are True have no value. A name that
    Python reserves takes a trailing underscore; one with a hyphen takes an underscore within.

    >>> element("td", "a < b", class_="num")
    '<td class="num">a &lt; b</td>'
    """
    parts = [tag]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        name = key.rstrip("_").replace("_", "-")
        parts.append(name if value is True else f'{name}="{html.escape(str(value))}"')
    opening = f"<{' '.join(parts)}>"
    return Html(opening if tag in _VOID else f"{opening}{join(*children)}</{tag}>")


def join(*children: object) -> Html:
    """The children one after the other; None is nothing, text is escaped."""
    return Html(
        "".join(
            child if isinstance(child, Html) else html.escape(str(child))
            for child in children
            if child is not None
        )
    )


def table(
    caption: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    text_columns: Sequence[int] = (0,),
    footer: Sequence[object] | None = None,
    highlight: int | None = None,
    wide: bool = False,
) -> Html:
    """A table in a container of its own that scrolls where the screen is too narrow.

    Args:
        caption: what the table holds; it also names the container.
        columns: the column headers.
        rows: the cells; the first of a row is its header.
        text_columns: the columns that are aligned to the left; the others hold numbers.
        footer: the cells of a last row, for totals.
        highlight: the index of a row to set apart.
        wide: whether it may be wider than the text.
    """

    def row(cells: Sequence[object], class_: str | None = None) -> Html:
        kinds = [None if i in text_columns else "num" for i in range(len(cells))]
        header = element("th", cells[0], scope="row", class_=kinds[0])
        rest = (element("td", c, class_=k) for c, k in zip(cells[1:], kinds[1:], strict=True))
        return element("tr", header, *rest, class_=class_)

    heads = (
        element("th", name, scope="col", class_=None if i in text_columns else "num")
        for i, name in enumerate(columns)
    )
    body = (row(cells, "best" if i == highlight else None) for i, cells in enumerate(rows))
    content = element(
        "table",
        element("caption", caption),
        element("thead", element("tr", *heads)),
        element("tbody", *body),
        element("tfoot", row(footer)) if footer else None,
    )
    # The keyboard scrolls only what it can reach.
    kind = "scroll wide" if wide else "scroll"
    return element("div", content, class_=kind, role="region", tabindex=0, aria_label=caption)


def pairs(items: Sequence[tuple[str, object]]) -> Html:
    """Names and values in two columns."""
    rows = (element("div", element("dt", key), element("dd", value)) for key, value in items)
    return element("dl", *rows)


def figure(picture: Picture) -> Html:
    """A picture with its caption, both of its versions inside the page itself."""
    width, height = _png_size(picture.path.read_bytes())
    scale = _PIXELS_PER_INCH / DOTS_PER_INCH
    image = element(
        "img",
        src=_data_uri(picture.path),
        alt=picture.alt,
        width=round(width * scale),
        height=round(height * scale),
    )
    dark = element(
        "source",
        srcset=_data_uri(picture.dark_path),
        media="screen and (prefers-color-scheme: dark)",  # paper is white
    )
    return element(
        "figure", element("picture", dark, image), element("figcaption", picture.caption)
    )


def _data_uri(path: Path) -> str:
    """A PNG as a URI that holds it."""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")


def _png_size(content: bytes) -> tuple[int, int]:
    """Width and height in pixels, from the header that every PNG begins with."""
    if content[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError("picture: expected a PNG")
    width, height = struct.unpack(">II", content[16:24])
    return width, height
