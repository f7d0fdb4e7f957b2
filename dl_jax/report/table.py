"""Tables of plain text, which need nothing installed."""

from collections.abc import Sequence


def format_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numbers: Sequence[int] = (),
    footer: Sequence[str] | None = None,
) -> str:
    """Returns the table's lines: columns two spaces apart, a rule below the header.

    Args:
        header: a name for each column.
        rows: a text for each column; a row of one text is a heading and may be wider.
        numbers: the columns that are aligned on the right.
        footer: a last row, below a rule of its own.
    """
    full = [header, *(row for row in rows if len(row) > 1), *([footer] if footer else [])]
    widths = [max(map(len, column)) for column in zip(*full, strict=True)]
    line = "-" * (sum(widths) + 2 * (len(widths) - 1))

    def text(row: Sequence[str]) -> str:
        if len(row) == 1:
            return row[0]
        cells = enumerate(zip(row, widths, strict=True))
        return "  ".join(
            f"{cell:>{width}}" if i in numbers else f"{cell:<{width}}" for i, (cell, width) in cells
        ).rstrip()

    below = [line, text(footer)] if footer else []
    return "\n".join([text(header), line, *map(text, rows), *below])
