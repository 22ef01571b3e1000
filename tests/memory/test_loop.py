"""Other trainers' loops: what they change is the same in both tiers, and a wrong word is refused."""

import pytest
from asking import recipe_for

from workbench.core.errors import UserError
from workbench.core.memory.device import Device
from workbench.core.memory.estimate import estimate_memory
from workbench.core.memory.loop import Loop, parse_loop
from workbench.core.memory.row_shape import RowShape
from workbench.engine.skeletons import build_skeleton

GPU = Device("cuda", "a GPU", 80 * 2**30, 79 * 2**30)
CHECKPOINTED = {"gradient_checkpointing": True}

LOOPS = [
    ({"name": "full"}, {"autocast": False}, {"for_each": True}),
    ({"name": "lora"}, {"autocast": False}, {"keeps_outputs": True, "every_logit": True}),
    ({"name": "lora"}, {}, {"chunk": 256}),
    ({"name": "lora"}, {"autocast": False}, {"adapters": "base"}),
    ({"name": "lora"}, {"batch": 2}, {"masked": False}),
]
SLOW = [
    ({"name": "full"}, {}, {"chunk": 256}),
    ({"name": "lora"}, CHECKPOINTED, {"chunk": 64}),
    ({"name": "lora"}, {}, {"adapters": "base"}),
    ({"name": "qlora"}, {}, {"adapters": "base"}),
    ({"name": "ia3"}, {}, {"adapters": "base"}),
    ({"name": "qlora"}, {}, {"kbit": True}),
    ({"name": "qlora"}, CHECKPOINTED, {"kbit": True}),
    ({"name": "qlora"}, {**CHECKPOINTED, "autocast": False}, {"kbit": True}),
]


@pytest.mark.parametrize(
    ("method", "settings", "loop"), [*LOOPS, *(pytest.param(*one, marks=pytest.mark.slow) for one in SLOW)]
)
def test_another_trainers_loop_is_counted_alike_by_formula_and_trace(method, settings, loop, models, peak_of):
    recipe, rows = recipe_for(models / "llama", method, 1024, **settings), RowShape(1024, 1024)
    closed = estimate_memory(recipe, build_skeleton(models / "llama"), GPU, rows, Loop(**loop))
    ours = estimate_memory(recipe, build_skeleton(models / "llama"), GPU, rows)
    assert closed.allocated == pytest.approx(peak_of(recipe, rows, loop=loop)["allocated"], rel=0.04)
    assert closed.moments != ours.moments
    assert closed.allocated == max(closed.moments.values())


def test_a_cache_that_goes_with_kept_outputs_is_there_until_the_loss(models, peak_of):
    """Grouped keys and values under a mask are copied for every head: the cache is beside those copies."""
    recipe, rows = recipe_for(models / "llama", {"name": "lora"}, 512, 2, autocast=False), RowShape(512, 512)
    held = {"keeps_outputs": True, "every_logit": True}
    without, cached = (peak_of(recipe, rows, loop={**held, "caches": one})["allocated"] for one in (False, True))
    layers, size, tokens, width = 4, 2, 2 * 512, 2 * 32
    assert cached - without == 2 * layers * tokens * width * size


def test_a_batch_behind_an_emptied_cache_finds_states_and_no_segments_of_other_batches(models, peak_of):
    recipe, rows = recipe_for(models / "llama", {"name": "full"}, 512, autocast=False), RowShape(512, 512)
    held = {"keeps_outputs": True, "every_logit": True, "for_each": True}
    usual, emptied = (peak_of(recipe, rows, loop={**held, "emptied": one}) for one in (False, True))
    assert emptied["parts"]["optimizer"] == usual["parts"]["optimizer"] > 0
    assert emptied["allocated"] <= usual["allocated"]
    assert emptied["allocated"] <= emptied["reserved"] <= usual["reserved"]


def test_a_loop_is_read_as_it_is_typed_and_what_it_does_not_have_is_refused():
    assert parse_loop(["for_each=true", "chunk=1024", "adapters=base"]) == Loop(
        for_each=True, chunk=1024, adapters="base"
    )
    for word in ("speed=9", "chunk=-1", "kbit=much", "adapters=float8", "for_each"):
        with pytest.raises(UserError):
            parse_loop([word])
    recipe = recipe_for("tiny", {"name": "lora"}, 64)
    from workbench.core.memory.families import LLAMA_3, skeleton_of_sizes

    with pytest.raises(UserError, match="for a base that bitsandbytes quantises"):
        estimate_memory(recipe, skeleton_of_sizes(LLAMA_3[0], "llama"), GPU, None, Loop(kbit=True))
