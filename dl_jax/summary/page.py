"""The page of `dl-jax summary`: the maps drawn, the table, and the formulas with their numbers."""

from collections.abc import Sequence
from pathlib import Path

from dl_jax.models.layer_formulas import Shape
from dl_jax.models.summary import Row
from dl_jax.report.markup import Html, element, figure, join, table
from dl_jax.report.page import write_html
from dl_jax.report.plots.feature_maps import plot_feature_maps
from dl_jax.summary.command import HEADER, TRAINING, cells, totals
from dl_jax.summary.stack import maps_of


def write_summary_page(
    folder: Path, model: str, input_shape: Shape, lead: str, rows: list[Row], command: str
) -> Path:
    """Write the picture and the page, and return the page's path.

    Args:
        folder: of the page.
        model: its name in the catalog.
        input_shape: of one example.
        lead: what goes in, in words.
        rows: of the model's summary.
        command: the command line that repeats it.
    """
    maps = maps_of(input_shape, rows)
    drawn = plot_feature_maps(maps, folder / "feature_maps.png", title=f"Feature maps of {model}")
    line = element("pre", element("code", command), tabindex=0, aria_label="Command")
    content = join(
        element(
            "header",
            element("p", "summary", class_="eyebrow"),
            element("h1", model),
            element("p", f"{lead[:1].upper()}{lead[1:]}.", class_="lead"),
        ),
        _section("Picture", figure(drawn)),
        _section("Layers", _layers(rows)),
        _section("Formulas", _formulas(rows)),
        _section("Repeat this summary", line),
    )
    return write_html(folder, f"{model}, layer by layer", content)


def _section(title: str, content: Html) -> Html:
    return element("section", element("h2", title), content)


def _layers(rows: Sequence[Row]) -> Html:
    footer = ("Total", "", "", "", "", *totals(list(rows)), "")
    body = [cells(row) for row in rows]
    caption = "Of one example; the receptive field is the side of what a value sees, in pixels"
    content = table(caption, HEADER, body, footer=footer, wide=True)
    if any(row.only_training for row in rows):
        return join(content, element("p", f"* {TRAINING}."))
    return content


def _formulas(rows: Sequence[Row]) -> Html:
    body = [
        (
            row.path or row.kind,
            _times(row.size_formula),
            _equation(row.params_formula, row.num_params),
            _equation(row.flops_formula, row.flops),
        )
        for row in rows
        if row.size_formula or row.num_params or row.flops
    ]
    explained = element(
        "p",
        "Side O = (I − K + 2P)/S + 1 of the side I, the kernel K, the padding P and the stride S; "
        "K·K·C·N weights and N biases for C channels and N kernels, whose channels are those of "
        "their group; two operations, a multiplication and an addition, for each weight at each "
        "place. Every size and number was compared with what Flax makes.",
    )
    columns = ("Layer", "Output size", "Parameters", "FLOPs")
    return join(explained, table("With numbers", columns, body, wide=True))


def _equation(formula: str, value: int) -> str:
    return f"{_times(formula)} = {value:,}" if value else ""


def _times(text: str) -> str:
    """The text with the signs of products and differences, which no keyboard has."""
    return text.replace("*", "·").replace(" - ", " − ")
