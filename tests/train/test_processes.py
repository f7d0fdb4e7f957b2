"""Two processes train as one; what is said when they do not meet, or are not set up alike."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from dl_jax.train.processes import check_alike, digest, join
from tests.conftest import FLAGS

HERE = Path(__file__).parent


def address() -> str:
    """A port that was free a moment ago."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def start(*arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": " ".join(FLAGS)}
    environment["PYTHONPATH"] = str(HERE.parent.parent)
    return subprocess.Popen(
        [sys.executable, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes_train_as_one():
    where = address()
    both = [start(str(HERE / "one_of_two.py"), where, str(i)) for i in range(2)]
    said = [process.communicate(timeout=240) for process in both]  # if they wait for each other
    assert [process.returncode for process in both] == [0, 0], said
    zero, one = (json.loads(out.splitlines()[-1]) for out, _ in said)  # gloo speaks before
    # Each has read its half of both batches of 16, and nothing else.
    assert zero.pop("read") == [*range(8), *range(16, 24)]
    assert one.pop("read") == [*range(8, 16), *range(24, 32)]
    assert zero == one  # bit by bit, and the refusals too
    assert zero["devices"] == 2
    assert "batch_size is 16 in process 0 and 18 in process 1" in zero["said"][0]
    assert "training data is " in zero["said"][1]
    assert "data is " in zero["said"][2]
    assert "keys is " in zero["said"][3]
    # Two epochs of three steps, each a mean of at most 16 gradients, summed in another order.
    bound = 6 * 16 * float(np.finfo(np.float32).eps)
    assert zero["largest difference"] < bound
    np.testing.assert_allclose(zero["history"], zero["alone"], rtol=bound, atol=bound)


@pytest.mark.parametrize(
    ("process", "who"), [(1, "no answer, or not all have come"), (0, "not all processes have come")]
)
def test_processes_that_do_not_meet(process, who):
    code = f"from dl_jax.train.processes import join; join({address()!r}, 2, {process}, wait=1)"
    done = start("-c", code)
    _, said = done.communicate()
    assert done.returncode == 2
    assert re.fullmatch(
        rf"error: coordinator 127.0.0.1:\d+: {who} within 1 s; start all .*\n", said
    )


def test_sigterm_still_ends_a_process():
    code = (
        f"from dl_jax.train.processes import join; join({address()!r}, 1, 0); "
        "import os, signal; os.kill(os.getpid(), signal.SIGTERM); print('it runs on')"
    )
    done = start("-c", code)
    out, _ = done.communicate()
    assert (done.returncode, out) == (-signal.SIGTERM, "")


def test_a_port_that_is_taken():
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConnectionError, match=rf"here:{port}: process 0 cannot listen there"):
            join(f"here:{port}", 2, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "found none of Slurm, Open MPI, Kubernetes and Cloud TPU"),
        (("far", 2, 0), "coordinator: expected HOST:PORT, got far"),
        (("far:1234", 0, 0), "num_processes: expected at least 1, got 0"),
        (("far:1234", 2, 2), "process_id: expected from 0 to 1, got 2"),
    ],
)
def test_processes_that_cannot_be_found(arguments, message, monkeypatch):
    def unknown(*_, **__):  # JAX's own refusal; within this process it can only be asked once
        raise ValueError("coordinator_address should be defined.")

    monkeypatch.setattr(jax.distributed, "initialize", unknown)
    with pytest.raises(ValueError, match=message):
        join(*arguments)


def test_one_process_is_alike():
    check_alike({"batch_size": "16"})


def test_a_digest_is_of_values_shapes_and_types():
    a = np.zeros((2, 3), np.float32)
    key = jax.random.key(0)
    different = [a, a.reshape(3, 2), a.astype(np.int32), a + 1, (a, a), key, jax.random.key(1)]
    assert len({digest(tree) for tree in different}) == len(different)
    assert digest((a, key)) == digest((a.copy(), jax.random.key(0)))


def test_an_experiment_of_two_processes_keeps_its_run_once(tmp_path):
    where, run = address(), tmp_path / "run"
    words = ["-m", "experiments.fashion_mnist_mlp", "--data", "embedded", "--num-epochs", "1"]
    words += ["--checkpoint-every", "20", "--out", str(run), "--coordinator", where]
    words += ["--num-processes", "2", "--process-id"]
    both = [start(*words, str(i)) for i in range(2)]
    said = [process.communicate(timeout=240) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    # 1,437 images are 45 steps: behind the 20th and the 40th.
    assert sorted(path.name for path in (run / "checkpoints" / "1").iterdir()) == ["20", "40"]
    assert json.loads((run / "result.json").read_text())["status"] == "finished"
    assert "Page: " in said[0][0]
    assert "Page: " not in said[1][0]
