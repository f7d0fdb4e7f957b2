"""The published archives, in a folder of the user's or fetched by tensorflow-datasets.

The addresses and the archives' SHA-256 come from tensorflow-datasets' registry and its
download manager does the fetching; decoding needs neither it nor TensorFlow.
"""

import functools
import hashlib
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .cache import cache_dir
from .dataset import Split
from .errors import DataCorrupted, OtherContent, Unavailable
from .idx import read_files, read_folder
from .official import ARCHIVES, IMAGE_SETS
from .reviews import Texts, read_tar

REVIEWS_ARCHIVE = "aclImdb_v1.tar.gz"
_UNFINISHED = "*.tmp.*"  # tfds' folders for archives that are on their way
# Seconds: to connect, between two answers of a server, for a host's first sign of life.
_CONNECT, _ANSWER, _DEADLINE = 5.0, 10.0, 15.0


def images_from_folder(name: str, folders: list[Path]) -> tuple[Split, Split]:
    """An image set from the first of `folders` that has its four archives.

    Raises:
        Unavailable: none of them has all four.
        DataCorrupted: an archive is truncated or altered.
    """
    reasons = []
    for folder in folders:
        try:
            return read_folder(folder, IMAGE_SETS[name])
        except (Unavailable, OtherContent) as error:
            # The sets' archives have the same names, so one folder may hold another set's.
            reasons.append(str(error))
    raise Unavailable("; ".join(reasons))


def reviews_from_folder(name: str, folders: list[Path]) -> tuple[Texts, Texts]:
    """The reviews from the first of `folders` that has their archive.

    Raises:
        Unavailable: none of them has it, or tensorflow-datasets, which knows its digest, is
            not installed.
        DataCorrupted: the archive is truncated or altered.
    """
    for folder in folders:
        path = folder / REVIEWS_ARCHIVE
        if path.is_file():
            (info,) = registered(name).values()
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != info.checksum:
                raise DataCorrupted(
                    f"{path}: expected SHA-256 {info.checksum}, found {found}. Replace it with "
                    "the published one, or remove it to have it looked for elsewhere; it was "
                    "left as it is."
                )
            return read_tar(path)
    raise Unavailable("; ".join(f"{folder} has no {REVIEWS_ARCHIVE}" for folder in folders))


def download_images(name: str, data_dir: Path) -> tuple[Split, Split]:
    """An image set from its archives, fetched into `downloads` under `data_dir`.

    Raises:
        Unavailable: no network, or tensorflow-datasets is not installed.
        DataCorrupted: what came is not what is registered.
    """
    paths = {Path(urlsplit(url).path).name: path for url, path in _fetch(name, data_dir).items()}
    return read_files([paths[f"{archive}.gz"] for archive in ARCHIVES], IMAGE_SETS[name])


def download_reviews(name: str, data_dir: Path) -> tuple[Texts, Texts]:
    """The reviews from their archive; otherwise as `download_images`."""
    (path,) = _fetch(name, data_dir).values()
    return read_tar(path)


def registered(name: str) -> dict[str, Any]:
    """Address -> `UrlInfo(size, checksum, filename)` of each archive, as tfds registers it.

    Raises:
        Unavailable: tensorflow-datasets is not installed.
    """
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise Unavailable(
            f"the archives' addresses and digests are tensorflow-datasets', and {error.name} is "
            'not installed: pip install "dl-jax[experiments]"'
        ) from error
    return dict(tfds.builder_cls(name).url_infos or {})


def _fetch(name: str, data_dir: Path) -> dict[str, Path]:
    """Address -> file of each archive, from the network or from an earlier download."""
    infos = registered(name)
    import requests
    from tensorflow_datasets.core.download import download_manager as tfds_download
    from tensorflow_datasets.core.download.util import DownloadError

    folder = _writable(data_dir / "downloads", cache_dir() / "downloads")
    before = set(folder.rglob(_UNFINISHED))
    try:
        manager = tfds_download.DownloadManager(
            download_dir=folder,
            url_infos=infos,
            dataset_name=name,
            force_checksums_validation=True,
        )
        with _timeouts(infos):
            # One after the other: where one fails, no other is still being written.
            paths = {url: manager.download(url) for url in infos}
    except tfds_download.NonMatchingChecksumError as error:
        _remove_unfinished(folder, before)
        # tfds' message names the file, the expected and the found size and SHA-256.
        raise DataCorrupted(f"{name}: {str(error).partition('To debug')[0].strip()}") from error
    except (requests.RequestException, DownloadError, OSError) as error:
        _remove_unfinished(folder, before)
        raise Unavailable(f"downloading {name} failed: {error}") from error
    return {url: Path(path) for url, path in paths.items()}


@contextmanager
def _timeouts(urls: Any) -> Iterator[None]:
    """Give up on a dead network instead of waiting for it.

    The download manager sets no time limit and tries ten times. So each host is asked first,
    and the requests inside get a limit for connecting and for each wait between bytes.
    """
    from tensorflow_datasets.core.download import downloader

    original = downloader._open_url
    limited = functools.partial(original, timeout=(_CONNECT, _ANSWER))

    for url in {urlsplit(url).netloc: url for url in urls}.values():
        _probe(url)
    downloader._open_url = limited
    try:
        yield
    finally:
        downloader._open_url = original


def _probe(url: str) -> None:
    """Ask the host of `url` for a sign of life; `Unavailable` after 15 seconds at most."""
    import requests

    answer: list[str] = []

    def ask() -> None:
        try:
            response = requests.head(url, timeout=(_CONNECT, _ANSWER), allow_redirects=True)
            answer.append(f"HTTP {response.status_code}" if response.status_code >= 500 else "")
        except requests.RequestException as error:
            answer.append(type(error).__name__)

    # A thread, since a name server that does not answer has no time limit of ours.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_DEADLINE)
    reason = answer[0] if answer else f"no answer in {_DEADLINE:.0f} s"
    if reason:
        raise Unavailable(f"{urlsplit(url).netloc} can't be reached ({reason})")


def _writable(*folders: Path) -> Path:
    reasons = []
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reasons.append(f"{folder} ({error.strerror})")
            continue
        if os.access(folder, os.W_OK):
            return folder
        reasons.append(f"{folder} (not writable)")
    raise Unavailable(f"no folder to download into: {', '.join(reasons)}")


def _remove_unfinished(folder: Path, before: set[Path]) -> None:
    """What tfds leaves of a failed download; nothing that was there before."""
    for path in set(folder.rglob(_UNFINISHED)) - before:
        shutil.rmtree(path, ignore_errors=True)
