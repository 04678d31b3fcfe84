"""Several workers train what one trains, and save it, with weights spread over them or not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import save_model
from toy_pipeline import environment
from worker_loop import train

from stages.lib.stage import StageError
from stages.lib.workers import Workers, start_workers

ROOT = Path(__file__).parent.parent


@given(st.integers(1, 9), st.lists(st.integers(), max_size=30))
def test_shares_hold_every_row_once_and_differ_by_one_row_at_most(count: int, rows: list[int]) -> None:
    shares = [Workers(rank, count).share(rows) for rank in range(count)]
    assert sorted(row for share in shares for row in share) == sorted(rows)
    sizes = [len(share) for share in shares]
    assert max(sizes) - min(sizes) <= 1


def test_a_process_without_a_launcher_is_the_only_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.delenv("LOCAL_RANK", raising=False)
    monkeypatch.setenv("WORLD_SIZE", "4")  # of a cluster's job, of which this is a machine
    workers = start_workers(torch.device("cpu"))
    assert (workers, workers.first) == (Workers(rank=0, count=1), True)
    assert not torch.distributed.is_initialized()
    tensor = torch.ones(2)
    workers.sum([tensor])
    assert tensor.tolist() == [1, 1]
    assert workers.share([1, 2, 3]) == [1, 2, 3]


@pytest.mark.parametrize(("device", "said"), [
    ("cuda", "process 8 of this machine has no GPU, for it has"),
    ("mps", "compute.device: 'mps': cannot train in several processes"),
])  # fmt: skip
def test_a_process_without_a_device_says_so(device: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    for name, value in {"RANK": "7", "LOCAL_RANK": "7", "WORLD_SIZE": "8"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(StageError, match=said):
        start_workers(torch.device(device))


@pytest.mark.parametrize(("frozen", "kind"), [(False, "float32"), (True, "uint8")])
def test_weights_that_train_or_are_quantised_are_not_spread(
    frozen: bool, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    if frozen:
        network[0].requires_grad_(False)
        network[0].weight.data = network[0].weight.data.to(getattr(torch, kind))
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(StageError, match="only the frozen weights of LoRA that are not quantised"):
        Workers(0, 2).prepare(network)
    assert Workers(0, 1).prepare(network) is network


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a base model and what two processes, joined over gloo, made of it."""
    folder = tmp_path_factory.mktemp("workers")
    base = save_model(folder / "base", "llama")
    command = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "tests/worker_loop.py"]
    done = subprocess.run(
        [sys.executable, "-m", *command, str(base), str(folder)],
        cwd=ROOT,
        env=environment(PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("spread", [False, True])
def test_two_workers_train_what_one_trains(spread: bool, launched: Path, tmp_path: Path) -> None:
    alone = train(Workers(), launched / "base", tmp_path / "adapter")
    assert alone["losses"][9] < alone["losses"][0] - 0.1
    whole = alone.pop("held")
    for rank in range(2):
        together = dict(np.load(launched / f"{spread}-{rank}.npz"))
        assert (together.pop("held") < 0.6 * whole) == spread
        for name, expected in alone.items():
            np.testing.assert_allclose(together[name], expected, atol=1e-5, err_msg=name)


def test_workers_agree_in_every_bit(launched: Path) -> None:
    for name in ("False", "True", "sums"):
        first, second = (dict(np.load(launched / f"{name}-{rank}.npz")) for rank in range(2))
        for key in first.keys() - {"held"}:
            np.testing.assert_array_equal(first[key], second[key], err_msg=f"{name} {key}")


def test_a_sum_keeps_types_shapes_and_whole_numbers(launched: Path) -> None:
    found = np.load(launched / "sums-0.npz")
    expected = [[3.0] * 3, np.arange(6.0).reshape(2, 3).T * 3, 2**41 + 1, [3.0, 3.0], [], [2.0]]
    for index, values in enumerate(expected):
        np.testing.assert_array_equal(found[f"{index}"], values)


def test_workers_with_other_data_or_parameters_are_found_out_by_all(launched: Path) -> None:
    said = [(launched / f"differ-{rank}").read_text() for rank in range(2)]
    assert said[0] == said[1]
    assert said[0].startswith("train: parameters, inputs, code or libraries differ between the machines")
