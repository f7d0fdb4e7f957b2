"""`dl-jax data | summary | predict | export | runs | gradcheck | bench | compare`."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from typing import Any


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    0; 1 for a failed check; 2 after bad input; 130 after Ctrl-C; 141 where nobody read to the end.
    """
    parser = argparse.ArgumentParser(
        prog="dl-jax", description="A lecture on deep learning as pure JAX functions."
    )
    commands = parser.add_subparsers(dest="command", required=True)

    data = commands.add_parser("data", help="load data sets and say where they were found")
    data.add_argument("names", nargs="*", metavar="NAME", help="all three unless given")
    data.add_argument("--data-dir", help="tensorflow-datasets' directory")
    data.add_argument("--manual-dir", help="a folder with the published archives")

    _add_summary(commands)

    predict = commands.add_parser(
        "predict",
        help="what a trained network makes of an image or a text",
        description="Print the likeliest classes of each input, with their probabilities.",
        epilog="Exit code 0: answered; 2: bad input, after the answers to what could be read.",
    )
    predict.add_argument(
        "inputs", nargs="+", metavar="INPUT", help="an image file; a text, or a .txt file with one"
    )
    predict.add_argument(
        "--weights", required=True, metavar="PATH",
        help="the folder of a finished run, or a file of weights: this project's, torchvision's, "
        "timm's",
    )  # fmt: skip
    predict.add_argument("--model", metavar="NAME", help="of a file that does not say it itself")
    predict.add_argument("--top", type=int, default=5, metavar="N", help="classes to show (5)")
    predict.set_defaults(module="dl_jax.predict.command")

    _add_export(commands)
    _add_runs(commands)

    gradcheck = commands.add_parser(
        "gradcheck",
        help="prove every hand-derived gradient, and that mistakes are caught",
        description="Prove the hand-derived gradients of the lecture's rules and networks against "
        "automatic differentiation and against differences, and inject plausible mistakes, each of "
        "which must be caught. An unknown name lists those that exist.",
        epilog="Exit code 0: all proved and caught; 1: not; 2: bad input.",
    )
    for kind in ("rule", "network"):
        words = f"only these {kind}s; everything without --rule and --network"
        gradcheck.add_argument(
            f"--{kind}", nargs="+", action="extend", default=[], metavar="NAME", help=words
        )
    gradcheck.add_argument(
        "--precision",
        choices=("float64", "float32"),
        default="float64",
        help="of the derivations; float32 against float64, within a bound from its rounding",
    )
    gradcheck.add_argument("--json", metavar="PATH", help="write it all there; - for stdout")
    gradcheck.set_defaults(module="dl_jax.gradcheck.command")

    _add_bench(commands)
    _add_compare(commands)

    options = parser.parse_args(arguments)
    try:
        # A command's own imports begin when it is chosen.
        module = getattr(options, "module", None)
        code = import_module(module).run(options) if module else _data(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # as `dl-jax ... | head`; what is left has nowhere to go
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (OSError, ValueError, ModuleNotFoundError) as error:
        print(f"dl-jax {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _data(options: argparse.Namespace) -> int:
    from dl_jax.data import DataCorrupted, DataNotFound, Tokens, load
    from dl_jax.data.official import NAMES

    missing = 0
    for name in options.names or NAMES:
        started = time.perf_counter()
        try:
            dataset = load(name, data_dir=options.data_dir, manual_dir=options.manual_dir)
        except (DataNotFound, DataCorrupted) as error:
            print(f"dl-jax data: {error}", file=sys.stderr)
            missing = 2
            continue
        seconds = time.perf_counter() - started
        print(f"{name}: {dataset.info.source} ({seconds:.2f} s)")
        for kind, (inputs, targets) in (("train", dataset.train), ("test", dataset.test)):
            what = (
                f"{len(inputs.ids):,} token ids"
                if isinstance(inputs, Tokens)
                else f"{inputs.dtype} {list(inputs.shape[1:])}"
            )
            print(f"  {kind:5}  {len(targets):7,} examples, {what}")
        print(f"  {dataset.info.num_classes} classes: {', '.join(dataset.info.class_names)}")
        print(f"  sha256 {dataset.info.digest}")
    return missing


def _add_summary(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    summary = commands.add_parser(
        "summary",
        help="print a model's layers, shapes, parameters, operations and receptive fields",
        description="Print the lecture's table of a model, by its formulas; no array is made. An "
        "unknown name lists those that exist.",
        epilog="Exit code 0: printed; 2: bad input.",
    )
    summary.add_argument("model", metavar="MODEL")
    summary.add_argument(
        "--image-size", type=int, metavar="N", help="height and width; the paper's unless given"
    )
    summary.add_argument(
        "--num-classes", type=int, metavar="N", help="outputs; the paper's unless given"
    )
    summary.add_argument(
        "--page", metavar="FOLDER", help="write a page with formulas and the feature maps there"
    )
    summary.set_defaults(module="dl_jax.summary.command")


def _add_export(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    export = commands.add_parser(
        "export",
        help="write a trained network as a program that runs without this project",
        description="Write the network of a finished run as a folder: a program of JAX for any "
        "number of examples, its weights, what they mean, and an example that asks it.",
        epilog="Exit code 0: written; 2: bad input, and nothing is.",
    )
    export.add_argument("run_folder", metavar="RUN", help="the folder of a finished run")
    export.add_argument("--out", metavar="FOLDER", help="to make; RUN/export unless given")
    export.add_argument(
        "--platform", nargs="+", default=("cpu", "cuda", "tpu"), metavar="NAME",
        help="on which it is to run: cpu, cuda, tpu, rocm; the first three unless given",
    )  # fmt: skip
    export.set_defaults(module="dl_jax.export.command")


def _add_runs(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    runs = commands.add_parser(
        "runs",
        help="list run folders with their figures, or compare two",
        description="List the runs below a folder, runs/ unless given, the oldest first; or set "
        "two runs side by side.",
        epilog="Exit code 0: listed; 2: bad input, after what could be read.",
    )
    runs.add_argument("folders", nargs="*", metavar="FOLDER", help="one to list, or two runs")
    runs.add_argument("--json", metavar="PATH", help="write it all there; - for stdout")
    runs.set_defaults(module="dl_jax.runs.command")


def _add_bench(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    bench = commands.add_parser(
        "bench",
        help="measure what training costs, and what of the device it uses",
        description="Measure each workload in each variant on each device: the stages from tracing "
        "to the first run, dispatch, the steady step, and FLOP/s and bytes/s beside what the "
        "device reaches in a large matrix product and a large copy. Precision is that of "
        "parameters and inputs: both are cast, and nothing is kept in float32 beside them. An "
        "unknown name lists those that exist.",
        epilog="Exit code 0: measured; 1: a row could not be; 2: bad input; 130: interrupted, with "
        "the rows it has.",
    )
    bench.add_argument(
        "workloads", nargs="*", metavar="WORKLOAD", help="models; the lecture's three unless given"
    )
    several: dict[str, Any] = {"nargs": "+", "action": "extend"}
    bench.add_argument(
        "--variant", metavar="NAME", **several,
        help="eager, step, epoch, run, ensemble; all unless given",
    )  # fmt: skip
    bench.add_argument(
        "--batch-size", type=int, metavar="N", **several,
        help="examples a step; the lecture's unless given",
    )  # fmt: skip
    bench.add_argument(
        "--precision", metavar="NAME", **several, help="float32 (the default), bfloat16, float64"
    )
    bench.add_argument("--image-size", type=int, metavar="N", help="height and width of the images")
    bench.add_argument("--ensemble", type=int, metavar="N", help="members of an ensemble (4)")
    bench.add_argument("--epochs", type=int, metavar="N", help="of a run and an ensemble (2)")
    bench.add_argument("--repeats", type=int, metavar="N", help="samples of a step, at most (20)")
    bench.add_argument(
        "--device", metavar="NAME", **several,
        help="cpu, gpu, tpu, or one of them as gpu:1; every device unless given",
    )  # fmt: skip
    bench.add_argument("--data", default="synthetic", metavar="KIND", help="synthetic, or real")
    bench.add_argument("--peers", action="store_true", help="beside other frameworks, too")
    bench.add_argument("--json", metavar="PATH", help="write the record there; - for stdout")
    bench.add_argument("--page", metavar="FOLDER", help="write a page with plots there")
    bench.set_defaults(module="dl_jax.bench.command")


def _add_compare(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    compare = commands.add_parser(
        "compare",
        help="benchmarks of several machines or versions side by side",
        description="Compare benchmarks, row by row, with the first; rows that did other work are "
        "not compared, and it is said why.",
        epilog="Exit code 0: compared; 1: some rows did other work; 2: bad input, or all of them.",
    )
    compare.add_argument("files", nargs="+", metavar="JSON", help="written by dl-jax bench --json")
    compare.add_argument("--page", metavar="FOLDER", help="write a page with a plot there")
    compare.set_defaults(module="dl_jax.bench.compare_command")


if __name__ == "__main__":
    sys.exit(main())
