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
            answers = answer(network, _example(network, given), options.top)
        except (OSError, ValueError) as error:
            print(f"dl-jax predict: {_short(given)}: {error}", file=sys.stderr)
            code = 2
            continue
        print(_short(given))
        for name, probability in answers:
            print(f"  {probability:6.1%}  {name}")
    return code


def _example(network: Network, given: str):
    path = Path(given).expanduser()
    if not network.takes_text:
        return read_image(path, network.inputs.shape, network.preprocessing)
    is_text = path.suffix == ".txt"
    if not is_text and _is_file(path):
        raise ValueError(f"a file, but {network.name} takes texts; a text is in a file NAME.txt")
    text = path.read_text(encoding="utf-8") if is_text else given
    return read_text(text, network.vocabulary).astype(network.inputs.dtype)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a text may be no name that a file could have
        return False


def _short(given: str) -> str:
    """A text's beginning; a path is shown whole."""
    return given if len(given) <= 72 or " " not in given else given[:71] + "…"
