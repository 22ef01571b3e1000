"""A whole micro-batch's passes, layer by layer: what is kept at the loss, and the most that the backward pass takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workbench.core.memory.blocks import CAPPED, UNQUANTISED, Block, block_of
from workbench.core.memory.decoders import Layer, run_layer
from workbench.core.memory.loop import Loop
from workbench.core.memory.numbers import Numbers
from workbench.core.memory.pieces import FLOAT, Rows, norm
from workbench.core.memory.placing import Placed, place
from workbench.core.memory.states import base_storage
from workbench.core.memory.tape import Backward, Piece, Tensor
from workbench.core.memory.wraps import Base
from workbench.core.models.skeleton import Module, Skeleton
from workbench.core.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Passes:
    """What the passes of one micro-batch take, in bytes, beside what stays for the whole run."""

    kept: int
    """What waits for the backward pass when the loss is computed, logits left out."""
    passing: int
    """What the forward pass alone holds on to until the loss is there, logits left out."""
    head: int
    """The most while the output layer is gone back through, gradients of parameters among it."""
    layers: int
    """The most while a layer is gone back through, gradients of parameters among it."""
    end: int
    """The gradient of what the embedding gives, where that is trained, and where it is tied a second one."""
    places: int
    """Tokens that get logits, of all rows: the trained ones, unless the loop wants all."""
    logit: int
    """Bytes a logit."""
    cache: int
    """What a cache of keys and values holds beside, where the model gives one out."""


@dataclass(frozen=True, slots=True)
class _Done:
    """One layer, gone forth and back through."""

    kept: int
    """Until the backward pass; with checkpointing, beside the layer's input."""
    passing: int
    """What the forward pass alone holds on to."""
    cache: int
    """What a cache of keys and values holds beside."""
    backward: Backward
    reads: int
    """Bytes a value of what it reads."""
    width: int
    """Bytes a value of what it gives."""
    grad: bool


def run_passes(
    recipe: Recipe, skeleton: Skeleton, numbers: Numbers, row: int, loop: Loop, trained: int, masked: bool
) -> Passes:
    """The passes over rows of `row` tokens, `trained` of them trained on. `masked`: whether attention has a mask."""
    placed, block = place(recipe, skeleton), block_of(skeleton)
    batch = recipe.training.micro_batch
    places = row + placed.virtual if loop.every_logit else max(1, min(trained, row - 1))
    rows = Rows(batch, row + placed.virtual, row + placed.virtual + placed.prefix)
    full = recipe.method.name == "full"
    stored = base_storage(recipe, skeleton)
    if stored is not None and stored.by_bitsandbytes and skeleton.model_type in UNQUANTISED:
        stored = None
    base = Base(numbers, stored, skeleton.output_layer, full, placed.biases)
    checkpointing = recipe.training.gradient_checkpointing
    accumulated = recipe.accumulation > 1
    plain = recipe.model.attention == "eager" or block.plain
    early = placed.early or checkpointing  # Transformers has the embedding's output require a gradient with it
    caches = loop.caches and not checkpointing  # which Transformers then leaves out
    done = _layers(recipe, skeleton, block, base, placed, rows, masked, early, caches)
    inputs = [rows.tokens * skeleton.hidden_size * one.reads for one in done]
    width, grad = (done[-1].width, done[-1].grad) if done else (numbers.weight, early)
    tail, head = _tail(skeleton, block, base, placed, rows, width, grad, batch * places, accumulated)
    alone = 1 if recipe.data.packing is True else batch  # of packed rows the mask is made from their places
    shared = _shared(skeleton, block, numbers, rows, alone if (masked or plain) and checkpointing else 0, plain)
    if early and block.thins_embedding:
        shared += rows.tokens * skeleton.hidden_size * (1 if numbers.device == "cuda" else numbers.weight)
    if checkpointing and not full and (block.learned_positions or placed.virtual):
        shared += inputs[0]  # the embedding's output, which is a leaf of the graph then
    kept = shared + (sum(inputs) if checkpointing else 0) + sum(one.kept for one in done)
    now, highest = kept, 0
    vocabulary = skeleton.vocabulary * skeleton.hidden_size * numbers.trained
    tied = full and skeleton.tied
    grown = vocabulary if tied else tail[1].grown  # of a tied weight the first gradient waits for the second
    for one, given in zip(reversed(done), reversed(inputs), strict=True):
        now -= one.kept + (given if checkpointing else 0)  # a layer that is computed again keeps what it reads itself
        highest = max(highest, now + grown + one.backward.peak)
        grown += one.backward.grown
    end = 0
    if full:
        beside = vocabulary * (int(tied) + int(accumulated))
        summed = tied and not (numbers.autocast and numbers.weight == FLOAT)  # a view, to which nothing is added
        end = max(inputs[0] + beside, beside + (vocabulary if summed else 0))
    elif early:
        end = inputs[0] + (vocabulary if placed.tokens else 0)
    passing = sum(one.passing for one in done) + tail[2]
    cache = sum(one.cache for one in done)
    return Passes(kept + tail[0], passing, kept + tail[1].peak, highest, end, batch * places, head, cache)


def _layers(
    recipe: Recipe, skeleton: Skeleton, block: Block, base: Base, placed: Placed, rows: Rows, masked: bool, early: bool,
    caches: bool,
) -> list[_Done]:  # fmt: skip
    """Every layer, gone forth and back through; layers that are alike are done once."""
    width, grad = base.numbers.weight, early
    eager, accumulated = recipe.model.attention == "eager", recipe.accumulation > 1
    modules_of: dict[int | None, list[Module]] = {}
    for module in skeleton.linear_layers:
        modules_of.setdefault(module.layer, []).append(module)
    sites_of: dict[int | None, dict[str, Mapping[str, Any]]] = {}
    for name, settings in placed.sites.items():
        sites_of.setdefault(Module(f"{name}.", "", ()).layer, {})[name] = settings
    done: list[_Done] = []
    known: dict[object, _Done] = {}
    for number in range(skeleton.layers):
        modules, sites = modules_of.get(number, []), sites_of.get(number, {})
        prompt = placed.prompts if number >= skeleton.layers - placed.prompted else 0
        windowed = _windowed(skeleton, number, rows)
        shapes = tuple(
            (one.leaf, one.in_features, one.out_features, one.name in placed.around, one.name in sites)
            for one in modules
        )
        key = (shapes, len(sites), prompt, width, grad, windowed)
        if key not in known:
            layer = Layer(
                skeleton, block, base, rows, masked or windowed, eager, tuple(modules), placed.around, sites,
                placed.beside, placed.norms, caches, prompt,
            )  # fmt: skip
            known[key] = _run(layer, width, grad, recipe.training.gradient_checkpointing, accumulated)
        done.append(known[key])
        width, grad = known[key].width, known[key].grad
    return done


def _run(layer: Layer, width: int, grad: bool, checkpointing: bool, accumulated: bool) -> _Done:
    """A layer. What stands behind it is not computed again with checkpointing, and is kept."""
    count = layer.rows.tokens * layer.skeleton.hidden_size
    tape = layer.base.tape()
    hidden = Tensor(count, width, grad, Piece(count * width))
    result = run_layer(tape, layer, hidden)
    behind = next((one for name, one in layer.sites.items() if name.rpartition(".")[2].isdigit()), None)
    outer, kept, back = layer.base.tape(), 0, Backward(0, 0)
    if behind is not None and not checkpointing:
        result = layer.adapted(tape, behind, result, result)
    elif behind is not None:
        given = Tensor(count, result.width, result.grad, Piece(count * result.width))
        result = layer.adapted(outer, behind, given, given)
        kept, back = outer.kept(), outer.backward(result, accumulated)
    passing = tape.passing(checkpointing) + outer.passing(False)
    tape.ahead += hidden.size if checkpointing and tape.ahead else 0
    inside = tape.backward(result, accumulated) if tape.nodes else Backward(0, 0)
    both = Backward(max(inside.peak, back.peak), inside.grown + back.grown)
    return _Done(kept if checkpointing else tape.kept(), passing, tape.cache(), both, width, result.width, result.grad)


def _tail(
    skeleton: Skeleton, block: Block, base: Base, placed: Placed, rows: Rows, width: int, grad: bool, places: int,
    accumulated: bool,
) -> tuple[tuple[int, Backward, int], int]:  # fmt: skip
    """The last norm and the output layer: what they keep, the way back, what passes, and bytes a logit."""
    tape, hidden, numbers = base.tape(), skeleton.hidden_size, base.numbers
    given = Tensor(rows.tokens * hidden, width, grad, Piece(rows.tokens * hidden * width))
    trained = base.trained or placed.norms or (base.biases and block.norm == "native")
    normed = norm(tape, block.norm, given, rows.tokens, trained)
    chosen = tape.copy(normed, places * hidden)
    held = numbers.weight
    weight = tape.parameter(skeleton.vocabulary * hidden, held, base.trained)
    logits = tape.product(chosen, weight, places * skeleton.vocabulary)
    extra = logits.size if skeleton.model_type in CAPPED else 0
    tape.held += [normed.piece, chosen.piece]
    return (tape.kept() + extra, tape.backward(logits, accumulated), tape.passing(False)), logits.width


def _shared(skeleton: Skeleton, block: Block, numbers: Numbers, rows: Rows, masks: int, plain: bool) -> int:
    """What all layers read: tables of rotary positions, and so many masks."""
    total = 2 * rows.length * skeleton.head_dim * numbers.weight if block.rotates else 0
    return total + masks * (numbers.weight if plain else 1) * rows.length * rows.keys


def _windowed(skeleton: Skeleton, number: int, rows: Rows) -> bool:
    """Whether a layer's window is shorter than the rows, which takes a mask."""
    within = not skeleton.windowed or number in skeleton.windowed
    return within and 0 < skeleton.window <= rows.keys
