"""Silent traps of PEFT and bitsandbytes, each closed or said in a sentence."""

import json
import shutil

import pytest
import torch
from architectures import make
from peft import LoraConfig, PeftModel, get_peft_model
from proof import CLOSE, build, distance, fit, ids, load, logits, rate, recipe_for
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from workbench.core.errors import UserError
from workbench.core.recipe import recipe_from_mapping
from workbench.engine.four_bit import keep_one_kernel
from workbench.engine.methods import BUILDERS, penalty_of, refuse_training
from workbench.engine.methods.adalora import RankSchedule
from workbench.engine.methods.merging import fold_adapter
from workbench.engine.methods.stored import load_state, open_adapter, save_adapter, save_state
from workbench.engine.methods.switching import leaves_base_whole, switch_off
from workbench.engine.skeletons import build_skeleton


def trained(folder, method, **training):
    recipe = recipe_for(method, **training)
    model = build(folder, recipe)
    fit(model, recipe)
    return model


def test_pissa_is_saved_as_plain_lora_of_twice_the_rank_so_that_plain_peft_and_the_base_stay_right(models, tmp_path):
    folder = make(models, "llama")
    model = trained(folder, {"name": "lora", "start": "pissa", "rank": 4})
    save_adapter(model, tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["init_lora_weights"]) == (8, 32.0, True)
    again = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(folder), str(tmp_path)).eval()
    assert distance(logits(model), logits(again)) <= CLOSE
    with again.disable_adapter():
        assert distance(logits(AutoModelForCausalLM.from_pretrained(folder)), logits(again)) <= CLOSE


def test_pissa_by_chance_is_refused_because_it_would_not_come_back(models, tmp_path):
    path = tmp_path / "adapter_config.json"
    path.write_text(
        json.dumps({"peft_type": "LORA", "init_lora_weights": "pissa_niter_4", "target_modules": ["q_proj"]})
    )
    with pytest.raises(UserError, match="changes the base's own weights"):
        build(make(models, "llama"), recipe_from_mapping({"method": {"name": "lora"}}) and _peft_recipe(path))


def _peft_recipe(path):
    from workbench.engine.methods.any_peft import peft_config_from

    peft_config_from(json.loads(path.read_text()))
    return recipe_for({"name": "peft", "config": str(path)})


def test_merging_an_update_of_tied_embeddings_gives_the_same_logits(models):
    base = AutoModelForCausalLM.from_pretrained(make(models, "llama"))
    assert base.config.tie_word_embeddings
    model = get_peft_model(base, LoraConfig(target_modules=["embed_tokens"], task_type="CAUSAL_LM"))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.normal_()
    tuned = logits(model)
    assert distance(tuned, logits(fold_adapter(model))) <= CLOSE


def test_a_merged_bitfit_with_added_biases_comes_back_from_disk_with_them(models, tmp_path):
    folder = make(models, "llama")
    model = trained(folder, {"name": "bitfit", "add_missing": True})
    tuned = logits(model)
    fold_adapter(model).save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert again.config.attention_bias
    assert again.config.mlp_bias
    assert distance(tuned, logits(again)) <= CLOSE


def test_gradients_over_a_4_bit_base_survive_an_evaluation(models):
    recipe = recipe_for({"name": "qlora"})
    model = build(make(models, "llama"), recipe)
    logits(model)
    model.train()
    given = ids()
    model(input_ids=given, labels=given).loss.backward()
    assert any(float(one.grad.abs().sum()) > 0 for one in model.parameters() if one.requires_grad)


def test_no_4_bit_layer_may_use_the_kernel_without_a_gradient(models):
    import bitsandbytes

    model = load(make(models, "llama"), recipe_for({"name": "qlora"}))
    keep_one_kernel(model)
    layers = [one for one in model.modules() if isinstance(one, bitsandbytes.nn.Linear4bit)]
    assert layers
    assert not any(one.support_avx512bf16_for_cpu for one in layers)


@pytest.mark.parametrize("method", [{"name": "p-tuning"}, {"name": "prefix", "projection": True}])
def test_a_checkpoint_keeps_the_network_that_makes_the_prompt_and_the_adapter_only_what_it_made(
    method, models, tmp_path
):
    folder = make(models, "llama")
    model = trained(folder, method)
    save_adapter(model, tmp_path)
    save_state(model, tmp_path)
    assert set(load_file(tmp_path / "adapter_model.safetensors")) == {"prompt_embeddings"}
    fresh = build(folder, recipe_for(method))
    assert load_state(fresh, tmp_path)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert torch.equal(parameter, dict(fresh.named_parameters())[name])


@pytest.mark.parametrize("name", ["houlsby", "pfeiffer", "parallel", "bitfit"])
def test_rows_of_one_batch_get_their_own_adapter_from_our_tuners(name, models):
    folder = make(models, "llama")
    method = {"name": name, **({"add_missing": True} if name == "bitfit" else {})}
    model = trained(folder, method)
    tuned, base = logits(model), logits(load(folder, recipe_for(method)))
    model.eval()
    with torch.no_grad():
        mixed = model(input_ids=ids(), adapter_names=["__base__", "default"] * 2).logits
    assert distance(base[0::2], mixed[0::2]) <= CLOSE < distance(tuned, base)
    assert distance(tuned[1::2], mixed[1::2]) <= CLOSE


def test_a_failed_mixed_pass_leaves_nothing_behind(models):
    folder = make(models, "llama")
    model = trained(folder, {"name": "houlsby"})
    before = logits(model)
    with pytest.raises(Exception):  # noqa: B017
        model(input_ids=torch.full((2, 3), 10**6), adapter_names=["__base__", "default"])
    assert torch.equal(before, logits(model))


def test_an_adapter_with_a_tensor_missing_is_refused_not_filled_with_chance(models, tmp_path):
    folder = make(models, "llama")
    save_adapter(trained(folder, {"name": "houlsby"}), tmp_path)
    file = tmp_path / "adapter_model.safetensors"
    tensors = load_file(file)
    tensors.pop(sorted(tensors)[0])
    save_file(tensors, file)
    with pytest.raises(UserError, match="1 tensors have no counterpart"):
        open_adapter(AutoModelForCausalLM.from_pretrained(folder), tmp_path)


def test_an_adapter_of_another_model_is_refused(models, tmp_path):
    save_adapter(trained(make(models, "llama"), {"name": "lora"}), tmp_path)
    with pytest.raises(UserError, match="does not fit the base model"):
        open_adapter(AutoModelForCausalLM.from_pretrained(make(models, "gpt2")), tmp_path)


def test_an_adapter_opens_under_another_name_with_its_own_weights(models, tmp_path):
    folder = make(models, "llama")
    model = trained(folder, {"name": "pfeiffer"})
    save_adapter(model, tmp_path)
    other = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(folder), str(tmp_path), adapter_name="other")
    assert distance(logits(model), logits(other)) <= CLOSE


def test_adalora_takes_ranks_away_down_to_its_budget(models):
    folder = make(models, "llama")
    model = trained(folder, {"name": "adalora", "start_rank": 12, "rank": 4})
    pattern = model.peft_config["default"].rank_pattern
    assert sum(sum(kept) for kept in pattern.values()) == 4 * len(pattern)


def test_adaloras_counts_of_ranks_are_not_trained_over_a_16_bit_base(models):
    recipe = recipe_for({"name": "adalora"})
    base = AutoModelForCausalLM.from_pretrained(models / "llama", dtype=torch.bfloat16)
    built = BUILDERS["adalora"](base, recipe, build_skeleton(models / "llama"))
    counts = [one for name, one in built.named_parameters() if ".ranknum." in name]
    assert counts
    assert not any(one.requires_grad for one in counts)


def test_adalora_in_too_short_a_run_says_so(models):
    model = build(make(models, "llama"), recipe_for({"name": "adalora"}))

    class Short:
        max_steps = 2

    with pytest.raises(UserError, match="needs more steps than 2"):
        RankSchedule(model, {"begin": 0.1, "settle": 0.3}).on_train_begin(None, Short, None)


def test_prefix_tuning_refuses_gradient_checkpointing_and_prompts_refuse_packed_rows():
    with pytest.raises(UserError, match="gradient checkpointing"):
        refuse_training(recipe_for({"name": "prefix"}, gradient_checkpointing=True))
    for name in ("prompt", "prefix", "p-tuning"):
        recipe = recipe_from_mapping({"method": {"name": name}, "data": {"packing": True}})
        with pytest.raises(UserError, match=r"data\.packing cannot be true"):
            refuse_training(recipe)


@pytest.mark.parametrize("kind", ["PREFIX_TUNING", "CARTRIDGE", "PROMPT_TUNING"])
def test_pefts_kinds_with_virtual_tokens_refuse_what_ours_refuse(kind):
    method = {"name": "peft", "kind": kind, "settings": {"num_virtual_tokens": 4}}
    with pytest.raises(UserError, match=r"data\.packing cannot be true"):
        refuse_training(recipe_from_mapping({"method": method, "data": {"packing": True}}))
    recipe = recipe_for(method, gradient_checkpointing=True)
    if kind == "PROMPT_TUNING":
        refuse_training(recipe)
        return
    with pytest.raises(UserError, match="gradient checkpointing"):
        refuse_training(recipe)


def test_pefts_kinds_without_virtual_tokens_take_packed_rows_and_gradient_checkpointing():
    method = {"name": "peft", "kind": "LOHA"}
    values = {"method": method, "data": {"packing": True}, "training": {"gradient_checkpointing": True}}
    refuse_training(recipe_from_mapping(values))


@pytest.mark.parametrize(
    "settings", [{"kasa_config": {}}, {"bias": "all"}, {"init_lora_weights": "olora"}], ids=lambda one: next(iter(one))
)
def test_a_config_of_lora_that_takes_something_out_of_the_base_is_refused(settings, models):
    method = {"name": "peft", "kind": "LORA", "settings": settings}
    with pytest.raises(UserError, match="changes the base's own weights"):
        build(make(models, "llama"), recipe_for(method))


def test_modules_that_the_model_has_not_are_refused_with_those_that_it_has(models):
    with pytest.raises(UserError, match=r"method\.targets cannot be 'c_attn'.*q_proj"):
        build(make(models, "llama"), recipe_for({"name": "lora", "targets": "c_attn"}))


def test_prompts_start_as_the_words_that_are_asked_for(models, tmp_path):
    from workbench.core.data.tokens.tokenizer import open_tokenizer
    from workbench.core.places import tiny_folder

    folder = shutil.copytree(tiny_folder(), tmp_path / "model")
    model = build(folder, recipe_for({"name": "prompt", "virtual_tokens": 4, "start": "text", "text": "The capital"}))
    tokens = list(open_tokenizer(folder).encode("The capital")[0])
    wanted = model.word_embeddings(torch.tensor((tokens * 4)[:4]))
    assert torch.equal(model.prompt_encoder["default"].embedding.weight, wanted)


def test_a_prefix_starts_as_what_the_base_makes_of_the_words_that_are_asked_for(models, tmp_path):
    from workbench.core.data.tokens.tokenizer import open_tokenizer
    from workbench.core.places import tiny_folder

    folder = shutil.copytree(tiny_folder(), tmp_path / "model")
    method = {"name": "prefix", "virtual_tokens": 4, "start": "text", "text": "The capital of France"}
    model = build(folder, recipe_for(method)).eval()
    words = list(open_tokenizer(folder).encode("The capital of France")[0])[:4]
    asked = [7, 9, 11]
    with torch.no_grad():
        behind = model(input_ids=torch.tensor([asked])).logits
        read = load(folder, recipe_for({"name": "lora"}))(input_ids=torch.tensor([words + asked])).logits[:, 4:]
    assert len(words) == 4
    assert distance(read, behind) <= CLOSE
    by_chance = build(folder, recipe_for({**method, "start": "random"})).eval()
    assert distance(read, logits_of(by_chance, asked)) > 0.01


@torch.no_grad()
def logits_of(model, asked):
    return model(input_ids=torch.tensor([asked])).logits


def test_adalora_shows_the_loss_of_the_text_and_trains_on_its_penalty_beside(models):
    folder = make(models, "llama")
    plain = build(folder, recipe_for({"name": "lora"}))
    model = build(folder, recipe_for({"name": "adalora"}))
    given = ids()
    assert float(model(input_ids=given, labels=given).loss) == float(plain(input_ids=given, labels=given).loss)
    penalty = penalty_of(model)
    assert float(penalty) > 1.0
    whole = super(type(model.base_model), model.base_model).forward(input_ids=given, labels=given).loss
    assert torch.isclose(whole, plain(input_ids=given, labels=given).loss + penalty)
    penalty.backward()
    assert any(float(one.grad.abs().sum()) > 0 for one in model.parameters() if one.grad is not None)
    assert penalty_of(plain) is None
    assert penalty_of(build(folder, recipe_for({"name": "adalora", "orthogonality": 0.0}))) is None


def test_lora_plus_lets_b_learn_faster_than_a(models):
    recipe = recipe_for({"name": "lora", "plus": 16.0})
    model = build(make(models, "llama"), recipe)
    _, optimizer = fit(model, recipe, steps=1)
    rates = {
        name: group["lr"]
        for group in optimizer.param_groups
        for one in group["params"]
        for name, other in model.named_parameters()
        if other is one
    }
    assert {rates[name] for name in rates if "lora_B" in name} == {16 * rate(model, recipe)}
    assert {rates[name] for name in rates if "lora_A" in name} == {rate(model, recipe)}


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_loftq_starts_nearer_to_the_whole_base_than_plain_qlora(architecture, models):
    folder = make(models, architecture)
    whole = logits(AutoModelForCausalLM.from_pretrained(folder))
    plain = distance(whole, logits(build(folder, recipe_for({"name": "qlora"}))))
    started = build(folder, recipe_for({"name": "qlora", "loftq": True, "rank": 16}))
    assert distance(whole, logits(started)) < 0.8 * plain
    assert leaves_base_whole(started)
    switch_off(started)
    assert distance(logits(load(folder, recipe_for({"name": "qlora"}))), logits(started)) <= CLOSE


def test_a_base_in_nf4_with_double_quantisation_takes_0_5159_bytes_a_parameter(tmp_path):
    import bitsandbytes
    from transformers import LlamaConfig

    from workbench.core.models.stored import of_bitsandbytes

    shape = {"hidden_size": 512, "intermediate_size": 512, "num_hidden_layers": 1, "num_attention_heads": 4}
    AutoModelForCausalLM.from_config(LlamaConfig(vocab_size=64, **shape)).save_pretrained(tmp_path)
    for double, expected in ((True, 0.5159), (False, 0.5625)):
        model = load(tmp_path, recipe_for({"name": "qlora", "double_quantisation": double}))
        layers = [one for one in model.modules() if isinstance(one, bitsandbytes.nn.Linear4bit)]
        assert len(layers) == 7
        parameters = sum(one.in_features * one.out_features for one in layers)
        held = 0
        for one in layers:
            state = one.weight.quant_state
            parts = [one.weight.data, state.absmax, *([state.state2.absmax] if double else [])]
            held += sum(part.numel() * part.element_size() for part in parts)
        assert held / parameters == pytest.approx(of_bitsandbytes("nf4", double).each, rel=1e-9)
        assert held / parameters == pytest.approx(expected, abs=5e-5)
