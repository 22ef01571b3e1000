"""Models of a person's own, made into folders that the whole program can read."""

from __future__ import annotations

import http.server
import json
import re
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gguf
import huggingface_hub.constants
import numpy as np
import pytest
import torch
from made_runs import load_tiny, names_in
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, Qwen3Config, Qwen3ForCausalLM

from workbench.core.data.tokens.tokenizer import open_tokenizer
from workbench.core.errors import UserError
from workbench.core.models.ready import cached_skeleton, ready_folder
from workbench.core.places import find_workspace, tiny_folder
from workbench.core.recipe import ModelSection
from workbench.engine.gguf.config import llama3_divisors
from workbench.engine.gguf.header import read_header
from workbench.engine.prepare import model_skeleton, prepare_model

TEXTS = (
    "Hello, world! 12345", "In 1999 there were 3.14159 of them", "naïve café 日本語", "a\r\nb\t\tc   d", "10 + 27 = 37",
    "<|user|> hi<|assistant|> yes<|endoftext|>", "don't WE'VE 1st 2nd", "x1y22z333",
)  # fmt: skip
IDS = torch.tensor([[3, 342, 266, 271, 289, 268, 1556, 36, 204, 4]])
LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}  # fmt: skip


@pytest.fixture
def workspace(tmp_path):
    return find_workspace(tmp_path / "workspace")


def quietly(text):
    pass


def permuted(weight, heads):
    """Llama's query and key rows as llama.cpp wants them: rotary pairs side by side."""
    return (
        weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)
    )


def write_gguf(model, file, pre="smollm", parts=0):
    """A GGUF file in float32 of a Llama or Qwen3 model with tiny's tokenizer, as llama.cpp's converter writes it."""
    config = model.config
    kind = {"llama": gguf.MODEL_ARCH.LLAMA, "qwen3": gguf.MODEL_ARCH.QWEN3}[config.model_type]
    names = gguf.get_tensor_name_map(kind, config.num_hidden_layers)
    writer = gguf.GGUFWriter(file, gguf.MODEL_ARCH_NAMES[kind])
    writer.add_name("made here")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_key_length(config.head_dim)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    if config.rope_parameters["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(config.rope_parameters["factor"])
    if parts:
        writer.add_uint16("split.count", parts)
    tokenizer = json.loads((tiny_folder() / "tokenizer.json").read_text())
    words = sorted(tokenizer["model"]["vocab"].items(), key=lambda item: item[1])
    added = {item["id"]: item["content"] for item in tokenizer["added_tokens"]}
    tokens = {**{number: word for word, number in words}, **added}
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list([tokens[number] for number in range(config.vocab_size)])
    writer.add_token_types([3 if number in added else 1 for number in range(config.vocab_size)])
    merges = tokenizer["model"]["merges"]
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    writer.add_eot_token_id(5)
    writer.add_pad_token_id(1)
    writer.add_add_bos_token(False)
    writer.add_chat_template((tiny_folder() / "chat_template.jinja").read_text())
    if config.rope_parameters["rope_type"] == "llama3":
        divisors = llama3_divisors(config.rope_parameters, config.rope_parameters["rope_theta"], config.head_dim // 2)
        writer.add_tensor("rope_freqs.weight", divisors.astype(np.float32))
    for key, weight in model.state_dict().items():
        if key == "lm_head.weight" and config.tie_word_embeddings:
            continue
        values = weight.float().numpy()
        if kind == gguf.MODEL_ARCH.LLAMA and key.endswith("q_proj.weight"):
            values = permuted(values, config.num_attention_heads)
        if kind == gguf.MODEL_ARCH.LLAMA and key.endswith("k_proj.weight"):
            values = permuted(values, config.num_key_value_heads)
        writer.add_tensor(names.get_name(key, try_suffixes=(".weight",)), np.ascontiguousarray(values))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def test_a_gguf_file_is_estimated_and_traced_by_its_header(tmp_path):
    model = load_tiny()
    file = write_gguf(model, tmp_path / "made.gguf")
    words = ("--model", str(file), "--method", "lora", "--card", "rtx 4090", "--trace", "--json",
             "--set", "training.micro_batch=1", "--set", "training.effective_batch=1")  # fmt: skip
    command = [sys.executable, "-m", "workbench", "--workspace", str(tmp_path / "workspace"), "estimate", *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout)
    base = sum(weight.numel() for weight in {id(one): one for one in model.parameters()}.values())
    assert said["total_parameters"] - said["trainable_parameters"] == base
    assert said["memory"]["weights"] == 2 * base
    assert abs(said["traced"]["difference"]) <= 0.03 and said["doubt"] is None


def small(kind, **more):
    torch.manual_seed(0)
    size = {
        "vocab_size": 3072, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512,
    }  # fmt: skip
    config, model = {"llama": (LlamaConfig, LlamaForCausalLM), "qwen3": (Qwen3Config, Qwen3ForCausalLM)}[kind]
    return model(config(**{**size, **more})).eval()


@torch.no_grad()
def logits(model):
    return model(IDS).logits


def prepared_logits(folder):
    return logits(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval())


def test_a_gguf_file_becomes_the_model_that_it_was_made_from(workspace, tmp_path):
    tiny = load_tiny()
    section = ModelSection(str(write_gguf(tiny, tmp_path / "tiny.gguf")))
    assert ready_folder(section, workspace) is None
    told = []
    folder = prepare_model(section, workspace, told.append)
    assert torch.equal(prepared_logits(folder), logits(tiny))
    mine, original = open_tokenizer(folder), open_tokenizer(tiny_folder())
    for text in TEXTS:
        assert mine.encode(text)[0] == original.encode(text)[0]
    assert (mine.chat_template, mine.adds_bos, mine.eos_id) == (original.chat_template, False, 0)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    assert config["model_max_length"] == 512
    assert json.loads((folder / "generation_config.json").read_text())["eos_token_id"] == [0, 5]
    assert cached_skeleton(section, workspace).total_parameters == sum(p.numel() for p in tiny.parameters())
    assert any("done once" in text for text in told)
    before = (folder / "model.safetensors").stat().st_mtime_ns
    assert prepare_model(section, workspace, quietly) == folder == ready_folder(section, workspace)
    assert (folder / "model.safetensors").stat().st_mtime_ns == before
    assert [name for name in names_in(folder.parent) if name.startswith(".")] == []


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("llama", {"rope_parameters": LLAMA3}),
        ("llama", {"rope_parameters": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}}),
        ("qwen3", {"head_dim": 32}),
    ],
)
def test_what_transformers_leaves_out_of_a_gguf_file_is_put_back(kind, more, workspace, tmp_path):
    model = small(kind, **more)
    section = ModelSection(str(write_gguf(model, tmp_path / "model.gguf")))
    skeleton = model_skeleton(section, workspace, quietly)
    assert skeleton.total_parameters == sum(p.numel() for p in model.parameters())
    folder = prepare_model(section, workspace, quietly)
    assert torch.allclose(prepared_logits(folder), logits(model), atol=1e-5)


def test_gguf_files_that_cannot_be_used_are_refused_in_a_sentence(workspace, tmp_path):
    model = small("llama")
    whole = write_gguf(model, tmp_path / "whole.gguf").read_bytes()

    def refuse(name, content, sentence):
        file = tmp_path / name
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(UserError, match=sentence):
            prepare_model(ModelSection(str(file)), workspace, quietly)

    refuse("cut.gguf", whole[:-1000], "is cut short")
    refuse("header.gguf", whole[:5000], "is damaged")
    refuse("version.gguf", whole[:4] + b"\x01" + whole[5:], "is damaged or of an unknown GGUF version")
    refuse("other.gguf", b"MZ" + whole[2:], "is not a GGUF file")
    refuse("arch.gguf", whole.replace(b"llama", b"gnome"), "cannot read")
    write_gguf(model, tmp_path / "split.gguf", pre="no-such-splitting")
    refuse("split.gguf", None, "splits text in a way that is not known here")
    write_gguf(model, tmp_path / "part.gguf", parts=3)
    refuse("part.gguf", None, "one of 3 parts")
    assert not list((workspace.cache / "models").glob("*/*.safetensors"))
    assert not list((workspace.cache / "models").glob(".*"))


def test_llama_3_s_divisors_are_recovered_only_where_they_are_llama_3_s(workspace, tmp_path):
    file = write_gguf(small("llama", rope_parameters=LLAMA3), tmp_path / "odd.gguf")
    offset = read_header(file).tensors["rope_freqs.weight"][2]
    content = bytearray(file.read_bytes())
    content[offset + 4 : offset + 8] = np.float32(3.0).tobytes()
    file.write_bytes(content)
    with pytest.raises(UserError, match="factors that are not Llama 3's"):
        prepare_model(ModelSection(str(file)), workspace, quietly)


def test_the_header_reader_agrees_with_the_gguf_library(tmp_path):
    file = write_gguf(small("llama", rope_parameters=LLAMA3), tmp_path / "model.gguf")
    mine, theirs = read_header(file), gguf.GGUFReader(file)
    for key, value in mine.metadata.items():
        assert value == theirs.fields[key].contents()
    for tensor in theirs.tensors:
        shape, kind, offset = mine.tensors[tensor.name]
        assert (list(reversed(shape)), kind, offset) == (list(tensor.shape), tensor.tensor_type, tensor.data_offset)


def test_a_folder_without_tokenizer_json_gets_one_beside_it(workspace, tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(tiny_folder(), folder)
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text(json.dumps(tokenizer["model"]["vocab"]))
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in tokenizer["model"]["merges"]]
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges))
    config = {"tokenizer_class": "GPT2Tokenizer", "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    before = names_in(folder)
    section = ModelSection(str(folder))
    prepared = prepare_model(section, workspace, quietly)
    assert prepared != folder
    assert names_in(folder) == before
    assert ready_folder(section, workspace) == prepared
    text = "The capital of France is Paris."
    assert open_tokenizer(prepared).encode(text)[0] == open_tokenizer(tiny_folder()).encode(text)[0]
    assert torch.equal(prepared_logits(prepared), logits(load_tiny()))
    assert (prepared / "model.safetensors").is_symlink()


def test_a_folder_without_any_tokenizer_is_refused(workspace, tmp_path):
    for name in ("config.json", "model.safetensors"):
        (tmp_path / "bare").mkdir(exist_ok=True)
        shutil.copyfile(tiny_folder() / name, tmp_path / "bare" / name)
    with pytest.raises(UserError, match="has no tokenizer that can be read"):
        prepare_model(ModelSection(str(tmp_path / "bare")), workspace, quietly)


def test_threads_that_ask_for_a_model_at_once_get_the_same_folder(workspace, tmp_path):
    section = ModelSection(str(write_gguf(small("llama"), tmp_path / "model.gguf")))
    with ThreadPoolExecutor(3) as threads:
        folders = list(threads.map(lambda _: prepare_model(section, workspace, quietly), range(3)))
    assert set(folders) == {ready_folder(section, workspace)}


def test_what_a_killed_process_left_half_made_is_cleared_away(workspace, tmp_path):
    left = workspace.cache / "models" / ".old-model.999999999"
    left.mkdir(parents=True)
    (left / "model.safetensors").write_bytes(b"half")
    prepare_model(ModelSection(str(write_gguf(small("llama"), tmp_path / "model.gguf"))), workspace, quietly)
    assert not left.exists()


class FakeHub(http.server.BaseHTTPRequestHandler):
    """Enough of the Hub to fetch a model from."""

    files = {name: tiny_folder() / name for name in ("config.json", "model.safetensors", "tokenizer.json",
                                                     "tokenizer_config.json", "chat_template.jinja")}  # fmt: skip
    asked: list[str] = []
    commit = "0123456789" * 4

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        FakeHub.asked.append(self.path)
        path = self.path.split("?")[0]
        if "lab/gated" in path:
            return self.reply(403, b"", **{"X-Error-Code": "GatedRepo"})
        if "lab/tiny" not in path:
            return self.reply(401, b"", **{"X-Error-Code": "RepoNotFound"})
        if "/nowhere" in path:
            return self.reply(404, b"", **{"X-Error-Code": "RevisionNotFound"})
        name = path.rpartition("/")[2]
        if "/resolve/" in path:
            if name not in self.files:
                return self.reply(404, b"", **{"X-Error-Code": "EntryNotFound"})
            content = self.files[name].read_bytes()
            return self.reply(200, content, **{"X-Repo-Commit": self.commit, "ETag": f'"{name}"'})
        found = ["pytorch_model.bin", "modeling_tiny.py", "onnx/model.safetensors", *self.files]
        info = {
            "id": "lab/tiny",
            "sha": self.commit,
            "siblings": [{"rfilename": one} for one in found],
            "private": False,
        }
        tree = [{"type": "file", "path": one, "size": 1, "oid": one} for one in found]
        return self.reply(200, json.dumps(tree if "/tree/" in path else info).encode())

    def reply(self, status, content, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), "Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), FakeHub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    FakeHub.asked.clear()
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE",
                        endpoint + "/{repo_id}/resolve/{revision}/{filename}")  # fmt: skip
    yield monkeypatch
    server.shutdown()
    server.server_close()


def test_a_hub_model_is_fetched_once_without_pickles_or_code(hub, workspace, tmp_path):
    section = ModelSection("lab/tiny")
    told = []
    hub.setattr("workbench.engine.hub.INTERVAL", 0.0)
    folder = prepare_model(section, workspace, told.append)
    assert any(re.fullmatch(r"Fetching lab/tiny from the Hub: .* of .*", text) for text in told)
    assert torch.equal(prepared_logits(folder), logits(load_tiny()))
    fetched = {Path(path).name for path in FakeHub.asked if "/resolve/" in path}
    assert fetched == set(FakeHub.files)
    assert not any("onnx" in path for path in FakeHub.asked if "/resolve/" in path)
    hub.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    shutil.rmtree(folder)
    assert prepare_model(section, workspace, quietly) == folder


def test_from_the_hub_a_skeleton_needs_the_config_alone(hub, workspace):
    skeleton = model_skeleton(ModelSection("lab/tiny"), workspace, quietly)
    assert skeleton.total_parameters == sum(p.numel() for p in load_tiny().parameters())
    assert {Path(path).name for path in FakeHub.asked if "/resolve/" in path} == {"config.json"}


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        (ModelSection("lab/missing"), "There is no model lab/missing on the Hub, or it is private"),
        (ModelSection("lab/gated"), "lab/gated is gated: accept its terms"),
        (ModelSection("lab/tiny", revision="nowhere"), "lab/tiny has no revision nowhere"),
    ],
)
def test_what_the_hub_refuses_is_said_in_a_sentence(section, sentence, hub, workspace):
    with pytest.raises(UserError, match=sentence):
        prepare_model(section, workspace, quietly)


def test_without_a_connection_an_unknown_hub_model_is_refused(hub, workspace):
    hub.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="not in the Hub's cache on this machine, and the Hub cannot be reached"):
        prepare_model(ModelSection("lab/tiny"), workspace, quietly)


def test_a_cancelled_preparation_leaves_nothing_half_made(hub, workspace):
    class Cancelled(BaseException):
        pass

    hub.setattr("workbench.engine.hub.INTERVAL", 0.0)

    def cancel(text):
        if " of " in text:
            raise Cancelled

    with pytest.raises(Cancelled):
        prepare_model(ModelSection("lab/tiny"), workspace, cancel)
    assert names_in(workspace.cache / "models") == []
    assert ready_folder(ModelSection("lab/tiny"), workspace) is None
