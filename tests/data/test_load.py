"""`load`: which name, which place, and what it says when there is none."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dl_jax.data import CacheWarning, DataNotFound, available, check_labels, load

from .samples import write_archives


@pytest.mark.parametrize("name", ["mnits", "", "../mnist", "mnist/../mnist"])
def test_an_unknown_name_lists_those_that_exist(name: str) -> None:
    with pytest.raises(ValueError, match=r"expected one of mnist, fashion_mnist, imdb_reviews"):
        load(name)


def test_available_without_a_directory(tmp_path: Path) -> None:
    assert available(tmp_path / "none") == ("mnist", "fashion_mnist", "imdb_reviews")


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "imdb_reviews"])
def test_what_is_nowhere_names_each_place_and_what_helps(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataNotFound) as caught:
        load(name)
    message = str(caught.value)
    for part in (
        f"{tmp_path}/cache",
        f"nothing is prepared in {tmp_path}/tfds/{name}",
        f"{tmp_path}/tfds/downloads/manual has no",
        "127.0.0.1:9 can't be reached",
        f"TFDS_DATA_DIR (now {tmp_path}/tfds)",
        'pip install "dl-jax[experiments]"',
        f'embedded("{name}")',
    ):
        assert part in message
    package = f"{tmp_path}/package has no train-images"
    assert (package in message) == ("dataset-fashion-mnist" in message) == ("fashion" in name)
    assert isinstance(caught.value, FileNotFoundError)


def test_a_failed_load_creates_no_files(tmp_path: Path) -> None:
    with pytest.raises(DataNotFound):
        load("mnist", manual_dir=tmp_path / "manual")
    assert not (tmp_path / "manual").exists()
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_a_damaged_cache_is_rebuilt_from_the_next_place(
    images: list[np.ndarray], tmp_path: Path
) -> None:
    mine = write_archives(tmp_path / "mine", images)
    load("mnist", manual_dir=mine)
    (folder,) = (tmp_path / "cache").iterdir()
    (folder / "train_targets.npy").write_bytes(b"")
    with pytest.warns(CacheWarning, match=r"train_targets\.npy: expected digest"):
        rebuilt = load("mnist", manual_dir=mine)
    assert rebuilt.info.source.startswith("published archives")
    assert load("mnist").info.source.startswith("array cache")


def test_a_cache_that_cannot_be_written_does_not_stop_load(
    images: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = write_archives(tmp_path / "mine", images)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DL_JAX_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.warns(CacheWarning, match="can't be written"):
        mnist = load("mnist", manual_dir=mine)
    np.testing.assert_array_equal(mnist.test.targets, [0, 1, 2])


def test_arrays_are_read_only_wherever_they_come_from(
    images: list[np.ndarray], tmp_path: Path
) -> None:
    mine = write_archives(tmp_path / "mine", images)
    for _ in range(2):  # from the archives, then from the cache
        mnist = load("mnist", manual_dir=mine)
        for split in (mnist.train, mnist.test):
            assert isinstance(split.inputs, np.ndarray)
            assert not split.inputs.flags.writeable
            assert not split.targets.flags.writeable


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([0, 10]), r"expected labels 0\.\.9, got 0\.\.10"),
        (np.array([-1, 3]), r"expected labels 0\.\.9, got -1\.\.3"),
        (np.array([0.0, 1.0]), r"expected labels as integers \[n\], got float64 \[2\]"),
        (np.array([[0, 1]]), r"expected labels as integers \[n\], got int64 \[1, 2\]"),
    ],
)
def test_bad_labels(labels: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=f"here: {message}"):
        check_labels(labels, 10, "here")


def test_good_labels() -> None:
    check_labels(np.array([0, 9], np.int32), 10, "here")
    check_labels(np.array([], np.int32), 10, "here")


def test_importing_the_data_layer_needs_numpy_alone() -> None:
    heavy = [
        "jax",
        "tensorflow",
        "tensorflow_datasets",
        "array_record",
        "rich",
        "PIL",
        "requests",
        "sklearn",
    ]
    # The layer on its own: the package's __init__ imports jax.
    program = (
        "import sys, types, pathlib\n"
        f"package = types.ModuleType('dl_jax'); package.__path__ = [{str(_package())!r}]\n"
        "sys.modules['dl_jax'] = package\n"
        "import dl_jax.data\n"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def _package() -> Path:
    import dl_jax

    assert dl_jax.__file__ is not None
    return Path(dl_jax.__file__).parent
