"""Tables in the console: 80 columns, and plain text where the output is no terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dl_jax.report.numbers import format_number
from dl_jax.report.result import Figure, Result, Verdict, embedded, whole_time

if TYPE_CHECKING:
    from rich.console import Console

_STYLES: dict[Verdict, str] = {
    "met": "green",
    "missed": "bold red",
    "not comparable": "yellow",
    "interrupted": "yellow",
}


def print_results(results: Sequence[Result], *, console: "Console | None" = None) -> None:
    """Prints each experiment with its verdict and time, and its figures below it.

    The time is the sum of the parts: data, compilation, training and evaluation. A note says
    which experiments used embedded data, and why.

    Args:
        results: what the experiments wrote.
        console: where to print; standard output without one.
    """
    from rich import box
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    console = Console() if console is None else console
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("Experiment", overflow="fold", min_width=12)
    for name in ("Got", "Expected", "Bound"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("Verdict", no_wrap=True)
    table.add_column("Time", justify="right", no_wrap=True)

    def verdict_text(verdict: Verdict | None) -> Text:
        return Text(verdict, _STYLES[verdict]) if verdict else Text("-", "dim")

    for number, result in enumerate(results):
        if number:
            table.add_row()
        # In seconds, for the longest verdict is beside it and the quantities need the width.
        seconds = f"{whole_time(result):,.1f} s"
        name = Text(result["experiment"], "bold")
        table.add_row(name, "", "", "", verdict_text(result["verdict"]), seconds)
        for figure in result["figures"]:
            bound = figure["bound"]
            table.add_row(
                Padding(Text(figure["name"]), (0, 0, 0, 2)),
                Text(_value(figure), "bold"),
                _cell(figure["expected"]),
                "-" if bound is None else f"{figure['direction']} {_cell(bound)}",
                verdict_text(figure["verdict"]),
                "",
            )
    console.print(table)
    for result in results:
        if data := embedded(result):
            why = data["reason"] or "as asked for"
            note = f"{result['experiment']}: embedded data, not comparable: {why}"
            console.print(Text(note, "yellow"), soft_wrap=True)


def _value(figure: Figure) -> str:
    """The value; of several seeds with half of its 95 % interval's width."""
    spread = figure.get("spread")
    half = f" +-{_cell(spread['high'] - figure['value'])}" if spread else ""
    return _cell(figure["value"]) + half


def _cell(cell: object) -> str:
    """A cell's text; a plain hyphen for nothing, which every terminal has."""
    return "-" if cell is None else format_number(cell)
