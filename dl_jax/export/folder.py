"""The folder of an exported network: the program, its weights, what they mean, and an example."""

import shutil
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jax.export import Exported

from dl_jax.data.text import SEPARATORS
from dl_jax.export.program import PLATFORMS, export_program, kind_of
from dl_jax.models import fields_of, save_weights
from dl_jax.predict.network import WEIGHTS, Network, load_network
from dl_jax.report import write_json
from dl_jax.report.runs import read_run

VERSION = 1
PROGRAM = "model.jaxexport"
_MEANING = {
    "images": "pixels in 0..255, rows from the top",
    "texts": "the distinct ids of a text's words, 0 where they have ended",
    "numbers": "as the network has them",
}


def export_run(run: Path, out: Path, platforms: Sequence[str] = PLATFORMS) -> list[Path]:
    """Write the network of a finished run as a folder that can be handed on.

    `model.jaxexport` is the program of `export_program`; `weights.safetensors` are its weights;
    `model.json` says what goes in and comes out; `run.py` asks it, with jax, flatbuffers and
    safetensors alone.

    Args:
        run: the run's folder.
        out: the folder to make.
        platforms: on which the program is to run.

    Returns:
        The files.

    Raises:
        ValueError: if there is no run, or one of a newer dl_jax; for an unknown platform.
        OSError: if the run has no weights, or the folder is there or cannot be made.
        ModuleNotFoundError: without flatbuffers, by which JAX writes programs.
    """
    if find_spec("flatbuffers") is None:
        raise ModuleNotFoundError(
            "programs are written by flatbuffers, which is not installed: "
            "pip install 'dl-jax[export]'"
        )
    result = read_run(run)
    if not (run / WEIGHTS).is_file():
        state = f"it is {result['status']}" if result else "it has not ended"
        raise OSError(
            f"{run}: expected a finished run of one of the networks, with {WEIGHTS}; {state} and "
            "has left none"
        )
    if out.exists():
        raise OSError(f"{out} exists and stays as it is; choose another folder with --out")
    network = load_network(run)
    program = export_program(network, platforms)
    blob = program.serialize()
    out.mkdir(parents=True)
    try:
        _write(out, network, program, blob)
    except BaseException:  # a full disk, or Ctrl-C
        shutil.rmtree(out)
        raise
    return sorted(out.iterdir())


def _write(out: Path, network: Network, program: Exported, blob: bytearray) -> None:
    (out / PROGRAM).write_bytes(blob)
    write_json(out / "model.json", describe(network, program))
    save_weights(
        out / WEIGHTS,
        network.variables,
        network.inputs,
        preprocessing=network.preprocessing,
        model=network.name,
        fields=fields_of(network.model),
        class_names=network.class_names,
        vocabulary=network.vocabulary,
    )
    example = "run_texts.py" if network.takes_text else "run_arrays.py"
    shutil.copyfile(Path(__file__).with_name(example), out / "run.py")


def describe(network: Network, program: Exported) -> dict[str, Any]:
    """Return the content of `model.json`."""
    kind = kind_of(network)
    inputs = program.in_avals[-1]  # behind the weights
    outputs = dict(zip(("logits", "probabilities"), program.out_avals, strict=True))
    classes = outputs["probabilities"].shape[1]
    how = network.preprocessing
    return {
        "version": VERSION,
        "model": network.name,
        "program": PROGRAM,
        "weights": WEIGHTS,
        "class_names": network.class_names or [f"class {i}" for i in range(classes)],
        "inputs": {
            "kind": kind,
            "shape": [n if isinstance(n, int) else str(n) for n in inputs.shape],
            "dtype": inputs.dtype.name,
            "meaning": _MEANING[kind],
        },
        "outputs": {name: ["batch", aval.shape[1]] for name, aval in outputs.items()},
        "preprocessing": {
            "before": how
            and f"bring the shorter side to {how.resize} and cut out the middle, "
            f"{how.size}x{how.size}",
            "inside": {
                "images": f"(x / 255 - {list(how.mean)}) / {list(how.std)}" if how else "x / 255"
            }.get(kind),
        },
        **({"vocabulary": network.vocabulary, "separators": SEPARATORS} if kind == "texts" else {}),
        "platforms": program.platforms,
        "calling_convention": program.calling_convention_version,
        "versions": {name: version(name) for name in ("jax", "jaxlib", "dl-jax")},
        "compatibility": f"Exported by JAX {version('jax')}. jax.export promises that a program "
        "runs with releases of jax and jaxlib that were built up to 6 months after those it was "
        "exported by, or up to 3 weeks before them. For longer keep the run, and export it again.",
    }
