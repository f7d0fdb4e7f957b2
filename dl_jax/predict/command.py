"""`dl-jax predict`."""

import argparse
import sys
from pathlib import Path

from dl_jax.predict.inputs import read_image, read_text
from dl_jax.predict.network import Network, answer, load_network


def run(options: argparse.Namespace) -> int:
    """Print the likeliest classes of each input.

    Returns:
        0; 2 if an input could not be read, after the others.

    Raises:
        ValueError, OSError: from `load_network`; for a `--top` below 1.
    """
    if options.top < 1:
        raise ValueError(f"--top: expected at least 1, got {options.top}")
    network = load_network(Path(options.weights).expanduser(), options.model)
    code = 0
    for given in options.inputs:
        try:
            example = _example(network, given)
        except (OSError, ValueError) as error:
            print(f"dl-jax predict: {error}", file=sys.stderr)
            code = 2
            continue
        print(given if len(given) <= 72 else given[:71] + "…")
        for name, probability in answer(network, example, options.top):
            print(f"  {probability:6.1%}  {name}")
    return code


def _example(network: Network, given: str):
    path = Path(given).expanduser()
    if not network.takes_text:
        return read_image(path, network.inputs.shape, network.preprocessing)
    text = path.read_text() if path.suffix == ".txt" else given
    return read_text(text, network.vocabulary).astype(network.inputs.dtype)
