"""The parts of an experiment's page, from its result."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from dl_jax.report.markup import Html, element, figure, join, pairs, table
from dl_jax.report.notices import epochs_text, notice
from dl_jax.report.numbers import format_number, format_seconds
from dl_jax.report.picture import Picture
from dl_jax.report.result import Data, Figure, Model, Result, Sample, Table, Verdict

# A sign beside the word, so that no verdict is told by its colour alone.
_FEW_COLUMNS = 6  # that are no wider than the text
_SIGNS: dict[Verdict, str] = {"met": "✓", "missed": "✗", "not comparable": "≠", "interrupted": "‖"}
_DIRECTIONS = {">=": "≥", "<=": "≤"}
_TIMES = {
    "data": "Reading the data",
    "compilation": "Compilation",
    "training": "Training",
    "epoch": "One epoch of it",
    "evaluation": "Evaluation",
}
_LONGEST_TEXT = 420  # characters of a sample; the beginning of a review tells enough


def badge(verdict: Verdict) -> Html:
    """The verdict as a word with a sign."""
    sign = element("span", _SIGNS[verdict], aria_hidden="true")
    return element("span", sign, " ", verdict, class_=f"badge {verdict.replace(' ', '-')}")


def article(
    result: Result, pictures: Sequence[Picture], *, level: int = 1, with_environment: bool = True
) -> Html:
    """The whole of one experiment, under a heading of the level given.

    Where nothing was trained the pictures come first: they are what such a page is for.
    """
    part = f"h{level + 1}"

    def section(title: str, content: Html | None) -> Html | None:
        return None if content is None else element("section", element(part, title), content)

    samples, tables = result.get("samples"), result.get("tables")
    results = section("Results", _figures(result))
    shown = section("Pictures", join(*map(figure, pictures)) if pictures else None)
    header = element(
        "header",
        element("p", result["experiment"], class_="eyebrow"),
        element(f"h{level}", result["title"]),
        element("p", result["description"], class_="lead"),
        element("p", badge(result["verdict"])),
    )
    return element(
        "article",
        notice(result),
        header,
        *((results, shown) if result["history"] else (shown, results)),
        section("Numbers", join(*map(_numbers, tables)) if tables else None),
        section("Samples", _samples(samples) if samples else None),
        section("Model", _model(result["model"]) if result["model"] else None),
        section("Epochs", _history(result["history"]) if result["history"] else None),
        element(
            "div",
            section("Times", _times(result) if result["times"] else None),
            section("Data", _data(result["data"]) if result["data"] else None),
            section("Configuration", pairs(flatten(result["config"]))),
            section("Environment", environment(result)) if with_environment else None,
            class_="columns",
        ),
        section(
            "Repeat this run",
            element("pre", element("code", result["command"]), tabindex=0, aria_label="Command"),
        ),
        id=result["experiment"],
    )


def environment(result: Result) -> Html:
    """The machine and the versions."""
    return pairs(flatten(result["environment"]))


def _figures(result: Result) -> Html:
    """What was measured beside what was expected."""
    if not result["figures"]:
        return element("p", "No figure was measured.")
    rows = [
        (
            f["name"],
            _with_spread(f),
            badge(f["verdict"]) if f["verdict"] else "–",
            format_number(f["expected"]),
            "–" if f["bound"] is None
            else f"{_DIRECTIONS[f['direction']]} {format_number(f['bound'])}",
            f["source"],
        )
        for f in result["figures"]
    ]  # fmt: skip
    columns = ("Quantity", "Got", "Verdict", "Expected", "Bound", "Source")
    caption = "Measured and expected"
    numbers = [f["spread"]["n"] for f in result["figures"] if "spread" in f]
    if numbers:
        caption += f"; means of {numbers[0]} seeds with their 95 % intervals, by Student’s t"
    return table(caption, columns, rows, text_columns=(0, 2, 5))


def _with_spread(figure: Figure) -> Html:
    """The value, and half of its interval's width beside it."""
    value = element("b", format_number(figure["value"]))
    spread = figure.get("spread")
    if spread is None:
        return value
    return join(value, f" ± {format_number(spread['high'] - figure['value'])}")


def _numbers(numbers: Table) -> Html:
    """A table of the numbers behind the pictures; whole columns of words are set to the left."""
    rows = [[format_number(cell) for cell in row] for row in numbers["rows"]]
    columns = range(len(numbers["columns"]))
    words = [k for k in columns if all(isinstance(row[k], str) for row in numbers["rows"])]
    many = len(columns) > _FEW_COLUMNS
    return table(numbers["caption"], numbers["columns"], rows, text_columns=words, wide=many)


def _samples(samples: Sequence[Sample]) -> Html:
    """Texts with what the model made of them."""
    items = []
    for sample in samples:
        text, p = sample["text"], float(sample["probability"])
        if len(text) > _LONGEST_TEXT:
            text = text[:_LONGEST_TEXT].rsplit(" ", 1)[0] + " …"
        right = sample["prediction"] == sample["target"]
        verdict = f"✓ {sample['prediction']}" if right else f"✗ {sample['prediction']}"
        width = 100 * min(max(p, 0.0), 1.0) if math.isfinite(p) else 0
        bar = element("span", element("span", style=f"width: {width:.0f}%"), class_="bar",
                      aria_hidden="true")  # fmt: skip
        line = element(
            "p",
            element("b", verdict),
            bar,
            element("span", f"{p:.0%}", class_="num"),
            None if right else element("span", f"true: {sample['target']}"),
            class_="right" if right else "wrong",
        )
        items.append(element("li", element("blockquote", text), line))
    return element("ul", *items, class_="samples")


def _model(model: Model) -> Html:
    """The lecture's summary table, with FLOPs."""
    rows = [
        (
            row["layer"],
            " × ".join(str(size) for size in row["output_shape"]) or "scalar",
            format_number(row["params"]),
            format_number(row["flops"]),
        )
        for row in model["rows"]
    ]
    flops = [row["flops"] for row in model["rows"] if row["flops"] is not None]
    total = ("Total", "", format_number(model["num_params"]), format_number(sum(flops)))
    columns = ("Layer", "Output shape", "Parameters", "FLOPs")
    return table(f"{model['name']}, for one example", columns, rows, footer=total)


def _history(history: Sequence[Mapping[str, Any]]) -> Html:
    """A row an epoch, folded away; the one with the lowest validation loss is set apart."""
    keys = list(dict.fromkeys(key for row in history for key in row))
    rows = [[format_number(row.get(key)) for key in keys] for row in history]
    losses = [(float(row["val_loss"]), i) for i, row in enumerate(history) if "val_loss" in row]
    best = min((pair for pair in losses if math.isfinite(pair[0])), default=None)
    names = [key.replace("val_", "validation ").replace("_", " ") for key in keys]
    content = table(
        "Loss and metrics after each epoch"
        + ("; bold: the lowest validation loss" if best else ""),
        [name[:1].upper() + name[1:] for name in names],
        rows,
        text_columns=(),
        highlight=best[1] if best else None,
    )
    return element("details", element("summary", epochs_text(len(history))), content)


def _times(result: Result) -> Html:
    """Seconds as people read them, in the order of the run."""
    times, programs = result["times"], result.get("programs")
    order = [*(key for key in _TIMES if key in times), *(k for k in times if k not in _TIMES)]
    rows: list[tuple[str, object]] = [
        (_TIMES.get(key, _label(key)), format_seconds(times[key])) for key in order
    ]
    return pairs([*rows, ("Programs", programs)] if programs else rows)


def _data(data: Data) -> Html:
    """Which data, from where."""
    return pairs(
        [
            ("Name", data["name"] + (" (embedded)" if data["embedded"] else "")),
            ("Source", data["source"]),
            ("Training", f"{format_number(data['num_train'])} examples"),
            ("Test", f"{format_number(data['num_test'])} examples"),
            ("SHA-256", _digest(data["digest"]) if data["digest"] else "–"),
        ]
    )


def _digest(digest: str) -> Html:
    """The beginning of a digest, enough to tell two sets apart; `result.json` has all of it."""
    short = digest if len(digest) <= 16 else f"{digest[:16]}…"
    return element("code", short, title=digest)


def flatten(mapping: Mapping[str, Any]) -> list[tuple[str, object]]:
    """Names and values of a mapping for `pairs`, those of a mapping within it in its place."""
    items: list[tuple[str, object]] = []
    for key, value in mapping.items():
        if isinstance(value, Mapping):
            items += flatten(value)
        elif isinstance(value, list | tuple):
            items.append((_label(key), ", ".join(map(str, value)) or "–"))
        else:  # settings are shown as they are typed: 0.001 and not 0.0010
            items.append((_label(key), "–" if value is None else str(value)))
    return items


def _label(key: str) -> str:
    """A name for people; hyphens stay, for names of packages have them."""
    return str(key).replace("_gib", " (GiB)").replace("_", " ")
