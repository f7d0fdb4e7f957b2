"""The package as a user meets it: imports, the command line, the README."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dl_jax
from dl_jax.cli import main

ROOT = Path(__file__).parent.parent


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, dl_jax; print({'jax', 'flax', 'optax', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_data_and_report_need_neither_jax_nor_the_extras():
    code = (
        "import sys, dl_jax.data, dl_jax.report; extras = {'jax', 'tensorflow', "
        "'tensorflow_datasets', 'matplotlib', 'sklearn', 'rich', 'PIL'}; "
        "print(extras & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_parts_of_the_package():
    assert all(getattr(dl_jax, name).__name__ == f"dl_jax.{name}" for name in dl_jax.__all__)
    with pytest.raises(AttributeError, match="it has backprop, bench, data, losses"):
        dl_jax.__getattr__("nothing")


def test_a_reader_who_stops_early_gets_no_error():
    command = [sys.executable, "-c", "from dl_jax.cli import main; raise SystemExit(main())"]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*command, "summary", "perceptron"], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


def test_an_unknown_model_or_data_set_names_those_that_exist(capsys):
    assert main(["summary", "resnet"]) == 2
    assert "fashion_mlp, googlenet, googlenet_bn, imdb_bow, lenet5" in capsys.readouterr().err
    assert main(["data", "cifar99", "--data-dir", "/nowhere"]) == 2
    assert "mnist, fashion_mnist, imdb_reviews" in capsys.readouterr().err


def test_data_says_what_it_found(capsys, tmp_path, monkeypatch):
    from dl_jax.data import embedded

    monkeypatch.setattr("dl_jax.data.load", lambda name, **_: embedded(name))
    assert main(["data", "mnist"]) == 0
    assert re.search(r"train +1,437 examples, uint8 \[28, 28, 1\]", capsys.readouterr().out)


@pytest.mark.parametrize(("page", "outputs"), [("README.md", 1), ("docs/architectures.md", 0)])
def test_the_snippets_of_a_page_run_and_print_what_it_says(
    page, outputs, monkeypatch, tmp_path, capsys
):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / page).read_text()
    snippets = re.findall(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```)?", text, re.DOTALL)
    assert [bool(output) for _, output in snippets].count(True) == outputs
    for snippet, output in snippets:
        exec(compile(snippet, page, "exec"), {})
        printed = capsys.readouterr().out
        rounding = r"\d\.\de-\d\d"  # errors of 1e-16 differ between machines
        assert not output or re.sub(rounding, "", output) == re.sub(rounding, "", printed)
