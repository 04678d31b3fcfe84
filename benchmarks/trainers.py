"""What benchmarks/train.py compares: this project's steps and those of its peers, each on the same model and notes."""

from __future__ import annotations

import time
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch

from stages.lib.adapter import Learner
from stages.lib.classifier import Classifier, pooled
from stages.lib.compilation import compile_layers
from stages.lib.learner import TrainParams
from stages.lib.notes import Notes
from stages.lib.step import make_step
from stages.lib.workers import Workers

IGNORED = -100  # of labels: no loss there


class Task(NamedTuple):
    """A model with fresh LoRA weights, and notes in the order of our batches."""

    learner: Learner
    notes: Notes
    settings: TrainParams
    precision: str
    logged: bool

    @property
    def steps(self) -> int:
        """Return how many steps take all notes once."""
        return len(self.notes.tokens) // self.settings.batch_size

    def answers(self) -> list[list[int]]:
        """Return the tokens that `generate` learns of each note, none for `classify`."""
        labels = [] if isinstance(self.learner, Classifier) else self.learner.labels
        return [labels[target] if labels else [] for target in self.notes.targets]


class Run(NamedTuple):
    """Seconds of all steps, the loss of each where it was asked for, and seconds of compiling before them."""

    seconds: float
    losses: list[float]
    compiling: float = 0.0


def differential(task: Task, *, compiled: bool) -> Run:
    """Train with this project's step, what makes it ready for these notes included, but for what compiles it."""
    size, answers = task.settings.batch_size, task.answers()
    parts = [range(first, first + size) for first in range(0, len(answers), size)]
    started = time.monotonic()
    learner = task.learner.prepare(task.notes, Notes([], []))
    step = make_step(learner, task.settings, steps=task.steps, workers=Workers(rank=0, count=1))
    before = time.monotonic()
    if compiled:
        compile_layers(learner, task.notes, rows=size)
    compiling = time.monotonic() - before
    learner.network.train()
    losses = [step(task.notes, rows) for rows in parts]
    seconds = time.monotonic() - started - compiling
    counts = [sum(len(answers[row]) for row in rows) or size for rows in parts]
    return Run(seconds, [loss / count for loss, count in zip(losses, counts, strict=True)], compiling)


def trl(task: Task, *, ordered: bool) -> Run:
    """Train with TRL's SFTTrainer, its loss on the answers only, in our order of notes or in one of its own.

    Its other defaults stand: no packing, and padding to the longest of a batch.
    """
    from datasets import Dataset, disable_progress_bars
    from trl import SFTConfig, SFTTrainer

    disable_progress_bars()
    rows = [
        {"input_ids": [*prompt, *answer], "completion_mask": [0] * len(prompt) + [1] * len(answer)}
        for prompt, answer in zip(task.notes.tokens, task.answers(), strict=True)
    ]
    with TemporaryDirectory() as folder:
        return _run(
            SFTTrainer(
                model=task.learner.network,
                args=SFTConfig(**_arguments(task, folder, ordered), completion_only_loss=True, max_length=None),
                train_dataset=Dataset.from_list(rows),
                processing_class=task.learner.tokenizer,
                optimizers=_optimizers(task),
            )
        )


def trainer(task: Task) -> Run:
    """Train with transformers' Trainer, in our order of notes: a language model, or a small module with our head."""
    from datasets import Dataset
    from transformers import DataCollatorForSeq2Seq, DataCollatorWithPadding, Trainer, TrainingArguments

    learner, notes = task.learner, task.notes
    if isinstance(learner, Classifier):
        learner.standardise(notes)
        model, collator = _classifier(learner), DataCollatorWithPadding(learner.tokenizer)
        pairs = zip(notes.tokens, notes.targets, strict=True)
        rows = [{"input_ids": tokens, "label": target} for tokens, target in pairs]
    else:
        model, collator = learner.network, DataCollatorForSeq2Seq(learner.tokenizer)
        rows = [
            {"input_ids": [*prompt, *answer], "labels": [IGNORED] * len(prompt) + answer}
            for prompt, answer in zip(notes.tokens, task.answers(), strict=True)
        ]
    with TemporaryDirectory() as folder:
        return _run(
            Trainer(
                model=model,
                args=TrainingArguments(**_arguments(task, folder, ordered=True)),
                train_dataset=Dataset.from_list(rows),
                data_collator=collator,
                optimizers=_optimizers(task),
            )
        )


def _classifier(learner: Classifier) -> torch.nn.Module:
    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network, self.head = learner.network, learner.head

        def train(self, mode: bool = True) -> torch.nn.Module:
            super().train(mode)
            self.head.eval()  # its statistics stay as they are
            return self

        def forward(
            self, input_ids: torch.Tensor, attention_mask: torch.Tensor, labels: torch.Tensor
        ) -> dict[str, torch.Tensor]:
            logits = self.head(pooled(self.network, {"input_ids": input_ids, "attention_mask": attention_mask}))
            return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}

    return Model()


def _arguments(task: Task, folder: str, ordered: bool) -> dict[str, Any]:
    """Return what both trainers are told: our batches and precision, and nothing that takes time beside the steps."""
    return {
        "output_dir": folder,
        "per_device_train_batch_size": task.settings.batch_size,
        "max_steps": task.steps,
        "train_sampling_strategy": "sequential" if ordered else "random",
        "bf16": task.precision == "bfloat16",
        "use_cpu": task.learner.device.type == "cpu",
        "max_grad_norm": task.settings.max_gradient_norm,
        "activation_checkpointing": False,
        "logging_steps": 1,
        "logging_strategy": "steps" if task.logged and ordered else "no",
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
    }


def _optimizers(task: Task) -> tuple[torch.optim.Optimizer, Any]:
    """Return AdamW, fused as both trainers have it by default, and our schedule."""
    from transformers import get_scheduler

    adapted, head = task.learner.weights()
    settings, steps = task.settings, task.steps
    groups = [
        {"params": adapted, "lr": settings.learning_rate},
        {"params": head, "lr": settings.head_learning_rate},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=settings.weight_decay, fused=True)
    return optimizer, get_scheduler("linear", optimizer, int(settings.warmup * steps), steps)


def _run(trainer: Any) -> Run:
    seconds = trainer.train().metrics["train_runtime"]
    return Run(seconds, [entry["loss"] for entry in trainer.state.log_history if "loss" in entry])
