"""The loop takes the same steps however a batch is cut, shared or interrupted, and stops where it should."""

from __future__ import annotations

import logging
import math
import threading
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from stages.lib.adapter import Learner, Specification, make_learner
from stages.lib.checkpoint import Checkpoint, open_checkpoint
from stages.lib.classifier import Classifier
from stages.lib.learner import TrainParams, best_epoch, fit
from stages.lib.model import Compute, ModelParams, start
from stages.lib.notes import Notes, bucketed, drawn_evenly
from stages.lib.stage import StageError
from stages.lib.step import make_step
from stages.lib.workers import Workers

COMPUTE = Compute(device="cpu", precision="float32", threads=1, batch_size=4)
TEXTS = [f"{sign} for {days} days" for days in range(2, 6) for sign in ("fever", "a cough that stays", "rash")]
TARGETS = [0, 1, 2] * 4
FINDINGS = [[target - 1, 2] if target else [] for target in TARGETS]
DEFAULTS = yaml.safe_load((ROOT / "params.yaml").read_text())
LORA = DEFAULTS["train"]["lora"] | {"rank": 2, "alpha": 4, "dropout": 0.0}
CHANGES = {"epochs": 3, "patience": 3, "batch_size": 5, "token_dropout": 0.0, "lora": LORA}
ALONE = Workers(rank=0, count=1)


def settings(**changes: Any) -> TrainParams:
    return TrainParams.model_validate(DEFAULTS["train"] | CHANGES | changes)


def fresh(base: Path, chosen: TrainParams) -> tuple[Learner, Notes]:
    """Return the learner that a seed gives, and notes to learn."""
    import torch

    torch.manual_seed(1)
    model = ModelParams.model_validate(DEFAULTS["model"] | {"layers": 2, "max_length": 32, "prompt": "{note}?"})
    specification = Specification(objective=chosen.objective, diagnoses=["flu", "croup", "measles"], model=model)
    learner = make_learner(
        specification,
        base,
        lora=chosen.lora,
        compute=COMPUTE,
        device=start(COMPUTE),
        gradient_checkpointing=chosen.gradient_checkpointing,
    )
    return learner, Notes(learner.encode(TEXTS), TARGETS, FINDINGS)


def trained(learner: Learner) -> list[Any]:
    return [weight.detach().numpy().copy() for group in learner.weights() for weight in group]


def outcome(base: Path, chosen: TrainParams, **options: Any) -> tuple[list[dict[str, float]], list[bytes]]:
    """Return history and trained bytes of a run."""
    learner, notes = fresh(base, chosen)
    history = fit(learner, {"train": notes, "validation": notes}, chosen, seed=1, workers=ALONE, **options)
    return history, [weight.tobytes() for weight in trained(learner)]


@pytest.mark.parametrize("objective", ["classify", "generate"])
@pytest.mark.parametrize("accumulation", [2, 4, 100])
def test_accumulation_changes_nothing_but_rounding(tiny_model: Path, objective: str, accumulation: int) -> None:
    found = []
    for parts in (1, accumulation):
        chosen = settings(objective=objective, accumulation=parts)
        learner, notes = fresh(tiny_model, chosen)
        step = make_step(learner, chosen, steps=10, workers=ALONE)
        learner.network.train()
        losses = [step(notes, rows) for rows in ([0, 1, 2, 3, 4], [5, 6, 7], [8], [9, 10])]
        found.append((losses, trained(learner)))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-6)
    for one, other in zip(found[0][1], found[1][1], strict=True):
        assert one == pytest.approx(other, abs=1e-6)


@dataclass(frozen=True)
class Together:
    """One of two workers, each a thread, who add up what both hold."""

    rank: int
    barrier: threading.Barrier
    held: list[Any]
    count: int = 2

    @property
    def first(self) -> bool:
        return self.rank == 0

    def share(self, rows: Any) -> list[Any]:
        return list(rows[self.rank :: self.count])

    def sum(self, tensors: Any) -> None:
        self.held[self.rank] = [tensor.detach().clone() for tensor in tensors]
        self.barrier.wait(timeout=60)
        for tensor, parts in zip(tensors, zip(*self.held, strict=True), strict=True):
            tensor.copy_(sum(parts))
        self.barrier.wait(timeout=60)


def test_two_workers_find_what_one_finds(tiny_model: Path) -> None:
    chosen = settings(batch_size=3, accumulation=2)
    learner, notes = fresh(tiny_model, chosen)
    sets = {
        "train": Notes(notes.tokens[:-2], TARGETS[:-2], FINDINGS[:-2]),
        "validation": Notes(notes.tokens[:7], TARGETS[:7]),
    }
    history = fit(learner, sets, chosen, seed=1, workers=ALONE)
    several, barrier, held = [fresh(tiny_model, chosen)[0] for _ in range(2)], threading.Barrier(2), [None, None]
    found: list[Any] = [None, None]

    def work(rank: int) -> None:
        found[rank] = fit(several[rank], sets, chosen, seed=1, workers=Together(rank, barrier, held))

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1]
    for one, both in zip(history, found[0], strict=True):
        assert one == pytest.approx(both, rel=1e-5)
    for one, both in zip(trained(learner), trained(several[1]), strict=True):
        assert one == pytest.approx(both, abs=1e-5)


def test_tokens_are_left_out_in_training_alone(tiny_model: Path) -> None:
    import torch

    learner, notes = fresh(tiny_model, settings())
    assert isinstance(learner, Classifier)
    torch.nn.init.normal_(learner.head[1].weight)
    learner.network.eval()
    found = []
    for share in (0.0, 0.5, 0.999):
        thinned = replace(learner, token_dropout=share)
        found.append({thinned.loss(notes, range(12), smoothing=0.0)[0].item() for _ in range(5)})
        assert (thinned.scores(notes.tokens) == learner.scores(notes.tokens)).all()
    assert [len(losses) for losses in found[:2]] == [1, 5]
    assert all(math.isfinite(loss) for loss in found[2])


def test_findings_are_learnt_beside_the_diagnosis_and_their_head_is_thrown_away(tiny_model: Path) -> None:
    import torch

    learner, notes = fresh(tiny_model, settings())
    assert isinstance(learner, Classifier)
    sets = {"train": notes, "validation": notes}
    assert fit(learner, sets, settings(), seed=1, workers=ALONE)[0]["train"] == pytest.approx(math.log(3), rel=0.1)
    assert learner.findings is None
    prepared = replace(learner.prepare(notes, notes), findings_weight=2.0)
    assert prepared.findings
    affirmed = torch.tensor([[column in found for column in range(3)] for found in FINDINGS]).float()
    share = affirmed.mean(0)
    entropy = -(share * share.log() + (1 - share) * (1 - share).log()).sum()
    loss = prepared.loss(notes, range(12), smoothing=0.0)
    assert loss.total.item() == pytest.approx(loss.diagnosis.item() + 2 * 12 * entropy.item(), rel=1e-4)


@dataclass
class Interrupting:
    """Curves that end a run while step `at` is shown."""

    at: int
    rows: list[dict[str, float]] = field(default_factory=list)

    def step(self, number: int, steps: int, **_: float) -> None:
        if number == self.at:
            raise InterruptedError

    def epoch(self, row: dict[str, float]) -> None:
        self.rows.append(row)


@pytest.mark.parametrize("objective", ["classify", "generate"])
@pytest.mark.parametrize("seconds", [0.0, 1e9], ids=["every step is saved", "every epoch is saved"])
def test_a_run_cut_off_at_any_step_ends_in_the_same_bytes(
    tiny_model: Path, tmp_path: Path, objective: str, seconds: float
) -> None:
    lora = LORA | {"dropout": 0.3}
    chosen = settings(
        objective=objective,
        accumulation=2,
        lora=lora,
        balanced=True,
        schedule="cosine",
        weight_decay=0.1,
        token_dropout=0.3,
    )
    expected = outcome(tiny_model, chosen)
    for at in (1, 2, 4, 6, 9):  # three steps an epoch
        folder = tmp_path / f"{at}"
        with pytest.raises(InterruptedError):
            outcome(tiny_model, chosen, checkpoint=Checkpoint(folder, seconds), curves=Interrupting(at))
        assert [path.name for path in folder.rglob("*")] in ([], ["training.safetensors"])
        assert outcome(tiny_model, chosen, checkpoint=Checkpoint(folder, seconds)) == expected


def test_a_run_that_is_cut_off_again_and_again_or_when_it_is_over_ends_in_the_same_bytes(
    tiny_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chosen = settings(monitor="macro_f1", steps=7)
    expected = outcome(tiny_model, chosen)
    (tmp_path / ".partial-1").touch()  # of a run that was killed while it wrote
    for at in (2, 5, 6):
        with pytest.raises(InterruptedError):
            outcome(tiny_model, chosen, checkpoint=Checkpoint(tmp_path, 0.0), curves=Interrupting(at))
    for _ in range(2):  # the checkpoint is the caller's to remove, once all is written
        with caplog.at_level(logging.INFO, logger="stages"):
            assert outcome(tiny_model, chosen, checkpoint=Checkpoint(tmp_path, 0.0)) == expected
    said = [message for message in caplog.messages if "resuming" in message]
    assert [path.name for path in tmp_path.iterdir()] == ["training.safetensors"]
    assert said == ["resuming at step 5 of 7 (epoch 2)", "resuming at step 7 of 7 (epoch 4)"]


@pytest.mark.parametrize("size", [0, 5, 2000])
def test_a_checkpoint_that_cannot_be_read_is_dropped_with_a_warning(
    tiny_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, size: int
) -> None:
    chosen = settings()
    checkpoint = Checkpoint(tmp_path / "cut", 0.0)
    with pytest.raises(InterruptedError):
        outcome(tiny_model, chosen, checkpoint=checkpoint, curves=Interrupting(4))
    checkpoint.path.write_bytes(checkpoint.path.read_bytes()[:size])
    assert outcome(tiny_model, chosen, checkpoint=Checkpoint(tmp_path / "cut", 1e9)) == outcome(tiny_model, chosen)
    assert "cannot be read" in caplog.text
    assert "training starts anew" in caplog.text


def test_a_checkpoint_that_cannot_be_written_costs_a_warning(
    tiny_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    checkpoint = Checkpoint(tmp_path / "file" / "folder", 1e9)
    assert outcome(tiny_model, settings(), checkpoint=checkpoint) == outcome(tiny_model, settings())
    assert "no checkpoint could be written" in caplog.text


@dataclass
class Breaking:
    """Curves that spoil a weight once step 4 is shown."""

    learner: Learner

    def step(self, number: int, steps: int, **_: float) -> None:
        if number == 4:
            self.learner.weights()[0][0].data.fill_(float("nan"))

    def epoch(self, row: dict[str, float]) -> None:
        """Show nothing."""


def test_a_loss_that_is_not_finite_ends_the_run_at_once_and_leaves_no_checkpoint(
    tiny_model: Path, tmp_path: Path
) -> None:
    learner, notes = fresh(tiny_model, settings())
    checkpoint, sets = Checkpoint(tmp_path / "broken", 0.0), {"train": notes, "validation": notes}
    said = r"^train: the loss is not finite in step 5 \(epoch 2\); lower train.learning_rate or train.max_gradient_norm"
    with pytest.raises(StageError, match=said):
        fit(learner, sets, settings(), seed=1, workers=ALONE, checkpoint=checkpoint, curves=Breaking(learner))
    assert not checkpoint.folder.exists()


def test_a_budget_of_steps_ends_training_and_its_schedule(tiny_model: Path) -> None:
    history, _ = outcome(tiny_model, settings(steps=4))
    assert [row["steps"] for row in history] == [3, 4]
    chosen = settings(steps=4, warmup=0.5)
    learner, notes = fresh(tiny_model, chosen)
    step = make_step(learner, chosen, steps=4, workers=ALONE)
    rates = []
    for _ in range(4):
        rates.append(step.schedule.get_last_lr()[0] / chosen.learning_rate)
        step(notes, [0, 1])
    assert [*rates, step.schedule.get_last_lr()[0]] == pytest.approx([0, 0.5, 1, 0.5, 0])


@pytest.mark.parametrize(("schedule", "last"), [("linear", 0.0), ("cosine", 0.0), ("constant", 1.0)])
def test_every_schedule_rises_in_the_warm_up(tiny_model: Path, schedule: str, last: float) -> None:
    chosen = settings(schedule=schedule, warmup=0.5)
    learner, notes = fresh(tiny_model, chosen)
    step = make_step(learner, chosen, steps=2, workers=ALONE)
    assert step.schedule.get_last_lr()[0] == 0
    step(notes, [0])
    step(notes, [0])
    assert step.schedule.get_last_lr()[0] == pytest.approx(last * chosen.learning_rate)


def test_training_stops_when_the_monitored_measure_gets_no_better(tiny_model: Path) -> None:
    chosen = settings(epochs=50, patience=2, learning_rate=1e-9, head_learning_rate=1e-9, monitor="macro_f1")
    history, _ = outcome(tiny_model, chosen)
    assert len(history) < 50
    assert len(history) - best_epoch(history, chosen)["epoch"] == 2


@pytest.mark.parametrize(("monitor", "best"), [("log_loss", 2), ("macro_f1", 3)])
def test_the_best_epoch_is_the_first_of_equals(monitor: str, best: int) -> None:
    table = [(0.5, 0.1), (0.4, 0.2), (0.6, 0.3), (0.4, 0.3)]
    history = [{"epoch": at, "validation": loss, "validation_macro_f1": f1} for at, (loss, f1) in enumerate(table, 1)]
    assert best_epoch(history, settings(monitor=monitor))["epoch"] == best


@given(st.lists(st.integers(0, 5), min_size=1, max_size=80), st.integers(0, 9))
def test_balanced_draws_take_every_diagnosis_and_every_note_of_one_equally_often(targets: list[int], seed: int) -> None:
    import torch

    rows = drawn_evenly(targets, generator=torch.Generator().manual_seed(seed))
    assert len(rows) == len(targets)
    drawn = Counter(targets[row] for row in rows)
    counts = [drawn[target] for target in set(targets)]
    assert max(counts) - min(counts) <= 1
    of_row = Counter(rows)
    for target in set(targets):
        times = [of_row[row] for row in range(len(targets)) if targets[row] == target]
        assert max(times) - min(times) <= 1


def test_batches_of_drawn_rows_hold_each_as_often_as_it_was_drawn() -> None:
    import torch

    rows = [0, 0, 0, 3, 4, 4]
    batches = bucketed([5, 9, 9, 1, 7], 2, generator=torch.Generator().manual_seed(1), rows=rows)
    assert sorted(row for batch in batches for row in batch) == rows


def test_a_checkpoint_belongs_to_one_set_of_parameters_inputs_and_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    code, data, pipeline = tmp_path / "stages/fit.py", tmp_path / "base/weights", tmp_path / "dvc.yaml"
    for path, text in {code: "pass", data: "1", pipeline: "stages: {fit: {deps: [base, stages/fit.py]}}"}.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def key(chosen: TrainParams, device: str = "cpu") -> str:
        return open_checkpoint(chosen, [data.parent], stage="fit", device=torch.device(device)).folder.name

    first = key(settings())
    data.touch()
    assert key(settings()) == first
    others = {key(settings(epochs=4)), key(settings(), "meta")}
    for path in (code, data):
        before = path.read_text()
        path.write_text("2")
        others.add(key(settings()))
        path.write_text(before)
    assert len(others | {first}) == 5
