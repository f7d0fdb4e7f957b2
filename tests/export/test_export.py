"""A network leaves as a program, and the program answers as the network does."""

import json
import re
import runpy
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util
from jax import export
from safetensors.numpy import load_file

from dl_jax import data
from dl_jax.cli import main
from dl_jax.export import PLATFORMS, export_program, export_run
from dl_jax.models import CATALOG, IMAGENET, create, save_weights
from dl_jax.predict import Network, answer, load_network, read_text
from dl_jax.report import write_json

WORDS = (*data.SPECIAL, "good", "bad", "film", "it's")
EPSILON = float(np.finfo(np.float32).eps)


def network_of(model, inputs, **changes):
    """A network with random weights, none of which is 0, not even a bias."""
    like = jax.eval_shape(model.init, jax.random.key(0), jnp.ones((1, *inputs.shape), inputs.dtype))
    rng = np.random.default_rng(0)
    variables = jax.tree.map(lambda a: jnp.asarray(rng.normal(0, 0.2, a.shape), jnp.float32), like)
    network = Network("", model, variables, inputs, None, ("a", "b", "c"), ())
    return network._replace(**changes)


def run_of(folder, model, inputs, name, **notes):
    """The folder of a run that has trained a model."""
    folder.mkdir()
    network = network_of(model, inputs)
    save_weights(folder / "weights.safetensors", network.variables, inputs, model=name, **notes)
    write_json(folder / "config.json", {"out": None})
    return folder


@pytest.fixture
def digits(tmp_path):
    fields = {"features": (4, 8), "num_classes": 3}
    return run_of(
        tmp_path / "digits", create("mnist_cnn", **fields),
        jax.ShapeDtypeStruct((18, 18, 1), "float32"), "mnist_cnn",
        fields=fields, class_names=("zero", "one", "two"),
    )  # fmt: skip


@pytest.fixture
def reviews(tmp_path):
    fields = {"features": (4, 1), "num_words": len(WORDS)}
    return run_of(
        tmp_path / "reviews", create("imdb_bow", **fields),
        jax.ShapeDtypeStruct((32,), "int32"), "imdb_bow",
        fields=fields, class_names=("neg", "pos"), vocabulary=WORDS,
    )  # fmt: skip


def images_of(network, n):
    shape = (n, *network.inputs.shape)
    return np.random.default_rng(n).integers(0, 256, shape).astype(np.uint8)


def rounding(network, x, num_roundings):
    """A bound on how far two ways to add up the same products can be apart, in the logits.

    The same network of absolute values gives the size of what is added. Each of two computations
    errs by less than an epsilon of it for every operation on the way to a logit.
    """
    sizes = network.model.apply(jax.tree.map(jnp.abs, network.variables), abs(x), train=False)
    return 2 * num_roundings * EPSILON * float(jnp.max(sizes))


@pytest.mark.parametrize("n", [1, 7])
def test_the_program_answers_as_the_network_does(n, digits, tmp_path):
    export_run(digits, tmp_path / "out")
    network = load_network(digits)
    images = images_of(network, n)
    program = export.deserialize(bytearray((tmp_path / "out/model.jaxexport").read_bytes()))
    said = program.call(load_file(tmp_path / "out/weights.safetensors"), images)

    x = jnp.asarray(images, jnp.float32) / 255
    expected = network.model.apply(network.variables, x, train=False)
    assert isinstance(expected, jax.Array)
    # Products of a 3x3 kernel over 1 and 4 channels and of 3x3x8 features, with biases; and / 255.
    bound = rounding(network, x, num_roundings=1 + (9 + 1) + (36 + 1) + (72 + 1))
    np.testing.assert_allclose(said["logits"], expected, rtol=0, atol=bound)
    for image, probabilities in zip(x, said["probabilities"], strict=True):
        by_name = dict(answer(network, np.asarray(image)))
        # A softmax does not enlarge differences of logits.
        given = [by_name[name] for name in network.class_names]
        np.testing.assert_allclose(probabilities, given, rtol=0, atol=2 * bound)


def test_what_was_exported_is_a_network_for_predict(digits, reviews, tmp_path):
    for run in (digits, reviews):
        export_run(run, tmp_path / f"{run.name}-out")
        network, again = load_network(run), load_network(tmp_path / f"{run.name}-out")
        assert again._replace(variables=None) == network._replace(variables=None)
        jax.tree.map(np.testing.assert_array_equal, again.variables, network.variables)


def test_it_runs_where_neither_this_project_nor_flax_is(digits, tmp_path):
    export_run(digits, tmp_path / "out")
    network = load_network(digits)
    images = images_of(network, 2)
    np.save(tmp_path / "images.npy", images)
    code = (
        "import runpy, sys; sys.modules['dl_jax'] = sys.modules['flax'] = None; "
        f"sys.argv[1:] = [{str(tmp_path / 'images.npy')!r}]; "
        f"runpy.run_path({str(tmp_path / 'out/run.py')!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    expected = [answer(network, image / np.float32(255)) for image in images]
    assert [line.split()[1::2] for line in lines] == [[a.name for a in one] for one in expected]
    for line, one in zip(lines, expected, strict=True):
        percents = [float(word.rstrip("%")) for word in line.split()[::2]]
        assert percents == pytest.approx([100 * a.probability for a in one], abs=0.051)


def test_what_is_no_array_is_refused(digits, tmp_path, monkeypatch):
    export_run(digits, tmp_path / "out")
    monkeypatch.setattr("sys.argv", ["run.py", "digit.png"])
    with pytest.raises(SystemExit, match=r"expected INPUTS\.npy, uint8 \['batch', 18, 18, 1\]"):
        runpy.run_path(str(tmp_path / "out" / "run.py"))


def test_texts_of_any_length(reviews, tmp_path, monkeypatch, capsys):
    export_run(reviews, tmp_path / "out")
    network = load_network(reviews)
    texts = ["Good, GOOD film!", "It's bad; <br />nothing else?", "zzzz"]
    monkeypatch.setattr("sys.argv", ["run.py", *texts])
    runpy.run_path(str(tmp_path / "out" / "run.py"))
    printed = capsys.readouterr().out.splitlines()
    assert printed[::2] == texts
    assert printed.pop().strip() == "none of its words is known"
    for text, line in zip(texts, printed[1::2], strict=False):
        said = answer(network, read_text(text, WORDS).astype(np.int32))
        assert line.split() == [w for a in said for w in (f"{a.probability:.1%}", a.name)]


def test_what_goes_in_and_comes_out_is_said(digits, reviews, tmp_path):
    export_run(digits, tmp_path / "images", ["cpu"])
    about = json.loads((tmp_path / "images" / "model.json").read_text())
    assert about["inputs"]["shape"] == ["batch", 18, 18, 1]
    assert about["inputs"]["dtype"] == "uint8"
    assert about["outputs"] == {"logits": ["batch", 3], "probabilities": ["batch", 3]}
    assert about["class_names"] == ["zero", "one", "two"]
    assert (about["platforms"], about["versions"]["jax"]) == (["cpu"], jax.__version__)
    assert "6 months" in about["compatibility"]
    export_run(reviews, tmp_path / "texts")
    about = json.loads((tmp_path / "texts" / "model.json").read_text())
    assert about["inputs"]["shape"] == ["batch", "length"]
    assert about["outputs"] == {"logits": ["batch", 1], "probabilities": ["batch", 2]}
    assert about["vocabulary"] == list(WORDS)
    assert about["platforms"] == list(PLATFORMS)


def test_the_preprocessing_of_pixels_is_inside():
    inputs = jax.ShapeDtypeStruct((4, 4, 3), "float32")
    network = network_of(create("fashion_mlp", features=(3,)), inputs, preprocessing=IMAGENET)
    program = export_program(network, ["cpu"])
    images = images_of(network, 2)
    flat = traverse_util.flatten_dict(network.variables, sep="/")
    x = (images / np.float32(255) - np.array(IMAGENET.mean, np.float32)) / np.array(
        IMAGENET.std, np.float32
    )
    expected = network.model.apply(network.variables, jnp.asarray(x), train=False)
    assert isinstance(expected, jax.Array)
    said = program.call(flat, images)["logits"]
    # 48 products and a bias; each pixel is divided twice, and mean and std are rounded.
    bound = rounding(network, x, num_roundings=49 + 4)
    np.testing.assert_allclose(said, expected, rtol=0, atol=bound)


@pytest.mark.parametrize(
    "name", ["perceptron", "fashion_mlp", "mnist_cnn", "imdb_bow", "lenet5", "resnet18"]
)
def test_the_networks_of_the_lecture_have_a_program_for_all_platforms(name):
    model, inputs = create(name), CATALOG[name].inputs
    like = jax.eval_shape(model.init, jax.random.key(0), jnp.ones((1, *inputs.shape), inputs.dtype))
    network = Network(name, model, like, inputs, None, (), ())
    program = export_program(network)
    assert program.platforms == PLATFORMS
    assert str(program.out_avals[0].shape[0]) == "batch"
    written = bytes(program.serialize())
    assert len(written) < 200_000  # the weights are no part of it
    assert not re.search(rb"[/\\]\w+\.py", written)  # nor is where this project lies


def test_a_program_that_is_there_is_not_overwritten(digits, tmp_path, capsys):
    assert main(["export", str(digits), "--platform", "cpu"]) == 0
    before = (digits / "export" / "model.jaxexport").read_bytes()
    capsys.readouterr()
    assert main(["export", str(digits)]) == 2
    assert "exists and stays as it is; choose another folder" in capsys.readouterr().err
    assert (digits / "export" / "model.jaxexport").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "got no folder of that name"),
        (["."], "expected a run's folder, with config.json or result.json, got a folder without"),
        (["unfinished"], "with weights.safetensors; it has not ended and has left none"),
        (["digits", "--platform", "abacus"], "one or more of cpu, cuda, tpu, rocm, got abacus"),
    ],
)
def test_what_cannot_be_exported(arguments, message, digits, monkeypatch, capsys):
    monkeypatch.chdir(digits.parent)
    unfinished = digits.parent / "unfinished"
    unfinished.mkdir()
    write_json(unfinished / "config.json", {"out": None})
    assert main(["export", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (digits / "export").exists()


def test_without_flatbuffers(digits, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "flatbuffers", None)
    monkeypatch.setattr("dl_jax.export.folder.find_spec", lambda name: None)
    assert main(["export", str(digits)]) == 2
    assert "pip install 'dl-jax[export]'" in capsys.readouterr().err


def test_a_failed_write_leaves_nothing(digits, tmp_path, monkeypatch, capsys):
    def full(*_, **__):
        raise OSError("no space left on device")

    monkeypatch.setattr("dl_jax.export.folder.save_weights", full)
    assert main(["export", str(digits), "--out", str(tmp_path / "out")]) == 2
    assert "no space left" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
