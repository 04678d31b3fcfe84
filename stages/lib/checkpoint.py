"""Training that was cut off goes on: weights, optimizer and position, kept in the user's cache until it is over."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.lib.params import Strict, read_document
from stages.lib.stage import cache_folder, log

if TYPE_CHECKING:
    import torch

    from stages.lib.step import Step

SECONDS = 60.0  # of training between two checkpoints; DIFFERENTIAL_CHECKPOINT_SECONDS sets another number
DAYS = 14  # after which the checkpoint of a run that nobody took up again is removed
LIBRARIES = ["torch", "transformers", "peft"]


@dataclass
class Position:
    """How far training has come: epoch in progress, steps of all; of the epoch batches, notes and the sum of losses."""

    epoch: int = 1
    steps: int = 0
    batches: int = 0
    notes: int = 0
    loss: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)

    def advance(self, loss: float, *, notes: int) -> None:
        """Count a step."""
        self.steps, self.batches = self.steps + 1, self.batches + 1
        self.loss, self.notes = self.loss + loss, self.notes + notes

    def next_epoch(self, measured: dict[str, float]) -> dict[str, float]:
        """Begin the next epoch, and return the row of the one that is over, which goes into the history."""
        row = {"epoch": self.epoch, "steps": self.steps, "train": self.loss / self.notes} | measured
        self.history.append(row)
        self.epoch, self.batches, self.notes, self.loss = self.epoch + 1, 0, 0, 0.0
        return row


@dataclass
class Checkpoint:
    """The one checkpoint of a run: tensors as safetensors, all else as JSON in the same file's header."""

    folder: Path
    seconds: float
    saved: float = field(default_factory=time.monotonic)

    @property
    def path(self) -> Path:
        """Return the place of the file."""
        return self.folder / "training.safetensors"

    def due(self) -> bool:
        """Tell whether the last checkpoint is old enough for a new one."""
        return time.monotonic() - self.saved >= self.seconds

    def save(self, step: Step, at: Position, best: list[torch.Tensor]) -> None:
        """Replace the checkpoint by one of this moment; where that fails, as on a full disk, warn and keep the old."""
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        if not step.workers.first:
            return
        state = {"at": asdict(at), "groups": step.optimizer.state_dict()["param_groups"]}
        state["schedule"] = step.schedule.state_dict()
        partial = self.folder / f".partial-{os.getpid()}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            save_file(_tensors(step, best), partial, metadata={"state": json.dumps(state)})
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
            os.replace(partial, self.path)
        except (OSError, SafetensorError) as error:
            with contextlib.suppress(OSError):
                partial.unlink()
            log.warning("no checkpoint could be written to %s (%s); training goes on", self.folder, error)
        self.saved = time.monotonic()

    def resume(self, step: Step, steps: int) -> tuple[Position, list[torch.Tensor]]:
        """Put `step` where the checkpoint left it, if every worker sees one; return the position and the best weights.

        A file that cannot be read is removed with a warning. `steps` is the length of the run.
        """
        import torch

        found = self._read()
        state: dict[str, Any] = found[0] if found else {"at": {}}
        at = Position(**state["at"])
        seen = torch.zeros(step.workers.count, device=step.learner.device)
        seen[step.workers.rank] = at.steps
        step.workers.sum([seen])
        if not found or len(set(seen.tolist())) > 1:
            return Position(), []
        best = _restore(step, state, found[1])
        if step.workers.first:
            log.info("resuming at step %d of %d (epoch %d)", at.steps, steps, at.epoch)
        return at, best

    def remove(self) -> None:
        """Remove the checkpoint, if there is one."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _read(self) -> tuple[dict[str, Any], dict[str, torch.Tensor]] | None:
        from safetensors import SafetensorError, safe_open

        for partial in self.folder.glob(".partial-*"):  # of a run that was killed while it wrote
            partial.unlink(missing_ok=True)
        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, framework="pt") as file:
                state = json.loads(file.metadata()["state"])
                return state, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            log.warning("the checkpoint in %s cannot be read (%s); training starts anew", self.folder, error)
            self.remove()
            return None


def open_checkpoint(params: Strict, inputs: Iterable[Path], *, stage: str, device: torch.device) -> Checkpoint:
    """Return the checkpoint of this very run: same parameters, inputs, device, code that dvc.yaml lists, libraries."""
    folders = cache_folder("checkpoints")
    for folder in folders.iterdir():
        if folder.stat().st_mtime < time.time() - DAYS * 86400:
            shutil.rmtree(folder, ignore_errors=True)
    deps = [Path(path) for path in read_document("dvc.yaml")["stages"][stage]["deps"] if path.startswith("stages/")]
    key = hashlib.sha256(params.model_dump_json().encode())
    for text in [device.type, *(version(library) for library in LIBRARIES)]:
        key.update(f"\0{text}".encode())
    for path in (file for given in [*inputs, *deps] for file in _files(given)):
        with path.open("rb") as file:
            key.update(hashlib.file_digest(file, "sha256").digest())
    seconds = float(os.environ.get("DIFFERENTIAL_CHECKPOINT_SECONDS", SECONDS))
    return Checkpoint(folders / key.hexdigest()[:32], seconds)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return [item for item in sorted(path.rglob("*")) if item.is_file() and item.suffix != ".pyc"]
    return [path]


def _tensors(step: Step, best: list[torch.Tensor]) -> dict[str, torch.Tensor]:
    found = {f"weight.{index}": weight.detach() for index, weight in enumerate(step.weights)}
    found |= {f"best.{index}": weight for index, weight in enumerate(best)}
    for index, moments in step.optimizer.state_dict()["state"].items():
        found |= {f"optimizer.{index}.{name}": value for name, value in moments.items()}
    found |= {f"generator.{name}": module.get_rng_state() for name, module in _generators(step.learner.device)}
    return {name: value.contiguous() for name, value in found.items()}


def _restore(step: Step, state: dict[str, Any], tensors: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    """Put weights, optimizer, schedule and random numbers back, and return the best weights so far."""
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for name in tensors:
        if name.startswith("optimizer."):
            _, number, moment = name.split(".")
            moments.setdefault(int(number), {})[moment] = tensors[name].clone()
    for index, weight in enumerate(step.weights):
        weight.data.copy_(tensors[f"weight.{index}"])
    step.optimizer.load_state_dict({"state": moments, "param_groups": state["groups"]})
    step.schedule.load_state_dict(state["schedule"])
    for name, module in _generators(step.learner.device):
        module.set_rng_state(tensors[f"generator.{name}"])
    best = [name for name in tensors if name.startswith("best.")]
    return [tensors[f"best.{index}"].clone() for index in range(len(best))]


def _generators(device: torch.device) -> Iterator[tuple[str, Any]]:
    """Yield the modules that hold the state of the random numbers, dropout's among them."""
    import torch

    yield "cpu", torch
    if device.type != "cpu":
        yield device.type, torch.get_device_module(device)
