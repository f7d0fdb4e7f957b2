"""`dl-jax bench`: what it prints and writes, what it refuses, and what it keeps when stopped."""

import json
import os
import re
import sys
from types import SimpleNamespace

import jax
import pytest

from dl_jax.bench import command, page, sweep
from dl_jax.bench.console import as_text
from dl_jax.bench.record import Record, Row
from dl_jax.bench.record_file import read_record
from dl_jax.cli import main
from dl_jax.report import page_folder
from tests.bench.conftest import ABSENT, CEILINGS, OTHER, PEER

SHORT = ["--repeats", "3"]


@pytest.fixture
def asked(monkeypatch, make_row):
    """The cases that the command would measure; each has a row of made-up times."""
    cases = []

    def row(case, data, *, repeats, show):
        cases.append((case, repeats))
        runs = case.variant in ("run", "ensemble")
        return make_row(
            workload=case.workload.name, variant=case.variant, precision=case.precision,
            batch_size=case.workload.batch_size, device=case.device_name,
            members=case.members if case.variant == "ensemble" else 1,
            num_epochs=case.num_epochs if runs else None,
        )  # fmt: skip

    monkeypatch.setattr(sweep, "measure_row", row)
    monkeypatch.setattr(sweep, "measure_ceilings", lambda *_: CEILINGS)
    return cases


def test_a_real_row_and_its_record(capsys, tmp_path, small_ceilings):
    path, folder = tmp_path / "bench.json", tmp_path / "page"
    arguments = ["bench", "perceptron", "--variant", "step", "--batch-size", "4", "8", *SHORT]
    assert main([*arguments, "--json", str(path), "--page", str(folder)]) == 0
    printed = capsys.readouterr()
    record = read_record(path)
    assert record["status"] == "finished"
    assert [row["batch_size"] for row in record["rows"]] == [4, 8]
    assert all(row["rates"] and row["rates"]["side"] for row in record["rows"])
    assert set(record["devices"][0]["ceilings"]["matmul"]) == {"float32"}
    lines = printed.out.splitlines()
    assert "perceptron, batch 4, float32, synthetic data, cpu:0, 3 parameters" in lines
    assert max(map(len, lines)) <= 100
    assert lines[0].endswith(f"; JAX {jax.__version__}, matrix products at its default precision")
    html = (folder / "index.html").read_text()
    assert "batch 8, float32, synthetic data" in html
    names = {file.name for file in folder.glob("*.png")}
    plots = ("roofline-cpu-0", "batch-sizes-cpu-0", "stages-cpu-0")
    assert names == {f"{plot}{dark}.png" for plot in plots for dark in ("", "-dark")}
    assert "JAX’s own" in html  # default matmul precision
    assert html.count('src="data:image/png') == 3


def test_without_options_the_lectures_networks_in_every_variant(asked, capsys):
    assert main(["bench"]) == 0
    devices = len(jax.devices())
    assert len(asked) == 3 * 5 * devices
    cases = [case for case, _ in asked]
    assert [case.workload.name for case in cases[::5]] == ["fashion_mlp", "mnist_cnn", "imdb_bow"]
    assert [case.variant for case in cases[:5]] == ["eager", "step", "epoch", "run", "ensemble"]
    assert {(c.precision, c.members, c.num_epochs, c.source) for c in cases} == {
        ("float32", 4, 2, "synthetic")
    }
    assert asked[0][1] == 20
    lines = capsys.readouterr().out.splitlines()
    assert "? too noisy" not in "\n".join(lines)
    assert max(map(len, lines)) <= 100


def test_options_are_combined(asked, capsys):
    options = "--variant run ensemble --precision float32 bfloat16 --ensemble 64 --epochs 15"
    sizes = "--batch-size 32 64 --device cpu --repeats 7"
    assert main(["bench", "fashion_mlp", *options.split(), *sizes.split()]) == 0
    found = [(c.workload.batch_size, c.precision, c.variant) for c, _ in asked]
    assert found == [
        (size, precision, variant)
        for size in (32, 64)
        for precision in ("float32", "bfloat16")
        for variant in ("run", "ensemble")
    ]
    assert {(c.members, c.num_epochs, repeats) for c, repeats in asked} == {(64, 15, 7)}


def test_data_are_made_once_for_the_rows_that_train_on_them(asked, monkeypatch):
    made = []
    monkeypatch.setattr(sweep, "make_data", lambda workload, source: made.append(workload.name))
    options = "perceptron fashion_mlp --variant step epoch --batch-size 8 16 64 --device cpu"
    assert main(["bench", *options.split()]) == 0
    assert len(asked) == 12
    assert made == ["perceptron"] * 3 + ["fashion_mlp"]  # the former has as many as fit the batch


def test_the_record_has_the_command_that_repeats_it_but_for_where_it_went(asked, tmp_path):
    path = tmp_path / "bench.json"
    options = "perceptron --variant step run --batch-size 8 --epochs 3 --repeats 5 --device cpu"
    assert main(["bench", *options.split(), "--json", str(path)]) == 0
    assert read_record(path)["command"] == f"dl-jax bench {options}"
    assert main(["bench", "--json", str(path)]) == 0
    assert read_record(path)["command"] == "dl-jax bench"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["resnet"], "unknown workload 'resnet'; the workloads are perceptron, fashion_mlp, mnis"),
        (["--device", "tpu"], r"unknown device 'tpu'; JAX sees cpu:0.*\(cpu for all of a kind\)"),
        (["--precision", "int8"], "unknown precision 'int8'; there are float32, bfloat16, float64"),
        (["--variant", "fast"], "unknown variant 'fast'; there are eager, step, epoch, run, ens"),
        (["--data", "fake"], "unknown data 'fake'; there are synthetic, real"),
        (["--batch-size", "0"], "--batch-size: expected from 1 to the 60,000 training examples"),
        (["--repeats", "0"], "--repeats: expected at least 1, got 0"),
        (["--ensemble", "0"], "--ensemble: expected at least 1, got 0"),
        (["--ensemble", "4", "--variant", "run"], "--ensemble: only with --variant ensemble"),
        (["--epochs", "4", "--variant", "step"], "--epochs: only with --variant run or ensemble"),
        (["imdb_bow", "--image-size", "32"], "imdb_bow takes no images"),
        (["perceptron", "--peers"], "there are peers for fashion_mlp, mnist_cnn, imdb_bow"),
        (["perceptron", "--data", "real", "--variant", "step"], "no real data for perceptron"),
        (["--json", "/nowhere/x.json"], "expected a file in a folder that exists"),
    ],
)
def test_bad_input_is_refused_before_anything_is_measured(asked, capsys, arguments, said):
    assert main(["bench", *arguments]) == 2
    printed = capsys.readouterr()
    assert re.search(said, printed.err)
    assert (asked, printed.out) == ([], "")


def test_a_gpu_is_found_with_convolutions_in_its_graphs(capsys, monkeypatch):
    def cases_of(options):
        raise ValueError(os.environ["XLA_FLAGS"])

    monkeypatch.delenv("XLA_FLAGS", raising=False)
    monkeypatch.setattr(command, "cases_of", cases_of)
    assert main(["bench"]) == 2
    assert "--xla_gpu_enable_command_buffer=+CONVOLUTION" in capsys.readouterr().err
    assert "XLA_FLAGS" not in os.environ  # of which the peers' frameworks would die


def test_a_file_that_is_no_benchmark_is_not_overwritten(asked, capsys, tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"mine": 1}')
    assert main(["bench", "perceptron", "--json", str(path)]) == 2
    assert "choose another name" in capsys.readouterr().err
    assert (path.read_text(), asked) == ('{"mine": 1}', [])


@pytest.mark.parametrize(
    ("asked_for", "said"),
    [
        ("file", "--page {}: expected a folder, got a file; choose another name"),
        ("file/page", "choose a folder that can be written with --page FOLDER"),
    ],
)
def test_a_page_that_cannot_be_is_refused_before_anything_is_measured(
    asked, capsys, tmp_path, asked_for, said
):
    (tmp_path / "file").write_text("mine")
    target = str(tmp_path / asked_for)
    assert main(["bench", "perceptron", "--page", target]) == 2
    assert said.format(target) in capsys.readouterr().err
    assert (asked, [path.name for path in tmp_path.iterdir()]) == ([], ["file"])


def test_no_page_is_left_of_a_benchmark_without_rows(asked, tmp_path):
    arguments = ["bench", "perceptron", "--data", "real", "--page", str(tmp_path / "page")]
    assert main(arguments) == 2
    assert list(tmp_path.iterdir()) == []


def test_the_page_needs_matplotlib_and_nothing_else_does(asked, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(page_folder, "find_spec", lambda name: None)
    assert main(["bench", "perceptron", "--page", str(tmp_path / "page")]) == 2
    assert "--page needs matplotlib for its plots: pip install" in capsys.readouterr().err
    assert (asked, list(tmp_path.iterdir())) == ([], [])
    assert main(["bench", "perceptron", "--variant", "step"]) == 0


def stop_after(monkeypatch, error, number):
    """Measuring raises an error instead of the row of that number, from 0."""
    measured, rows = sweep.measure_row, []

    def row(*arguments, **options):
        rows.append(0)
        if len(rows) > number:
            raise error
        return measured(*arguments, **options)

    monkeypatch.setattr(sweep, "measure_row", row)


def test_an_interrupted_run_keeps_its_rows(asked, capsys, monkeypatch, tmp_path):
    stop_after(monkeypatch, KeyboardInterrupt(), 2)
    path = tmp_path / "bench.json"
    assert main(["bench", "perceptron", "--json", str(path)]) == 130
    record = read_record(path)
    assert (record["status"], len(record["rows"])) == ("interrupted", 2)
    printed = capsys.readouterr().out
    assert "This benchmark was interrupted: these are the rows that were finished." in printed
    assert [line.split()[0] for line in printed.splitlines() if "27.0 [" in line] == [
        "eager", "step",
    ]  # fmt: skip


def test_interrupted_before_the_first_row_it_leaves_the_old_file(
    asked, monkeypatch, tmp_path, make_record
):
    stop_after(monkeypatch, KeyboardInterrupt(), 0)
    path = tmp_path / "bench.json"
    path.write_text(json.dumps(make_record()))
    assert main(["bench", "perceptron", "--json", str(path)]) == 130
    assert read_record(path)["status"] == "finished"


def test_rows_outlive_an_error(asked, capsys, monkeypatch, tmp_path):
    stop_after(monkeypatch, ZeroDivisionError("ours"), 1)
    path = tmp_path / "bench.json"
    with pytest.raises(ZeroDivisionError):
        main(["bench", "perceptron", "--json", str(path)])
    assert len(read_record(path)["rows"]) == 1
    printed = capsys.readouterr().out
    assert "27.0 [" in printed
    assert "ended by an error (ZeroDivisionError): these are the rows" in printed
    assert "nterrupted" not in printed


def full_disk(monkeypatch, module, name, when=lambda number: True):
    """Writing finds no room, in those of its calls."""
    write, calls = getattr(module, name), []

    def refused(*arguments):
        calls.append(0)
        if when(len(calls)):
            raise OSError(28, "No space left on device")
        return write(*arguments)

    monkeypatch.setattr(module, name, refused)


def test_rows_are_printed_where_the_record_cannot_be_written(asked, capsys, monkeypatch, tmp_path):
    full_disk(monkeypatch, command, "write_record")
    path, folder = tmp_path / "bench.json", tmp_path / "page"
    assert main(["bench", "perceptron", "--json", str(path), "--page", str(folder)]) == 2
    printed = capsys.readouterr()
    assert printed.out.count("27.0 [") == 5  # a failed write of one row is no reason to stop
    assert "nterrupted" not in printed.out
    said = f"--json {path}: cannot be written (No space left on device); what was measured is prin"
    assert f"dl-jax bench: {said}" in printed.err
    assert (folder / "index.html").exists()


def test_a_write_that_failed_on_the_way_is_made_up_for(asked, monkeypatch, tmp_path):
    full_disk(monkeypatch, command, "write_record", when=lambda number: number in (2, 5))
    path = tmp_path / "bench.json"
    assert main(["bench", "perceptron", "--json", str(path)]) == 0
    assert len(read_record(path)["rows"]) == 5


@pytest.mark.parametrize("interrupted", [False, True])
def test_rows_are_kept_where_the_page_cannot_be_written(
    asked, capsys, monkeypatch, tmp_path, interrupted
):
    if interrupted:
        stop_after(monkeypatch, KeyboardInterrupt(), 2)
    full_disk(monkeypatch, page, "write_html")
    path, folder = tmp_path / "bench.json", tmp_path / "page"
    arguments = ["bench", "perceptron", "--json", str(path), "--page", str(folder)]
    assert main(arguments) == (130 if interrupted else 2)
    printed = capsys.readouterr()
    rows = 2 if interrupted else 5
    assert (printed.out.count("27.0 ["), len(read_record(path)["rows"])) == (rows, rows)
    assert f"--page {folder}: cannot be written (No space left on device)" in printed.err


def test_a_row_that_jax_cannot_run_is_said_and_the_next_is_measured(
    asked, capsys, monkeypatch, make_row
):
    rows = iter(
        [
            make_row(status="failed", note="UNIMPLEMENTED: no\nmore", step=None, rates=None),
            make_row(status="out of memory", fits=64, step=None, rates=None),
            make_row(status="out of memory", step=None, rates=None),
            make_row(),
        ]
    )
    monkeypatch.setattr(sweep, "measure_row", lambda *_, **__: next(rows))
    assert main(["bench", "perceptron", "--variant", "eager", "step", "epoch", "run"]) == 1
    printed = capsys.readouterr().out
    assert "step: failed: UNIMPLEMENTED: no\n" in printed
    assert "step: out of memory at batch 128; batch 64 did fit" in printed
    assert "step: out of memory at batch 128; no smaller batch did fit either" in printed
    assert "27.0 [" in printed


@pytest.mark.parametrize("interrupted", [False, True])
def test_peers_are_asked_for_the_lectures_networks_and_kept_one_by_one(
    asked, capsys, monkeypatch, tmp_path, interrupted
):
    calls = []

    def run_peers(workloads, *, rounds, data, show, keep):
        calls.append((list(workloads), rounds, data))
        for row in (PEER, OTHER, ABSENT):
            keep(row)
        if interrupted:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "dl_jax.bench.peers", SimpleNamespace(run_peers=run_peers))
    path = tmp_path / "bench.json"
    arguments = ["bench", "perceptron", "mnist_cnn", "--variant", "step", "--peers", *SHORT]
    targets = ["--json", str(path), "--page", str(tmp_path / "page")]
    assert main([*arguments, *targets]) == (130 if interrupted else 0)
    assert calls == [(["mnist_cnn"], 3, "synthetic")]
    assert read_record(path)["peers"] == [PEER, OTHER, ABSENT]
    lines = capsys.readouterr().out.splitlines()
    (row,) = [line for line in lines if line.startswith("  torch ")]
    assert re.search(
        r" 20\.0 \[19\.0, 21\.0\] ms +50\.0 \[49\.0, 51\.0\] ms +2\.50 \[2\.20, 2\.60\] \?", row
    )
    html = (tmp_path / "page" / "index.html").read_text()
    for remark in (
        "torch: 2.13; two threads",
        "mnist_cnn, numpy: not compared, ends elsewhere",
        "mnist_cnn, pytensor: left out, not installed",
    ):
        assert remark in lines
        assert remark in html
    assert max(map(len, lines)) <= 100
    assert (tmp_path / "page" / "peers.png").exists()


def test_the_widest_table_fits_a_hundred_columns(make_record, make_row):
    variants = ("eager", "step", "epoch", "run", "ensemble")
    memory = {"bytes": 123_456_789, "source": "device"}
    stages = {"trace": 0.1234, "lower": 0.1234, "compile": 12.34, "first_run": 123.4}
    rows: list[Row] = [
        make_row(0.123456, 0.09, variant=variant, members=64, memory=memory, stages=stages)
        for variant in variants
    ]
    record: Record = make_record(*rows, status="interrupted")
    lines = as_text(record).splitlines()
    assert max(map(len, lines)) <= 100
    assert any("123 [112, 135] ms ?" in line for line in lines)
    assert sum("too noisy to call" in line for line in lines) == 1
    assert any(line.startswith("Memory*: ") for line in lines)
    assert any("  1.89 G  " in line for line in lines if line.startswith("  step"))
    assert not any("1.89 G" in line for line in lines if line.startswith("  epoch"))


def test_json_alone_on_stdout(asked, capsys):
    assert main(["bench", "perceptron", "--variant", "step", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["format"] == "dl_jax benchmark"
