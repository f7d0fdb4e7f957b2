"""What a feed-forward and a convolutional layer see when a pattern moves by a pixel.

    python -m experiments.flatten_or_convolve
    python -m experiments.flatten_or_convolve --down 1 --kernel 1 -1 1 -1

A flattened image is another vector; a feature map moves along. Expected: moving and convolving can
change places to the last digit; on positions that were not trained on, a convolutional network is
right and a feed-forward network no better than chance; in about 5 seconds. Slide "Convolutional vs
Feed-Forward".
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from dl_jax import backprop, ops, report
from dl_jax.report import Grid, Window, number_text, rows_text
from experiments.moved_patterns import NETWORKS, POSITIONS, Outcome, learn
from experiments.options import Output, main
from experiments.record import Record
from experiments.recording import recording

SLIDE = "lecture, slide “Convolutional vs Feed-Forward”"


@dataclass(frozen=True)
class Config(Output):
    """A 2x2 pattern in a 3x3 image, which moves."""

    pattern: tuple[float, float, float, float] = (1, 2, 3, 4)
    """Row by row, at the top left of the image."""
    kernel: tuple[float, float, float, float] = (1, 0, 0, 1)
    """Of 2x2 pixels, row by row."""
    right: int = 1
    """By how many pixels the pattern moves."""
    down: int = 0
    """By how many pixels the pattern moves."""
    seed: int = 0
    """From which the networks start, and which positions they see."""


def run(config: Config) -> Record:
    """Flatten and convolve before and after the move, train both ways and write the run folder.

    Raises:
        ValueError: unless the pattern stays in the image, and its and the kernel's numbers are from
            -100 to 100.
    """
    if config.right not in (0, 1) or config.down not in (0, 1):
        raise ValueError(
            "right and down: expected 0 or 1, so that the pattern stays in the image, "
            f"got {config.right} and {config.down}"
        )
    for name in ("pattern", "kernel"):
        if not (np.abs(getattr(config, name)) <= 100).all():
            raise ValueError(
                f"{name}: expected numbers from -100 to 100, got {getattr(config, name)}"
            )
    with recording(
        "flatten_or_convolve",
        config,
        "Flatten or convolve",
        "A pattern moves by a pixel. Flattened, it is another vector, and what was learned at one "
        "place is lost at the next. A feature map moves along with the pattern.",
    ) as record:
        image, kernel = np.zeros((3, 3), np.float32), np.reshape(config.kernel, (2, 2))
        image[:2, :2] = np.reshape(config.pattern, (2, 2))
        images = [image, _shift(image, config)]
        x = jnp.asarray(np.stack(images)[..., None])
        vectors = [np.asarray(v)[:, None] for v in backprop.flatten_fwd(x)[0]]
        w, b = jnp.asarray(kernel, jnp.float32)[:, :, None, None], jnp.zeros(1)
        maps = [np.asarray(z)[:, :, 0]
                for z in backprop.conv_fwd(x, w, b, padding=((1, 1), (1, 1)))[0]]  # fmt: skip

        record.add_figure(
            "moved then convolved, difference from the reverse",
            float(np.abs(maps[1] - _shift(maps[0], config)).max()),
            expected=0.0, bound=0.0, direction="<=", source="the sums are the same",
        )  # fmt: skip
        changed = vectors[0] != vectors[1]
        record.add_figure("flattened numbers that change", int(changed.sum()))
        with record.timed("training"):
            key, order = jax.random.split(jax.random.key(config.seed))
            seen = np.asarray(jax.random.permutation(order, POSITIONS**2) <= POSITIONS**2 // 2)
            outcomes = {name: learn(key, *network, seen, 200) for name, network in NETWORKS.items()}
        accuracies = {
            name: float(outcome.right.ravel()[~seen].mean() / 2)
            for name, outcome in outcomes.items()
        }
        better: tuple[tuple[str, report.Direction, float], ...] = (
            ("convolutional", ">=", 0.95),
            ("feed-forward", "<=", 0.6),
        )
        for name, direction, bound in better:
            record.add_figure(
                f"accuracy at new positions, {name}",
                accuracies[name], bound=bound, direction=direction, source=SLIDE,
            )  # fmt: skip
        _add_parameters(record, {name: o.num_params for name, o in outcomes.items()})
        _draw_vectors(record, images, vectors, changed)
        _draw_maps(record, images, kernel, maps, config)
        _draw_outcomes(record, outcomes, accuracies, seen.reshape(POSITIONS, POSITIONS))
    return record


def _shift(image: np.ndarray, config: Config) -> np.ndarray:
    """Move an image down and right; what comes in at the edges is 0."""
    height, width = image.shape
    return np.pad(image, ((config.down, 0), (config.right, 0)))[:height, :width]


def _add_parameters(record: Record, trained: dict[str, int]) -> None:
    """Add the table of parameters: a convolution, and a dense layer with as many outputs."""
    layers = {
        "of the pictures, 3×3 to 4×4": (3, 1, 2, 4, 1),
        "MNIST’s first, 28×28 to 26×26×32": (28, 1, 3, 26, 32),
        "AlexNet’s first, 227×227×3 to 55×55×96": (227, 3, 11, 55, 96),
    }
    rows = [
        (name, ops.conv_parameters(k, c, n).total, (side**2 * c + 1) * output**2 * n)
        for name, (side, c, k, output, n) in layers.items()
    ]
    rows.append(
        ("the two networks of the last picture", trained["convolutional"], trained["feed-forward"])
    )
    caption = (
        "Parameters: a kernel is the same everywhere, a dense layer has a weight for each pair"
    )
    record.add_table(caption, ("Layer", "Convolutional", "Feed-forward"), rows)


def _draw_vectors(
    record: Record, images: list[np.ndarray], vectors: list[np.ndarray], changed: np.ndarray
) -> None:
    """Add the picture of both images, flattened."""
    frames = [Window(int(i), 0, colour="red") for i, _ in np.argwhere(changed)]
    before, after = (
        [Grid(image, title), "→", Grid(vector, "9×1", windows=windows)]
        for image, title, vector, windows in zip(
            images, ("Image", "Moved"), vectors, ([], frames), strict=True
        )
    )
    record.pictures.append(
        report.plot_grids(
            [[*before, *after]],
            record.folder / "flattened.png",
            alt=f"The image, {rows_text(images[0])}, and the moved one, {rows_text(images[1])}, "
            "each beside its vector of nine numbers.",
            caption=f"Flattened: {changed.sum()} of the 9 numbers change (framed), though the "
            "pattern is the same. Pixels that touch in a column are three numbers apart; the "
            "vector does not tell that they are neighbours.",
            largest_cell=0.38,
        )
    )


def _draw_maps(
    record: Record,
    images: list[np.ndarray],
    kernel: np.ndarray,
    maps: list[np.ndarray],
    config: Config,
) -> None:
    """Add the picture of both images, convolved."""
    record.pictures.append(
        report.plot_grids(
            [
                [
                    Grid(image, title),
                    "∗",
                    Grid(kernel, "Kernel"),
                    "=",
                    Grid(features, "Feature map", windows=[Window(*corner, 3, 3)], tint="sign"),
                ]
                for image, title, features, corner in zip(
                    images, ("Image", "Moved"), maps, ((0, 0), (config.down, config.right)),
                    strict=True,
                )
            ],
            record.folder / "convolved.png",
            alt=f"The feature map of the image, {rows_text(maps[0])}, and of the moved image, "
            f"{rows_text(maps[1])}.",
            caption="Convolved, with a border of zeros: the framed 3x3 numbers are the same and "
            f"have moved by {config.right} to the right and {config.down} down, as the pattern "
            f"has. Their sum is {number_text(maps[0].sum())} in both.",
        )
    )  # fmt: skip


def _draw_outcomes(
    record: Record, outcomes: dict[str, Outcome], accuracies: dict[str, float], seen: np.ndarray
) -> None:
    """Add the picture of where the trained networks are right."""
    grids = [
        Grid(outcomes[name].right, name.capitalize(), f"{accuracies[name]:.0%} at new positions",
             tint="none", padding=seen,
             windows=[Window(int(i), int(j), colour="red")
                      for i, j in np.argwhere((outcomes[name].right < 2) & ~seen)])
        for name in ("feed-forward", "convolutional")
    ]  # fmt: skip
    record.pictures.append(
        report.plot_grids(
            [grids],
            record.folder / "outcomes.png",
            alt="At how many of two patterns each network is right, for each of the 7x7 positions "
            + " and ".join(f"({name}: {rows_text(o.right)})" for name, o in outcomes.items())
            + ".",
            caption="Two networks learn to tell two diagonals of 2x2 pixels apart, at the shaded "
            "positions of an 8x8 image. The others are new to them. The number is at how many of "
            "both they are right; framed where not at both. "
            f"At new positions the feed-forward network is right on "
            f"{accuracies['feed-forward']:.0%}, the "
            f"convolutional one on {accuracies['convolutional']:.0%}.",
        )
    )


if __name__ == "__main__":
    main("flatten_or_convolve", Config, run)
