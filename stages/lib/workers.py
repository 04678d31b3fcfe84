"""The processes that train together: each one's share of the notes, and sums over all of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from stages.lib.launcher import rank
from stages.lib.stage import StageError, log

if TYPE_CHECKING:
    import torch

Row = TypeVar("Row")
BUCKET = 2**24  # numbers that are exchanged at once
UNSPREADABLE = (
    "only the frozen weights of LoRA that are not quantised can be spread over GPUs; "
    "leave out --use_fsdp, or set train.lora and no model.quantisation"
)


@dataclass(frozen=True)
class Workers:
    """This process among those that train one model.

    A step is that of one process with the same notes, but sums are taken in another order: what several workers train
    agrees with what one trains within the tolerance of the metrics, and not in its bytes. So their number stands in no
    parameter and no output.
    """

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Tell whether this is the one that writes."""
        return self.rank == 0

    def share(self, rows: Sequence[Row]) -> list[Row]:
        """Return this worker's part of `rows`, which may be empty; the parts are disjoint and hold all of them."""
        return list(rows[self.rank :: self.count])

    def sum(self, tensors: Sequence[torch.Tensor]) -> None:
        """Replace each tensor by its sum over the workers, who all call this with the same shapes, in the same order.

        Small ones travel together. A worker that fails, and so does not come, fails the others.
        """
        import torch
        from torch.distributed import all_reduce

        if self.count == 1:
            return
        for bucket in _buckets(tensors):
            numbers = [tensor.detach().reshape(-1) for tensor in bucket]
            flat = torch.cat(numbers) if len(numbers) > 1 else numbers[0]
            all_reduce(flat)
            for tensor, part in zip(bucket, torch.split(flat, [len(part) for part in numbers]), strict=True):
                tensor.detach().copy_(part.view_as(tensor))

    def require_same(self, digest: str) -> None:
        """Raise StageError unless all workers have the same hexadecimal digest, of what makes them train alike."""
        import torch

        own = int(digest[:10], 16)  # 40 bits, so that the sum of many fits an integer
        total = torch.tensor(own)
        self.sum([total])
        if total.item() != own * self.count:
            raise StageError(
                "train: parameters, inputs, code or libraries differ between the machines; "
                "bring all of them to one commit, with `dvc pull` and `make setup`"
            )

    def prepare(self, network: Any) -> Any:
        """Return the network, its frozen weights spread over the workers where `accelerate launch --use_fsdp` asks.

        Spread weights are gathered layer by layer in each pass (fully sharded data parallelism, Rajbhandari et al.
        2020), so that all workers must make the same passes. Weights that train stay whole on each, and their
        gradients go through `sum`: with LoRA they are small, which is also why nothing is wrapped for plain data
        parallelism. Raise StageError where weights cannot be spread: quantised ones, and those of full fine-tuning.
        """
        from torch.nn import Parameter

        if self.count == 1 or os.environ.get("ACCELERATE_USE_FSDP", "false").lower() != "true":
            return network
        weights: list[Parameter] = list(network.parameters())
        trained = {weight for weight in weights if weight.requires_grad}
        if len(trained) == len(weights) or not all(weight.is_floating_point() for weight in weights):
            raise StageError(f"train: {UNSPREADABLE}")
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        mesh = init_device_mesh(weights[0].device.type, (self.count,))
        modules = [*_blocks(network), network]
        for spread in [fully_shard(module, mesh=mesh, ignored_params=trained) for module in modules]:
            spread.unshard()  # or a first pass in inference mode would leave weights behind that cannot train others
            spread.reshard()
        return network


def start_workers(device: torch.device) -> Workers:
    """Join the processes that a launcher has started, each with the CUDA device of its place on its machine.

    Without a launcher there is one worker, and nothing is set up. Raise StageError where a machine has fewer devices
    than processes.
    """
    count = int(os.environ.get("WORLD_SIZE", 1)) if "LOCAL_RANK" in os.environ else 1
    if count == 1:
        return Workers()
    import torch
    from torch.distributed import init_process_group

    place = int(os.environ["LOCAL_RANK"])
    if device.type == "cuda":
        if place >= (there := torch.cuda.device_count()):
            raise StageError(f"train: process {place + 1} of this machine has no GPU, for it has {there}; launch fewer")
        torch.cuda.set_device(place)
    elif device.type != "cpu":
        raise StageError(f"params.yaml: compute.device: '{device.type}': cannot train in several processes; set cpu")
    init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    log.info("%d processes train together", count)
    return Workers(rank(), count)


def _buckets(tensors: Sequence[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    """Yield the tensors in order, as many alike at once as may travel together."""
    bucket: list[torch.Tensor] = []
    filled = 0
    for tensor in tensors:
        alike = not bucket or (tensor.dtype, tensor.device) == (bucket[0].dtype, bucket[0].device)
        if bucket and not (alike and filled + tensor.numel() <= BUCKET):
            yield bucket
            bucket, filled = [], 0
        bucket.append(tensor)
        filled += tensor.numel()
    if bucket:
        yield bucket


def _blocks(module: torch.nn.Module) -> Iterator[torch.nn.Module]:
    """Yield the layers of a network: what stands in its outermost lists of modules."""
    from torch.nn import ModuleList

    for child in module.children():
        yield from child if isinstance(child, ModuleList) else _blocks(child)
