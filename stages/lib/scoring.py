"""Log-likelihoods of labels after prompts: all labels of a prompt in one forward pass, or a pass for each.

A label's score is the sum of the log-probabilities of its tokens and of the token that ends it, not normalised by
length: it is the log-probability that the model gives exactly this answer, and a label that begins another is not
favoured, since its end has to follow. A softmax over the labels makes a differential of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any

from stages.lib.notes import pad

if TYPE_CHECKING:
    import torch

HEAD_ROWS = 1024  # positions per forward pass whose logits over the vocabulary are held at once
TOLERANCE = 1e-3  # of a log-probability, between the two ways, in float32
SLIDING = "sliding_attention"


@dataclass(frozen=True)
class Tree:
    """Labels as a prefix tree: tokens, parents and depths by node, node 0 being a prompt's last token.

    A step is (node, token, label): this label takes this token after that node.
    """

    tokens: list[int]
    parents: list[int]
    depths: list[int]
    steps: list[tuple[int, int, int]]

    def prompts_per_pass(self, most: int) -> int:
        """Return how many prompts to score at once: at most `most`, fewer where the tree is large."""
        return max(1, min(most, HEAD_ROWS // len(self.tokens)))


def label_tree(labels: Sequence[Sequence[int]]) -> Tree:
    """Merge labels into a tree; a label's last token, which ends it, is scored after a node and is none itself."""
    tree = Tree([0], [-1], [0], [])
    nodes: dict[tuple[int, int], int] = {}
    for index, label in enumerate(labels):
        node = 0
        for depth, token in enumerate(label, start=1):
            tree.steps.append((node, token, index))
            if depth < len(label) and (node, token) not in nodes:
                nodes[node, token] = len(tree.tokens)
                tree.tokens.append(token)
                tree.parents.append(node)
                tree.depths.append(depth)
            node = nodes.get((node, token), node)
    return tree


def tree_scores(
    network: Any, prompts: Sequence[Sequence[int]], tree: Tree, *, pad_id: int, device: torch.device
) -> torch.Tensor:
    """Return each label's log-likelihood after each prompt, (prompts, labels), by one forward pass.

    Every branch sees the prompt and its own nodes, at the positions it would have alone.
    """
    import torch

    start = pad([prompt[:-1] for prompt in prompts], pad_id, device)
    nodes = torch.tensor(tree.tokens, device=device).repeat(len(prompts), 1)
    nodes[:, 0] = torch.tensor([prompt[-1] for prompt in prompts], device=device)
    mask = start["attention_mask"]
    depths = torch.tensor(tree.depths, device=device)
    positions = torch.cat([mask.cumsum(1).sub(1).clamp(min=0), mask.sum(1, keepdim=True) + depths], dim=1)
    logits = network(
        input_ids=torch.cat([start["input_ids"], nodes], dim=1),
        attention_mask=_by_layer(network, _visible(mask, tree), positions),
        position_ids=positions,
        use_cache=False,
        logits_to_keep=len(tree.tokens),
    ).logits.float()
    node, token, label = torch.tensor(tree.steps, device=device).T
    steps = logits[:, node, token] - logits.logsumexp(-1)[:, node]
    scores: torch.Tensor = steps.new_zeros(len(prompts), tree.steps[-1][2] + 1).index_add(1, label, steps)
    return scores


def separate_scores(
    network: Any,
    prompts: Sequence[Sequence[int]],
    labels: Sequence[Sequence[int]],
    *,
    pad_id: int,
    device: torch.device,
) -> torch.Tensor:
    """Return what `tree_scores` does by a forward pass for each label, as any causal model allows."""
    import torch

    columns = []
    for label in labels:
        logits, tokens = answer_logits(network, prompts, [label] * len(prompts), pad_id=pad_id, device=device)
        steps = logits.log_softmax(-1).gather(1, tokens[:, None])
        columns.append(steps.reshape(len(prompts), len(label)).sum(1))
    return torch.stack(columns, dim=1)


def answer_logits(
    network: Any,
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
    *,
    pad_id: int,
    device: torch.device,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the logits before each token of each prompt's answer, (tokens, vocabulary), float32, and these tokens.

    Nothing else goes through the head, which is larger than many layers.
    """
    import torch

    pairs = list(zip(prompts, answers, strict=True))
    batch = pad([[*prompt, *answer[:-1]] for prompt, answer in pairs], pad_id, device)
    spots = [
        (row, len(prompt) - 1 + step, token)
        for row, (prompt, answer) in enumerate(pairs)
        for step, token in enumerate(answer)
    ]
    rows, columns, tokens = torch.tensor(spots, device=device).T
    head = network.get_output_embeddings()
    hook = head.register_forward_pre_hook(lambda _, states: states[0][rows, columns][None])
    try:
        logits = network(**batch, use_cache=False).logits
    finally:
        hook.remove()
    return logits[0].float(), tokens


def is_exact(network: Any, prompt: Sequence[int], labels: Sequence[Sequence[int]], *, device: torch.device) -> bool:
    """Tell whether `network`, as it stands, scores these labels as a tree as it does apart.

    It does not where layers carry a state along the sequence (Mamba), or attend in another way than a mask says.
    """
    import torch

    plain = getattr(network, "get_base_model", lambda: network)()  # of peft, whose own signature is any
    if "position_ids" not in signature(plain.forward).parameters:
        return False
    network.eval()
    with torch.inference_mode():
        together = tree_scores(network, [prompt], label_tree(labels), pad_id=0, device=device)
        apart = separate_scores(network, [prompt], labels, pad_id=0, device=device)
    return bool((together - apart).abs().max() < TOLERANCE)


def _visible(mask: torch.Tensor, tree: Tree) -> torch.Tensor:
    """Return what each token may attend to, (prompts, tokens, tokens), the prompt's padded tokens before the nodes."""
    import torch

    width, nodes = mask.shape[1], len(tree.tokens)
    lineage = torch.eye(nodes, dtype=torch.bool)
    for node, parent in enumerate(tree.parents[1:], start=1):
        lineage[node] |= lineage[parent]
    visible = torch.zeros(len(mask), width + nodes, width + nodes, dtype=torch.bool, device=mask.device)
    visible[:, :, :width] = mask[:, None].bool()
    visible[:, :width, :width] &= torch.ones(width, width, dtype=torch.bool, device=mask.device).tril()
    visible[:, width:, width:] = lineage.to(mask.device)
    return visible | torch.eye(width + nodes, dtype=torch.bool, device=mask.device)  # padding needs something to see


def _by_layer(network: Any, visible: torch.Tensor, positions: torch.Tensor) -> Any:
    """Return the mask to add to attention, (prompts, 1, tokens, tokens), or one by kind of layer.

    Sliding windows count positions. Only where they cut something off do models that mix kinds need several masks.
    """
    import torch

    config = network.config.get_text_config()
    window = getattr(config, "sliding_window", None)
    kinds = set((getattr(config, "layer_types", None) or [])[: config.num_hidden_layers]) or {SLIDING}
    near = positions[:, :, None] - positions[:, None] < (window or positions.shape[1])

    def additive(allowed: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(allowed, dtype=torch.float32).masked_fill(~allowed, torch.finfo(torch.float32).min)[
            :, None
        ]

    if not window or kinds == {"full_attention"} or bool((near | ~visible).all()):
        return additive(visible)
    masks = {kind: additive(visible & near if kind == SLIDING else visible) for kind in sorted(kinds)}
    return masks if len(masks) > 1 else masks[SLIDING]
