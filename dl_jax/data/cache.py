"""Data sets as memory-mapped `.npy` files in the user's cache folder, verified on every load.

One folder a data set, `NAME-DIGEST`, with a file an array and `manifest.json`: the digest of
each file (`digest.digest`), the class names, and `key`, what the arrays were made from. The
folder appears in one rename, so a reader never sees half of it and two writers may race.
"""

import contextlib
import errno
import json
import os
import shutil
import tempfile
import warnings
from hashlib import sha256
from pathlib import Path

import numpy as np

from .dataset import Dataset, Info, Split, Tokens
from .digest import array_digest, file_digest
from .errors import CacheWarning

_FORMAT = 1
_MANIFEST = "manifest.json"


def cache_dir() -> Path:
    """`$DL_JAX_CACHE_DIR`, else `dl_jax` in `$XDG_CACHE_HOME`, else in `~/.cache`."""
    if chosen := os.environ.get("DL_JAX_CACHE_DIR"):
        return Path(chosen).expanduser()
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "dl_jax"


def content_digest(class_names: tuple[str, ...], digests: dict[str, str]) -> str:
    """One digest for a data set: of its class names and its arrays' digests by file name."""
    content = json.dumps([_FORMAT, class_names, sorted(digests.items())])
    return sha256(content.encode()).hexdigest()


def array_digests(train: Split, test: Split, vocabulary: tuple[str, ...] = ()) -> dict[str, str]:
    """The digest of each array by the name of its file in the cache."""
    return {name: array_digest(array) for name, array in _arrays(train, test, vocabulary).items()}


def find(name: str, key: str) -> Dataset | None:
    """The cached data set of this name that was made from `key`, or None.

    A truncated or altered file is named in a `CacheWarning` with its expected and found
    digest, and None returned: `load` then makes the data set anew.

    Returns:
        The data set; its arrays are read-only and memory-mapped.
    """
    for folder in sorted(cache_dir().glob(f"{_file_name(name)}-{'[0-9a-f]' * 16}")):
        try:
            manifest = json.loads((folder / _MANIFEST).read_text())
            if (manifest["format"], manifest["key"]) != (_FORMAT, key):
                continue
            return _read(name, folder, manifest)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else str(error)
            warnings.warn(
                f"the array cache {folder} is damaged and will be rebuilt: {reason}",
                CacheWarning,
                stacklevel=3,
            )
    return None


def store(dataset: Dataset, key: str) -> None:
    """Write `dataset` into the cache, replacing a damaged one.

    A folder that can't be written is no error: it is named in a `CacheWarning` with the
    variable that chooses another.
    """
    root = cache_dir()
    try:
        root.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".writing-", dir=root))
        try:
            _write(dataset, key, temporary)
            _publish(temporary, root / f"{_file_name(dataset.name)}-{dataset.info.digest[:16]}")
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        warnings.warn(
            f"the array cache {root} can't be written ({error}), so the next load will take as "
            "long as this one; set DL_JAX_CACHE_DIR to a folder that can be written",
            CacheWarning,
            stacklevel=3,
        )


def _read(name: str, folder: Path, manifest: dict) -> Dataset:
    files: dict[str, str] = manifest["files"]
    class_names = tuple(manifest["class_names"])
    for file, expected in files.items():
        found = file_digest(folder / file)
        if found != expected:
            raise ValueError(f"{folder / file}: expected digest {expected}, found {found}")
    found = content_digest(class_names, files)
    if found != manifest["digest"]:
        raise ValueError(
            f"{folder / _MANIFEST}: expected digest {manifest['digest']}, found {found}"
        )
    arrays = {file: np.load(folder / file, mmap_mode="r") for file in files}
    vocabulary: tuple[str, ...] = ()
    if "vocabulary.npy" in arrays:
        vocabulary = _words(arrays["vocabulary.npy"])
    source = f"array cache {folder} (from {manifest['source']})"
    info = Info(class_names, source, manifest["digest"], vocabulary=vocabulary)
    return Dataset(name, _split("train", arrays), _split("test", arrays), info)


def _split(name: str, arrays: dict[str, np.ndarray]) -> Split:
    targets = arrays[f"{name}_targets.npy"]
    if f"{name}_ids.npy" in arrays:
        return Split(Tokens(arrays[f"{name}_ids.npy"], arrays[f"{name}_offsets.npy"]), targets)
    return Split(arrays[f"{name}_inputs.npy"], targets)


def _arrays(train: Split, test: Split, vocabulary: tuple[str, ...]) -> dict[str, np.ndarray]:
    """File name -> array, the inverse of `_split` and `_words`."""
    arrays: dict[str, np.ndarray] = {}
    for name, split in (("train", train), ("test", test)):
        if isinstance(split.inputs, Tokens):
            arrays[f"{name}_ids.npy"] = split.inputs.ids
            arrays[f"{name}_offsets.npy"] = split.inputs.offsets
        else:
            arrays[f"{name}_inputs.npy"] = split.inputs
        arrays[f"{name}_targets.npy"] = split.targets
    if vocabulary:
        arrays["vocabulary.npy"] = np.frombuffer("\n".join(vocabulary).encode(), np.uint8)
    return arrays


def _words(encoded: np.ndarray) -> tuple[str, ...]:
    # No word has a line break: the tokeniser splits there.
    return tuple(encoded.tobytes().decode().split("\n"))


def _write(dataset: Dataset, key: str, folder: Path) -> None:
    info = dataset.info
    files = {}
    for file, array in _arrays(dataset.train, dataset.test, info.vocabulary).items():
        np.save(folder / file, array)
        files[file] = array_digest(array)
    manifest = {
        "format": _FORMAT,
        "name": dataset.name,
        "key": key,
        "digest": info.digest,
        "source": info.source,
        "class_names": info.class_names,
        "files": files,
    }
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")


def _publish(temporary: Path, target: Path) -> None:
    """Rename `temporary` to `target`; what is there already is damaged, or a racer's copy.

    Whoever moves a copy away goes on until its own is in place, so that one is always left.
    """
    while True:
        try:
            os.rename(temporary, target)
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        old = Path(tempfile.mkdtemp(prefix=".replaced-", dir=target.parent))
        # Another process may have moved it away first.
        with contextlib.suppress(FileNotFoundError):
            os.rename(target, old / target.name)
        shutil.rmtree(old, ignore_errors=True)


def _file_name(name: str) -> str:
    return name.replace("/", "-")
