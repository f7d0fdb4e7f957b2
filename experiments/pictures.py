"""What is shown of a trained classifier: its errors, its kernels and maps, and examples."""

import jax
import numpy as np
from flax import linen as nn

from dl_jax import data, report
from dl_jax.losses import BINARY, Objective
from dl_jax.train import Examples, TrainState, as_model_inputs
from experiments.record import Record


def draw_confusion(
    record: Record,
    predicted: jax.Array,
    targets: jax.Array | np.ndarray,
    class_names: tuple[str, ...],
) -> None:
    """Add the confusion matrix: rows are the true classes."""
    k = len(class_names)
    matrix = np.bincount(np.asarray(targets) * k + np.asarray(predicted), minlength=k * k)
    path = record.folder / "confusion.png"
    record.pictures.append(report.plot_confusion(matrix.reshape(k, k), class_names, path))


def draw_inside(
    record: Record, model: nn.Module, state: TrainState, image: np.ndarray, num_maps: int = 8
) -> None:
    """Add the kernels of the first convolution, and the maps that each layer makes of an image.

    Args:
        record: of the run.
        model: whose layers are modules.
        state: of which the parameters and the model's state are used.
        image: `[h, w, 1]`.
        num_maps: how many of a layer's maps are shown, the first ones.
    """
    _, captured = model.apply(
        {"params": state.params, **state.model_state},
        as_model_inputs(image[None]),
        train=False,
        capture_intermediates=lambda module, _: len(module.path) == 1,
        mutable=["intermediates"],
    )
    outputs = captured["intermediates"].items()
    inside = {name: np.asarray(calls["__call__"][0]) for name, calls in outputs}
    maps = {name: a[0] for name, a in inside.items() if a.ndim == 4}
    first = next(name for name in maps if "kernel" in state.params.get(name, {}))
    kernels = np.moveaxis(np.asarray(state.params[first]["kernel"])[:, :, 0], 2, 0)
    record.pictures += [
        report.plot_image_rows(
            {first: kernels},
            record.folder / "kernels.png",
            signed=True,
            alt=f"The {len(kernels)} kernels of the first convolution.",
            caption="The kernels of the first convolution: blue weighs a pixel, orange counts it "
            "against.",
        ),
        report.plot_image_rows(
            {
                "image": np.moveaxis(image, 2, 0),
                **{name: np.moveaxis(a, 2, 0)[:num_maps] for name, a in maps.items()},
            },
            record.folder / "maps.png",
            signed=False,
            alt=f"An image and what the layers {', '.join(maps)} make of it.",
            caption=f"The first {num_maps} maps of each layer for the first test image.",
        ),
    ]


def draw_samples(
    record: Record,
    objective: Objective,
    logits: jax.Array,
    examples: Examples,
    class_names: tuple[str, ...],
    count: int = 12,
) -> None:
    """Add the first images of the test split, half of them ones that the network got wrong."""
    wrong = np.asarray(objective.predict(logits) != examples.targets)
    mistakes = np.flatnonzero(wrong)[: count // 2]
    shown = np.concatenate([np.flatnonzero(~wrong)[: count - len(mistakes)], mistakes])
    picture = report.plot_predictions(
        np.asarray(examples.inputs)[shown],
        np.asarray(examples.targets)[shown],
        np.asarray(objective.activation(logits[shown])),
        class_names,
        record.folder / "predictions.png",
    )
    choice = f"The first {count - len(mistakes)} test images that were predicted rightly, and the "
    choice += f"first {len(mistakes)} of the {wrong.sum()} that were not. "
    record.pictures.append(picture._replace(caption=choice + picture.caption))


def add_reviews(record: Record, dataset: data.Dataset, logits: jax.Array, count: int = 6) -> None:
    """Add the first test reviews with what the network makes of them."""
    names, tokens = dataset.info.class_names, dataset.test.inputs
    assert isinstance(tokens, data.Tokens)
    positive = np.asarray(BINARY.activation(logits))[:, 0]
    samples: list[report.Sample] = []
    for i in range(count):
        label = int(positive[i] >= 0.5)
        samples.append(
            {
                "text": data.decode(np.asarray(tokens[i]), dataset.info.vocabulary),
                "target": names[int(dataset.test.targets[i])],
                "prediction": names[label],
                "probability": float(positive[i] if label else 1 - positive[i]),
            }
        )
    record.result["samples"] = samples
