"""What must be known before any figure is read: embedded data, an interrupted run."""

from collections.abc import Sequence

from dl_jax.report.markup import Html, element, join
from dl_jax.report.result import Result, embedded


def notice(result: Result) -> Html | None:
    """What must be known before any figure is read: embedded data, an interrupted run."""
    notes = []
    data = embedded(result)
    if data:
        name = element("b", data["name"])
        why = element("p", "This run was asked for embedded data in place of ", name, ".")
        if data["reason"]:
            why = join(
                element("p", "The real data set ", name, " could not be had:"),
                element("p", data["reason"], class_="reason"),
            )
        what = f"Used instead: {data['source']}. The lecture’s numbers are not comparable."
        notes += [why, element("p", what)]
    if result["status"] == "interrupted":
        count = len(result["history"])
        if count:
            when = f"after {epochs_text(count)}"
        elif result["figures"] or result.get("tables"):  # what has figures may have no epochs
            when = "before its end"
        else:
            when = "before the end of its first epoch"
        what = f"This run was interrupted {when}; the page shows what was finished by then."
        notes.append(element("p", what))
    return element("div", *notes, class_="notice", role="note") if notes else None


def short_notice(results: Sequence[Result]) -> Html | None:
    """The same for several experiments in a line each, with links to where the reasons are."""

    def line(before: str, chosen: Sequence[Result], after: str) -> Html | None:
        links = [element("a", r["title"], href=f"#{r['experiment']}") for r in chosen]
        parts = (part for link in links for part in (", ", link))
        return element("p", before, *list(parts)[1:], after) if links else None

    stand_ins = [(result, data) for result in results if (data := embedded(result))]
    missing = any(data["reason"] for _, data in stand_ins)
    start = "Real data could not be had for: " if missing else "Embedded data were used for: "
    stopped = [result for result in results if result["status"] == "interrupted"]
    lines = (
        line(
            start,
            [result for result, _ in stand_ins],
            ". The lecture’s numbers are not comparable there.",
        ),
        line("Interrupted: ", stopped, "."),
    )
    content = join(*lines)
    return element("div", content, class_="notice", role="note") if content else None


def epochs_text(count: int) -> str:
    """The number of epochs in words."""
    return f"{count} epoch{'' if count == 1 else 's'}"
