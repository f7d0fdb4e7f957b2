"""The published archives: the user's own, downloaded ones, and a package's."""

import gzip
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from dl_jax.data import DataCorrupted, DataNotFound, archives, load, official
from dl_jax.data.reviews import CLASS_NAMES, Texts, canonical

from .samples import FILES, register, write_archives, write_prepared_mnist, write_review_archive


def check(mnist, images: list[np.ndarray]) -> None:
    np.testing.assert_array_equal(mnist.train.inputs, images[0][..., None])
    np.testing.assert_array_equal(mnist.train.targets, images[1])
    np.testing.assert_array_equal(mnist.test.inputs, images[2][..., None])
    np.testing.assert_array_equal(mnist.test.targets, images[3])
    assert mnist.train.targets.dtype == np.int32


@pytest.mark.parametrize("where", ["tfds/downloads/manual", "tfds/downloads/manual/mnist"])
def test_archives_in_the_manual_folder(
    images: list[np.ndarray], tmp_path: Path, where: str
) -> None:
    write_archives(tmp_path / where, images)
    mnist = load("mnist")
    check(mnist, images)
    assert mnist.info.source.startswith("published archives in")


def test_an_explicit_folder_and_uncompressed_files(
    images: list[np.ndarray], tmp_path: Path
) -> None:
    mine = write_archives(tmp_path / "mine", images)
    for file in FILES:
        content = gzip.decompress((mine / file).read_bytes())
        (mine / file).unlink()
        (mine / file).with_suffix("").write_bytes(content)
    check(load("mnist", manual_dir=mine), images)


def test_every_source_gives_the_same_digest(
    images: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = write_archives(tmp_path / "mine", images)
    archived = load("mnist", manual_dir=mine)
    monkeypatch.setenv("DL_JAX_CACHE_DIR", str(tmp_path / "other"))
    write_prepared_mnist(tmp_path / "tfds", images)
    prepared = load("mnist")
    assert prepared.info.source != archived.info.source
    assert prepared.info.digest == archived.info.digest == load("mnist").info.digest


def test_a_truncated_archive_is_named_and_left_alone(
    images: list[np.ndarray], tmp_path: Path
) -> None:
    mine = write_archives(tmp_path / "mine", images)
    truncated = (mine / FILES[2]).read_bytes()[:-100]
    (mine / FILES[2]).write_bytes(truncated)
    expected = official.IMAGE_SETS["mnist"].content[2]
    with pytest.raises(
        DataCorrupted, match=f"{FILES[2]}: expected content with SHA-256 {expected}, found a gzip"
    ):
        load("mnist", manual_dir=mine)
    assert (mine / FILES[2]).read_bytes() == truncated


def test_an_altered_archive_is_named_and_left_alone(
    images: list[np.ndarray], tmp_path: Path
) -> None:
    mine = write_archives(tmp_path / "mine", images)
    content = gzip.decompress((mine / FILES[1]).read_bytes())
    altered = gzip.compress(content[:-1] + b"\x09")
    (mine / FILES[1]).write_bytes(altered)
    expected = official.IMAGE_SETS["mnist"].content[1]
    with pytest.raises(
        DataCorrupted, match=rf"{FILES[1]}: expected .* {expected}, found [0-9a-f]{{64}}"
    ):
        load("mnist", manual_dir=mine)
    assert (mine / FILES[1]).read_bytes() == altered


def test_a_folder_with_another_sets_archives_is_passed_over(
    images: list[np.ndarray], tmp_path: Path
) -> None:
    mine = write_archives(tmp_path / "mine", images)
    with pytest.raises(DataNotFound, match="which is the one of mnist"):
        load("fashion_mnist", manual_dir=mine)


def test_a_package_is_the_last_resort(
    images: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if Fashion-MNIST were these images; the distribution has compressed them anew.
    fashion = official.IMAGE_SETS["fashion_mnist"]
    content = official.IMAGE_SETS["mnist"].content
    monkeypatch.setitem(official.IMAGE_SETS, "fashion_mnist", fashion._replace(content=content))
    write_archives(tmp_path / "package", images)
    found = load("fashion_mnist")
    check(found, images)
    assert found.info.source == f"package in {tmp_path / 'package'}"
    assert found.info.class_names[9] == "Ankle boot"


def test_archives_are_downloaded_once(
    images: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serve
) -> None:
    requests = serve(write_archives(tmp_path / "server", images))
    check(load("mnist"), images)
    assert sorted(r for r in requests if r.startswith("GET")) == sorted(f"GET /{f}" for f in FILES)
    monkeypatch.setenv("DL_JAX_CACHE_DIR", str(tmp_path / "other"))
    check(load("mnist"), images)
    assert len([r for r in requests if r.startswith("GET")]) == len(FILES)


def test_a_download_that_is_not_what_is_registered(
    images: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serve
) -> None:
    server = write_archives(tmp_path / "server", images)
    serve(server)
    registered = archives.registered("mnist")  # as it was before the server's change
    (expected,) = [info.checksum for url, info in registered.items() if url.endswith(FILES[3])]
    (server / FILES[3]).write_bytes(b"not the archive")
    monkeypatch.setattr(archives, "registered", lambda name: registered)
    with pytest.raises(DataCorrupted, match=rf"(?s){FILES[3]}.*Expected.*{expected}.*Got"):
        load("mnist")
    assert not list((tmp_path / "tfds" / "downloads").rglob("*.tmp.*"))


def test_a_server_without_the_file(images: list[np.ndarray], tmp_path: Path, serve) -> None:
    server = write_archives(tmp_path / "server", images)
    serve(server)
    (server / FILES[0]).unlink()
    with pytest.raises(DataNotFound, match=r"downloading mnist failed.*404"):
        load("mnist")


def test_downloads_go_beside_the_cache_when_data_dir_cannot_be_written(
    images: list[np.ndarray], tmp_path: Path, serve
) -> None:
    serve(write_archives(tmp_path / "server", images))
    (tmp_path / "file").write_text("")
    check(load("mnist", data_dir=tmp_path / "file" / "tfds"), images)
    assert list((tmp_path / "cache" / "downloads").iterdir())


def test_a_refused_connection_is_reported_at_once() -> None:
    with pytest.raises(DataNotFound, match=r"127\.0\.0\.1:9 can't be reached \(ConnectionError\)"):
        load("mnist")


def test_a_host_that_never_answers_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        register(monkeypatch, f"http://{address}", tmp_path)
        monkeypatch.setattr(archives, "_ANSWER", 0.1)
        with pytest.raises(DataNotFound, match=rf"{address} can't be reached \(ReadTimeout\)"):
            load("mnist")
        monkeypatch.setattr(archives, "_ANSWER", 1.0)
        monkeypatch.setattr(archives, "_DEADLINE", 0.1)
        with pytest.raises(DataNotFound, match=rf"{address} can't be reached \(no answer in"):
            load("mnist")


def test_waiting_for_a_dead_network_takes_less_than_20_seconds() -> None:
    assert archives._DEADLINE < 20
    assert archives._CONNECT + archives._ANSWER < 20


def test_the_review_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manual = write_review_archive(tmp_path / "manual")
    register(monkeypatch, "http://127.0.0.1:9", manual)
    reviews = load("imdb_reviews", manual_dir=manual)
    assert reviews.info.class_names == CLASS_NAMES
    assert sorted(reviews.train.targets.tolist()) == [0, 0, 1, 1]
    assert len(reviews.test.targets) == 2


def test_the_review_archive_downloaded(tmp_path: Path, serve) -> None:
    serve(write_review_archive(tmp_path / "server"))
    assert len(load("imdb_reviews").train.targets) == 4


def test_an_altered_review_archive_is_named_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, "http://127.0.0.1:9", write_review_archive(tmp_path / "published"))
    manual = write_review_archive(tmp_path / "manual")
    file = manual / archives.REVIEWS_ARCHIVE
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(
        DataCorrupted, match=rf"{file}: expected SHA-256 [0-9a-f]{{64}}, found [0-9a-f]{{64}}"
    ):
        load("imdb_reviews", manual_dir=manual)
    assert file.exists()


@pytest.mark.parametrize("keep", [slice(0, 100), slice(0, 0)])
def test_a_review_archive_that_cannot_be_read(tmp_path: Path, keep: slice) -> None:
    from dl_jax.data.reviews import read_tar

    file = write_review_archive(tmp_path) / archives.REVIEWS_ARCHIVE
    file.write_bytes(file.read_bytes()[keep])
    with pytest.raises(DataCorrupted, match=f"{file}: expected the whole archive"):
        read_tar(file)


def test_the_order_of_reviews_does_not_depend_on_the_source() -> None:
    texts, labels = ["a", "b", "c", "b"], np.array([0, 1, 0, 0], np.int32)
    one = canonical(Texts(texts, labels))
    other = canonical(Texts(texts[::-1], labels[::-1]))
    assert one.texts == other.texts
    assert one.labels.tolist() == other.labels.tolist()
    assert sorted(zip(one.texts, one.labels, strict=True)) == [
        ("a", 0), ("b", 0), ("b", 1), ("c", 0),
    ]  # fmt: skip


def test_a_download_that_stalls_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished = threading.Event()

    class Stalling(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            self.wfile.write(b"the first bytes")
            self.wfile.flush()
            finished.wait(10)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Stalling) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        register(monkeypatch, f"http://127.0.0.1:{server.server_address[1]}", tmp_path)
        monkeypatch.setattr(archives, "_ANSWER", 0.3)
        try:
            with pytest.raises(DataNotFound, match=r"downloading mnist failed.*timed out"):
                load("mnist")
        finally:
            finished.set()
            server.shutdown()
