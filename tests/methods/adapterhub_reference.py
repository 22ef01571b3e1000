"""Run by the interpreter of an environment that has AdapterHub's `adapters`: makes adapters, and what they give.

Reads {"base", "work"} on standard input, and "prefixes" where those are wanted too. For each kind it writes the checkpoint as the library saves it, with every
tensor drawn anew, and its logits for `IDS`.
"""

import json
import sys
from pathlib import Path

IDS = [[3, 7, 11, 20, 31, 44], [5, 9, 100, 42, 17, 8]]
KINDS = {"houlsby": "double_seq_bn", "pfeiffer": "seq_bn", "parallel": "par_bn"}
"""Our names and the library's."""


def main():
    import adapters
    import torch
    from adapters.composition import Fuse
    from transformers import AutoModelForCausalLM

    asked = json.loads(sys.stdin.read())
    work = Path(asked["work"])
    torch.set_num_threads(1)

    def load():
        # Its prefixes lose their sight of the text with the kernel that makes a causal mask of its own.
        model = AutoModelForCausalLM.from_pretrained(asked["base"], attn_implementation="eager")
        adapters.init(model)
        return model.eval()

    @torch.no_grad()
    def shaken(model, words):
        torch.manual_seed(1)
        for name, one in model.named_parameters():
            if any(word in name for word in words):
                one.add_(0.05 * torch.randn_like(one))

    @torch.no_grad()
    def logits(model):
        return model(torch.tensor(IDS)).logits.tolist()

    every = {"attn_matrices": ["q", "k", "v"], "intermediate_lora": True, "output_lora": True}
    kinds = {
        **KINDS,
        "lora": "lora",
        "lora of every layer": adapters.LoRAConfig(r=4, alpha=12, leave_out=[0], **every),
        "ia3": "ia3",
    }
    if "prefixes" in asked:
        kinds |= {
            "prefix": adapters.PrefixTuningConfig(flat=True, prefix_length=5),
            "prefix by a network": adapters.PrefixTuningConfig(flat=False, prefix_length=7, bottleneck_size=16),
        }
    answer = {"base": logits(load())}
    for ours, theirs in kinds.items():
        model = load()
        model.add_adapter("one", config=theirs)
        model.set_active_adapters("one")
        shaken(model, (".adapters.one.", ".loras.one.", "prefix_tunings.one."))
        (work / ours).mkdir(parents=True)
        model.save_adapter(str(work / ours), "one", with_head=False)
        answer[ours] = logits(model)
    model = load()
    for name in ("one", "two"):
        model.add_adapter(name, config="seq_bn")
    model.add_adapter_fusion(["one", "two"])
    model.set_active_adapters(Fuse("one", "two"))
    shaken(model, (".adapters.", "adapter_fusion_layer"))
    place = work / "fusion"
    place.mkdir()
    for name in ("one", "two"):
        model.save_adapter(str(place / name), name, with_head=False)
    model.save_adapter_fusion(str(place), ["one", "two"])
    answer["fusion"] = logits(model)
    (work / "answer.json").write_text(json.dumps(answer))


if __name__ == "__main__":
    main()
