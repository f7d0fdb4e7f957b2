"""What is known in advance about the data sets that `load` can fetch by itself."""

from pathlib import Path
from typing import NamedTuple

ARCHIVES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
"""The four files of an MNIST-like set, in the order of `ImageSet.content`; `.gz` follows."""


class ImageSet(NamedTuple):
    """An image set published as four IDX files.

    Attributes:
        class_names: the name of each label, in order.
        content: SHA-256 of the four uncompressed IDX files, header included. Of the content
            and not of the archives, since distributions compress them anew.
    """

    class_names: tuple[str, ...]
    content: tuple[str, str, str, str]


IMAGE_SETS = {
    "mnist": ImageSet(
        tuple("0123456789"),
        (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
    "fashion_mnist": ImageSet(
        (
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        (
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
    ),
}
"""The image sets with published archives, by name."""

PACKAGES = {"fashion_mnist": Path("/usr/share/datasets/fashion-mnist")}
"""Where a Linux distribution's package puts a set (Debian, Ubuntu: dataset-fashion-mnist)."""

REVIEWS = "imdb_reviews"
"""The text set: 25,000 film reviews for training, 25,000 for testing."""

NAMES = (*IMAGE_SETS, REVIEWS)
"""The sets that `load` knows without anything being prepared."""
