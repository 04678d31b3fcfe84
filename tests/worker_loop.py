"""Ten steps of a tiny Llama under LoRA, in as many processes as were started: python worker_loop.py BASE FOLDER."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import torch

from stages.lib.stage import StageError
from stages.lib.workers import Workers, start_workers

BATCHES = [[0, 1, 2, 3, 4, 5], [3], [5, 0, 2]]  # rows for all workers; for one alone; for one more than the other
LENGTHS = torch.tensor([9, 3, 12, 5, 1, 7])


def train(workers: Workers, base: Path, adapter: Path) -> dict[str, np.ndarray]:
    """Return the mean loss of each step, what is trained, numbers held, and the logits before and after saving."""
    from peft import LoraConfig, PeftModel, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(1)
    ids = torch.randint(5, 200, (len(LENGTHS), int(LENGTHS.max())))
    network = get_peft_model(
        AutoModelForCausalLM.from_pretrained(base), LoraConfig(r=2, lora_alpha=4, target_modules="all-linear")
    )
    workers.prepare(network)
    with torch.inference_mode():
        network(input_ids=ids[:1])
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=0.01)
    losses = [_step(workers, network, optimizer, ids, BATCHES[step % len(BATCHES)]) for step in range(10)]
    network.eval()
    with torch.inference_mode():
        own = workers.share(range(len(ids)))
        logits = torch.zeros(len(ids), network.config.vocab_size)
        logits[own] = network(input_ids=ids[own]).logits[:, -1]
        workers.sum([logits])
    network.save_pretrained(adapter, save_embedding_layers=False)
    saved = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), str(adapter)).eval()
    return {
        "losses": np.array(losses),
        "weights": torch.cat([weight.detach().flatten() for weight in weights]).numpy(),
        "held": np.array(sum(_held(weight) for weight in network.parameters())),
        "logits": logits.numpy(),
        "reloaded": saved(input_ids=ids).logits[:, -1].detach().numpy(),
    }


def sums(workers: Workers) -> list[torch.Tensor]:
    """Return the sums over the workers of tensors that differ in type and layout."""
    tensors = [
        torch.full((3,), workers.rank + 1.0),
        torch.arange(6.0).reshape(2, 3).T * (workers.rank + 1),
        torch.tensor(2**40 + workers.rank),
        torch.full((2,), workers.rank + 1.0, dtype=torch.bfloat16),
        torch.zeros(0),
        torch.ones(1, requires_grad=True),
    ]
    workers.sum(tensors)
    return tensors


def _step(
    workers: Workers, network: torch.nn.Module, optimizer: torch.optim.Optimizer, ids: torch.Tensor, rows: list[int]
) -> float:
    """Step down the mean loss over the tokens of `rows`, as the stage does, and return it."""
    own = workers.share(rows)
    used = own or rows[:1]  # every worker makes the pass
    labels = ids[used].masked_fill(torch.arange(ids.shape[1]) >= LENGTHS[used].unsqueeze(1), -100)
    logits = network(input_ids=ids[used]).logits
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum") * bool(own)
    loss.backward()
    total = torch.tensor([loss.item(), int(LENGTHS[own].sum())])
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    workers.sum([total, *(weight.grad for weight in weights)])
    for weight in weights:
        weight.grad /= total[1]
    optimizer.step()
    optimizer.zero_grad()
    return float(total[0] / total[1])


def _held(weight: torch.Tensor) -> int:
    return (weight.to_local() if hasattr(weight, "to_local") else weight).numel()


def main(base: Path, folder: Path) -> None:
    torch.set_num_threads(1)
    workers = start_workers(torch.device("cpu"))
    for spread in (False, True):
        os.environ["ACCELERATE_USE_FSDP"] = str(spread)
        name = f"{spread}-{workers.rank}"
        np.savez(folder / f"{name}.npz", **train(workers, base, folder / name))
    found = {f"{index}": tensor.detach().double().numpy() for index, tensor in enumerate(sums(workers))}
    np.savez(folder / f"sums-{workers.rank}.npz", **found)
    workers.require_same("fedcba9876543210")
    try:
        workers.require_same(f"{9 - workers.rank}0" * 8)
    except StageError as error:
        (folder / f"differ-{workers.rank}").write_text(str(error))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
