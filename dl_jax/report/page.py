"""The page of a run: one HTML file that needs nothing else, no network and no script."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from dl_jax.report.markup import Html, element, join, table
from dl_jax.report.notices import short_notice
from dl_jax.report.numbers import format_number, format_seconds
from dl_jax.report.picture import Picture
from dl_jax.report.result import Result, Verdict
from dl_jax.report.run_folder import write_text
from dl_jax.report.sections import article, badge, environment

# The browser enforces what the page promises: nothing is fetched and nothing runs.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def write_page(folder: Path, result: Result, pictures: Sequence[Picture] = ()) -> Path:
    """Writes the page of one experiment.

    Args:
        folder: the run folder; the page is its `index.html`.
        result: the content of `result.json`.
        pictures: what the plots returned, in order; they become part of the page.

    Returns:
        The page's path.
    """
    return write_html(folder, result["title"], article(result, pictures))


def write_index(
    folder: Path,
    runs: Sequence[tuple[Result, Sequence[Picture]]],
    *,
    title: str,
    description: str,
    command: str,
) -> Path:
    """Writes one page for several experiments: a table of all their figures, then each.

    Args:
        folder: where `index.html` goes.
        runs: the results, each with its pictures.
        title: the page's heading.
        description: one sentence below it.
        command: the command line that repeats all of them.

    Returns:
        The page's path.
    """
    results = [result for result, _ in runs]
    counts: dict[Verdict, int] = {}
    for result in results:
        counts[result["verdict"]] = counts.get(result["verdict"], 0) + 1
    summary = "; ".join(f"{number} {verdict}" for verdict, number in counts.items())
    header = element(
        "header",
        element("h1", title),
        element("p", description, class_="lead"),
        element("p", f"{len(runs)} experiments: {summary}.") if runs else None,
        _summary_table(results) if runs else None,
        element("pre", element("code", command), tabindex=0, aria_label="Command"),
    )
    same = all(result["environment"] == results[0]["environment"] for result in results)
    articles = (
        article(result, pictures, level=2, with_environment=not same) for result, pictures in runs
    )
    machine = None
    if results and same:
        machine = element("section", element("h2", "Environment"), environment(results[0]))
    return write_html(folder, title, join(short_notice(results), header, *articles, machine))


def _summary_table(results: Sequence[Result]) -> Html:
    """Every figure of every experiment; the experiment's name leads to its section."""
    rows = []
    for result in results:
        link = element("a", result["title"], href=f"#{result['experiment']}")
        stopped = result["verdict"] if result["status"] == "interrupted" else None
        for index, figure in enumerate(result["figures"]):
            verdict = stopped or figure["verdict"]
            rows.append(
                (
                    join(link if index == 0 else element("span", result["title"], class_="hidden")),
                    figure["name"],
                    element("b", format_number(figure["value"])),
                    badge(verdict) if verdict else "–",
                    format_number(figure["expected"]),
                    format_seconds(result["times"].get("training")) if index == 0 else "",
                )
            )
        if not result["figures"]:
            rows.append((link, "–", "–", badge(result["verdict"]), "–", "–"))
    columns = ("Experiment", "Quantity", "Got", "Verdict", "Expected", "Training")
    return table("All figures", columns, rows, text_columns=(0, 1, 3))


def write_html(folder: Path, title: str, content: Html) -> Path:
    """Writes the document around the content, `index.html`, and returns its path."""
    style = resources.files("dl_jax.report").joinpath("page.css").read_text(encoding="utf-8")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        element("title", title),
        element("link", rel="icon", href="data:,"),  # or else the browser asks for one
        element("style", Html(style)),
    )
    page = element("html", head, element("body", element("main", content)), lang="en")
    path = Path(folder) / "index.html"
    write_text(path, f"<!doctype html>\n{page}\n")
    return path
