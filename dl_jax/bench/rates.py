"""What follows from a row's times and the device's ceilings."""

from dl_jax.bench.ceilings import Ceilings
from dl_jax.bench.record import Rates, Row


def with_rates(row: Row, ceilings: Ceilings) -> Row:
    """Return the row with its rates, as shares of the ceilings, and its side of the roofline."""
    step, work, counted = row["step"], row["work"], row["step_counted"]
    flops, moved = counted["flops"], counted["bytes"]
    if step is None or work is None or flops is None or moved is None:
        return row
    seconds, intensity = step["median"], flops / moved
    product, copy = ceilings["matmul"].get(row["precision"]), ceilings["copy"]
    side = None
    if product and copy:
        side = "compute" if intensity >= product["rate"] / copy["rate"] else "memory"
    rates: Rates = {
        "examples_per_second": work["examples"] / work["steps"] / seconds,
        "flops_per_second": flops / seconds,
        "flops_share": flops / seconds / product["rate"] if product else None,
        "bytes_per_second": moved / seconds,
        "bytes_share": moved / seconds / copy["rate"] if copy else None,
        "intensity": intensity,
        "side": side,
    }
    return {**row, "rates": rates}
