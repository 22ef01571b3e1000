"""The figures in the lessons, worked out from the model, the recipe and the followed run at hand."""

from __future__ import annotations

import math

from workbench.core.errors import UserError
from workbench.core.memory.device import Device
from workbench.core.memory.estimate import estimate_memory
from workbench.core.methods import METHODS
from workbench.core.methods.targets import target_modules
from workbench.core.models.skeleton import Module, Skeleton
from workbench.core.models.stored import BLOCK, OUTER_BLOCK, of_bitsandbytes
from workbench.core.recipe import Recipe, change_recipe
from workbench.core.runs.view import RunView
from workbench.core.words import count_text, loss_text, share_text, size_text

ADAM = 4 + 4 + 8
"""Bytes a parameter that AdamW trains in float32: the weight, its gradient, and two states."""

LARGE = 7_000_000_000
"""Parameters of the larger model that the lessons compare with."""


def lesson_figures(
    recipe: Recipe, skeleton: Skeleton, device: Device, view: RunView | None = None, run: str = ""
) -> dict[str, str]:
    """Every figure that a lesson may name, as text.

    `skeleton` is the recipe's base model; `view` and `run` the followed run, if any.
    """
    return {
        **_model_figures(recipe, skeleton),
        **_lora_figures(recipe, skeleton),
        **_quantised_figures(skeleton),
        **_memory_figures(recipe, skeleton, device),
        **_training_figures(recipe, skeleton),
        **_run_figures(view or RunView(), run),
    }


def _model_figures(recipe: Recipe, skeleton: Skeleton) -> dict[str, str]:
    return {
        "model": recipe.model.path,
        "model_type": skeleton.model_type,
        "total_parameters": count_text(skeleton.total_parameters),
        "layers": count_text(skeleton.layers),
        "hidden_size": count_text(skeleton.hidden_size),
        "vocabulary": count_text(skeleton.vocabulary),
        "linear_layers": count_text(len(skeleton.linear_layers)),
        "guess_loss": f"{math.log(skeleton.vocabulary):.2f}",
        "guess_share": share_text(1 / skeleton.vocabulary),
    }


def _lora_figures(recipe: Recipe, skeleton: Skeleton) -> dict[str, str]:
    """r·(in + out) worked on the widest target matrix, and summed over all targets."""
    knobs = recipe.method.knobs
    targets: tuple[Module, ...]
    try:
        targets = target_modules(skeleton, str(knobs.get("targets", "all-linear")))
    except UserError:
        targets = skeleton.linear_layers
    widest = max(targets, key=lambda module: module.in_features * module.out_features)
    least = min(min(module.in_features, module.out_features) for module in targets)
    rank = min(int(knobs.get("rank", METHODS["lora"].knobs().rank)), least)
    alpha = float(knobs.get("alpha", METHODS["lora"].knobs().alpha))
    inside, outside = widest.in_features, widest.out_features
    trained = sum(rank * (module.in_features + module.out_features) for module in targets)
    return {
        "rank": count_text(rank),
        "double_rank": count_text(2 * rank),
        "alpha": f"{alpha:g}",
        "scale": f"{alpha / rank:g}",
        "matrix": widest.leaf,
        "matrix_in": count_text(inside),
        "matrix_out": count_text(outside),
        "matrix_size": count_text(inside * outside),
        "matrix_lora": count_text(rank * (inside + outside)),
        "matrix_saving": f"{inside * outside / (rank * (inside + outside)):.1f}",
        "targets": count_text(len(targets)),
        "lora_parameters": count_text(trained),
        "lora_share": share_text(trained / (skeleton.total_parameters + trained)),
        "lora_bytes": size_text(4 * trained),
        "full_bytes": size_text(4 * skeleton.total_parameters),
    }


def _quantised_figures(skeleton: Skeleton) -> dict[str, str]:
    """Bytes a parameter of NF4 in blocks, with and without double quantisation (QLoRA, section 3)."""
    double = of_bitsandbytes("nf4", True).each
    plain = of_bitsandbytes("nf4", False).each
    matrices = sum(module.in_features * module.out_features for module in skeleton.linear_layers)
    return {
        "block": count_text(BLOCK),
        "outer_block": count_text(OUTER_BLOCK),
        "nf4_bytes": f"{double:.4f}",
        "nf4_bits": f"{8 * double:.3f}",
        "nf4_plain_bytes": f"{plain:.4f}",
        "double_saves_bits": f"{8 * (plain - double):.3f}",
        "nf4_factor": f"{2 / double:.2f}",
        "linear_parameters": count_text(matrices),
        "linear_16_bit": size_text(2 * matrices),
        "linear_nf4": size_text(matrices * double),
        "large": f"{LARGE / 1e9:g} billion",
        "large_16_bit": size_text(2 * LARGE),
        "large_nf4": size_text(LARGE * double),
    }


def _memory_figures(recipe: Recipe, skeleton: Skeleton, device: Device) -> dict[str, str]:
    figures = {
        "device": device.name,
        "device_total": size_text(device.total),
        "adam_bytes": str(ADAM),
        "full_states": size_text(ADAM * skeleton.total_parameters),
        "large_full": size_text(ADAM * LARGE),
    }
    for name in ("full", "lora"):
        other = recipe if recipe.method.name == name else change_recipe(recipe, {"method.name": name})
        try:
            estimate = estimate_memory(other, skeleton, device)
        except UserError:
            figures[f"{name}_peak"] = figures[f"{name}_optimizer"] = "–"
            continue
        figures[f"{name}_peak"] = size_text(estimate.allocated)
        figures[f"{name}_optimizer"] = size_text(estimate.parts["optimizer"])
    return figures


def _training_figures(recipe: Recipe, skeleton: Skeleton) -> dict[str, str]:
    held_out = recipe.data.held_out
    return {
        "data": recipe.data.source,
        "held_out": f"the file {held_out}" if isinstance(held_out, str) else f"{held_out * 100:g}% of the rows",
        "score_rows": count_text(recipe.training.score_rows),
        "score_point": share_text(1 / recipe.training.score_rows) if recipe.training.score_rows else "nothing",
        "evaluate_every": count_text(recipe.training.evaluate_every),
        "learning_rate": f"{recipe.learning_rate_on(skeleton):g}",
        "effective_batch": count_text(recipe.training.effective_batch),
        "full_rate": f"{METHODS['full'].rate_on(skeleton):g}",
        "lora_rate": f"{METHODS['lora'].rate_on(skeleton):g}",
        "train_on": recipe.data.train_on.replace("_", " "),
    }


def _run_figures(view: RunView, run: str) -> dict[str, str]:
    """What the followed run says, in sentences that also make sense where there is none."""
    if view.base_loss is None or view.held_out_loss is None:
        told = "Start a run, and this lesson shows its figures here."
        return {"run_losses": told, "run_scores": told, "run_perplexity": told}
    base, tuned = view.base_loss, view.held_out_loss
    losses = f"In your run {run} the held-out loss is {loss_text(tuned)}; the base had {loss_text(base)}."
    perplexity = (
        f"In your run {run}, the base hesitates between {math.exp(min(base, 20)):.1f} tokens at each trained place of "
        f"the held-out rows, the tuned model between {math.exp(min(tuned, 20)):.1f}."
    )
    if view.base_score is None or view.score is None:
        scores = "Your run has not answered any held-out question yet."
    else:
        scores = (
            f"In your run {run} the base answers {share_text(view.base_score)} of {view.scored} held-out questions "
            f"exactly right, the tuned model {share_text(view.score)}."
        )
    return {"run_losses": losses, "run_scores": scores, "run_perplexity": perplexity}
