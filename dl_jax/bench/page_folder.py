"""The folder of the page of `dl-jax bench` and `dl-jax compare`, and what a page needs."""

from importlib.util import find_spec


def need_matplotlib() -> None:
    """Raise a ValueError where there is no matplotlib, which draws the page's plots."""
    if find_spec("matplotlib") is None:
        raise ValueError(
            "--page needs matplotlib for its plots: pip install 'dl-jax[experiments]', or leave "
            "it out"
        )
