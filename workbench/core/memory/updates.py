"""What a method's own small matrices and factors keep of the forward pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from workbench.core.memory.numbers import Numbers
from workbench.core.methods.targets import chosen_targets, in_attention
from workbench.core.models.skeleton import Module, Skeleton
from workbench.core.recipe import Recipe

ATTENTION_OUTPUT = ("o_proj", "out_proj", "dense", "c_proj")
"""Leaf names of the projection behind the attention kernel, whose input the kernel itself keeps."""

FEED_FORWARD_INPUT = ("gate_proj", "up_proj", "gate_up_proj", "fc1", "c_fc", "dense_h_to_4h")


def update_bytes(recipe: Recipe, skeleton: Skeleton, numbers: Numbers) -> float:
    """Bytes a token and layer that the method's own values keep.

    For LoRA and its kin: each target's input, and what the first matrix makes of it. Where the update computes in other
    numbers than the base, each target keeps a copy of its own (PEFT casts the input); else targets that read the same
    tensor share it.
    """
    name, knobs = recipe.method.name, recipe.method.knobs
    layers = max(1, skeleton.layers)
    if name == "peft":
        return _of_peft(recipe, skeleton, numbers) / layers
    if name in ("lora", "qlora"):
        targets = _targets(recipe, skeleton)
        ranks = {key: int(value) for key, value in dict(knobs["ranks"]).items()}
        return (
            _low_rank(targets, numbers, int(knobs["rank"]), ranks, float(knobs["dropout"]), bool(knobs["dora"]))
            / layers
        )
    if name in ("vera", "oft", "miss"):
        targets = _targets(recipe, skeleton)
        return COUNTED[name](targets, numbers, int(knobs.get("rank", 0)), float(knobs.get("dropout", 0.0))) / layers
    if name == "ia3":
        from workbench.core.methods.ia3 import ia3_targets

        outputs, inputs = ia3_targets(skeleton, recipe.method.facts.knobs(**knobs))
        return _ia3(outputs, inputs, numbers) / layers
    keeping = recipe.method.facts.keeping
    total = numbers.adapter_input * keeping(skeleton, recipe.method.facts.knobs(**knobs)) if keeping else 0.0
    if name == "adalora":
        total += numbers.adapter_input * sum(module.out_features for module in _targets(recipe, skeleton))
    return total / layers


def fixed_update_bytes(recipe: Recipe, skeleton: Skeleton, numbers: Numbers) -> int:
    """Bytes that a method keeps whatever the tokens; with checkpointing, those of one layer alone.

    Trained tokens are written into a copy of the embedding. OFT keeps the skew matrices of each target, their second
    and third power, and the rotation (PEFT's Cayley-Neumann series of five terms); mixed precision casts the skew
    matrices once for each product. VeRA's shared matrices are cast for each target in mixed precision.
    """
    name, knobs = recipe.method.name, recipe.method.knobs
    if name == "tokens" or (name == "peft" and _kind_of(recipe) == "TRAINABLE_TOKENS"):
        return skeleton.vocabulary * skeleton.hidden_size * numbers.weight
    if name == "oft":
        values = sum(module.in_features for module in _targets(recipe, skeleton)) * int(knobs["block_size"])
        total = values * (7 * 2 if numbers.autocast else 4 * 4)
    elif name == "vera" and numbers.autocast:
        reached = sum(module.in_features + module.out_features for module in _targets(recipe, skeleton))
        total = 2 * int(knobs["rank"]) * reached
    elif name == "peft" and _kind_of(recipe) == "HRA":
        total = _reflected(recipe, skeleton, numbers)
    else:
        return 0
    return total // max(1, skeleton.layers) if recipe.training.gradient_checkpointing else total


def shared_update_bytes(recipe: Recipe, skeleton: Skeleton) -> int:
    """Bytes of what a method adds and does not train: VeRA's matrices, as large as the largest target, in float32."""
    if recipe.method.name != "vera":
        return 0
    targets = _targets(recipe, skeleton)
    wide = max(module.in_features for module in targets) + max(module.out_features for module in targets)
    return 4 * int(recipe.method.knobs["rank"]) * wide


def _targets(recipe: Recipe, skeleton: Skeleton) -> tuple[Module, ...]:
    return chosen_targets(skeleton, str(recipe.method.knobs["targets"]), str(recipe.method.knobs["layers"]))


def _of_peft(recipe: Recipe, skeleton: Skeleton, numbers: Numbers) -> float:
    """Bytes a token over all layers of a kind of PEFT's; where there is no formula for it, each target's input."""
    from workbench.core.methods.peft import config_values

    values = config_values(recipe.method.knobs)
    values = {**values, **values["settings"]}
    kind = str(values.get("peft_type"))
    names = {name for name, _ in recipe.method.facts.count(skeleton, recipe.method.knobs).by_module}
    targets = tuple(module for module in skeleton.linear_layers if module.name in names)
    rank = int(values.get("r") or RANKS.get(kind, 0))
    if kind == "IA3":
        inner = tuple(module for module in targets if module.leaf in FEED_FORWARD_OUTPUT)
        return _ia3(tuple(module for module in targets if module not in inner), inner, numbers)
    if kind == "LN_TUNING":
        return numbers.activation * _norms_of(skeleton, names)
    if kind == "HRA" and numbers.autocast:
        return 0.0  # the turned weight reads what the base's own product does
    if kind == "TRAINABLE_TOKENS":
        return 0.0
    if kind.lower() in COUNTED:
        return COUNTED[kind.lower()](targets, numbers, rank, 0.0)
    thinned = float(values.get("lora_dropout") or 0.0)
    return _low_rank(targets, numbers, rank if kind == "LORA" else 0, {}, thinned, bool(values.get("use_dora")))


def unknown_kind(recipe: Recipe) -> str | None:
    """The kind of PEFT's that a recipe names and that no formula here knows; None where all is known."""
    if recipe.method.name != "peft":
        return None
    kind = _kind_of(recipe)
    return None if kind in KNOWN else kind


def _kind_of(recipe: Recipe) -> str:
    from workbench.core.methods.peft import config_values

    return str(config_values(recipe.method.knobs).get("peft_type"))


def _reflected(recipe: Recipe, skeleton: Skeleton, numbers: Numbers) -> int:
    """HRA's chain of reflections of each target, a square matrix for each of them, and the weight that comes out."""
    from workbench.core.methods.peft import config_values

    values = config_values(recipe.method.knobs)
    rank = int({**values, **values["settings"]}.get("r") or RANKS["HRA"])
    names = {name for name, _ in recipe.method.facts.count(skeleton, recipe.method.knobs).by_module}
    results = 1 if numbers.autocast else 2  # without it the base's weight is cast to float32 too
    return numbers.adapter_input * sum(
        (rank + 1) * module.in_features**2 + results * module.in_features * module.out_features
        for module in skeleton.linear_layers
        if module.name in names
    )


def _norms_of(skeleton: Skeleton, names: set[str]) -> float:
    """Values a token that trained norms keep: what each is multiplied with."""
    return float(
        sum(module.parameters[0][1][0] for module in skeleton.modules if module.name in names and module.parameters)
    )


def _vera(targets: Sequence[Module], numbers: Numbers, rank: int, dropout: float) -> float:
    """What goes into each of the two scales; the matrices are frozen, so their inputs are not kept."""
    masks = sum(module.in_features for module in targets) if dropout else 0
    return masks + numbers.adapter_input * sum(rank + module.out_features for module in targets)


def _oft(targets: Sequence[Module], numbers: Numbers, rank: int, dropout: float) -> float:  # noqa: ARG001
    """The input that is turned, in the numbers of the rotation; the base is frozen, so the turned one is not kept."""
    return _low_rank(targets, numbers, 0, {}, 0.0, False)


def _miss(targets: Sequence[Module], numbers: Numbers, rank: int, dropout: float) -> float:
    """The sum of the input's slices, as long as the rank."""
    masks = sum(module.in_features for module in targets) if dropout else 0
    return masks + numbers.adapter_input * rank * len(targets)


COUNTED: dict[str, Callable[[Sequence[Module], Numbers, int, float], float]] = {
    "vera": _vera,
    "oft": _oft,
    "miss": _miss,
}

RANKS = {"LORA": 8, "VERA": 256, "MISS": 64, "HRA": 8}
"""Ranks that PEFT's configs have by default."""

KNOWN = (
    "LORA", "IA3", "VERA", "OFT", "MISS", "DELORA", "GRALORA", "PVERA", "HRA", "LN_TUNING", "TRAINABLE_TOKENS",
    "PROMPT_TUNING", "P_TUNING", "MULTITASK_PROMPT_TUNING", "CPT",
)  # fmt: skip
"""PEFT's kinds whose kept values are counted; of all others, each target's input is."""

FEED_FORWARD_OUTPUT = ("down_proj", "fc2", "dense_4h_to_h", "c_proj", "w2")


def _ia3(outputs: Sequence[Module], inputs: Sequence[Module], numbers: Numbers) -> float:
    """Outputs before they are scaled; inputs before they are scaled, in the factors' numbers (PEFT casts them)."""
    kept = numbers.activation * sum(one.out_features for one in outputs)
    return float(kept + numbers.trained * sum(one.in_features for one in inputs))


def _low_rank(
    targets: Sequence[Module], numbers: Numbers, rank: int, ranks: Mapping[str, int], dropout: float, dora: bool
) -> float:
    size = numbers.adapter_input
    # PEFT casts the input to the update's numbers, mixed precision to its own; a cast that changes nothing is none
    copies = numbers.trained != numbers.weight or (numbers.autocast and numbers.weight != numbers.activation)
    kept: set[tuple[int | None, str]] = set()
    total = 0.0
    for module in targets:
        total += size * ranks.get(module.leaf, rank)
        source = _input_of(module)
        if dora:  # both results, for the gradient of the magnitude
            total += (numbers.activation + size) * module.out_features
        if dropout:
            wide = numbers.weight if numbers.autocast else numbers.trained
            total += module.in_features * ((size if copies else wide) + 1)  # the thinned copy and its mask
        elif copies:
            total += size * module.in_features
        elif source is not None and (module.layer, source) not in kept:
            kept.add((module.layer, source))
            total += size * module.in_features
    return total


def _input_of(module: Module) -> str | None:
    """Which tensor a layer reads, so that readers of one tensor are counted once; None where it is kept anyway."""
    if in_attention(module):
        return None if module.leaf in ATTENTION_OUTPUT else "attention"
    return "feed-forward" if module.leaf in FEED_FORWARD_INPUT else module.name
