"""The lecture's worked examples, computed and compared with its slides on one page.

    python -m experiments.worked_examples

Expected: every verdict "met", in about a minute on 2 cores; no data are needed. Each of them is an
experiment of its own, with settings to play with: `python -m experiments.NAME --help`. Exit code 1
if a figure is missed.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from dl_jax import report
from experiments import (
    activation_functions,
    convolution_kernel,
    delta_rule,
    flatten_or_convolve,
    learning_rate,
    pooling,
    softmax,
    stride_and_padding,
)
from experiments.options import Output, command, main
from experiments.record import Record
from experiments.together import run_together

EXAMPLES: dict[str, ModuleType] = {
    "activation_functions": activation_functions,
    "softmax": softmax,
    "delta_rule": delta_rule,
    "learning_rate": learning_rate,
    "flatten_or_convolve": flatten_or_convolve,
    "convolution_kernel": convolution_kernel,
    "stride_and_padding": stride_and_padding,
    "pooling": pooling,
}
"""In the lecture's order, each with a `Config` and a `run`."""


@dataclass(frozen=True)
class Config(Output):
    """All of the lecture's worked examples, one after the other."""


def run(config: Config) -> None:
    """Run every example in a folder of its own, and write one page over all of them.

    Raises:
        SystemExit: with code 1, if a figure is missed.
    """

    def runner(example: ModuleType) -> Callable[[Path], Record]:
        return lambda folder: example.run(example.Config(out=folder))

    results = run_together(
        "worked_examples",
        {name: runner(example) for name, example in EXAMPLES.items()},
        config.out,
        title="The lecture’s worked examples, computed",
        description="Each example of the lecture’s slides, computed and compared with them.",
        command=command("worked_examples", config),
    )
    if report.overall(result["verdict"] for result in results) == "missed":
        sys.exit(1)


if __name__ == "__main__":
    main("worked_examples", Config, run)
