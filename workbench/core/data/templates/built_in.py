"""Chat templates of the common families, each saying with {% generation %} what an assistant writes.

The texts are the families' published formats: ChatML; Alpaca (Taori et al. 2023); Llama 3 (Meta's model card);
Gemma 2 (no system turn: it goes before the first question); Mistral v1 ([INST]); Phi-3. `plain` is questions and
answers, `bare` is prompt and completion with nothing between them.
"""

from __future__ import annotations

_CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] + '\\n' }}"
    "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] + '<|im_end|>' }}"
    "{% endgeneration %}{% else %}{{ message['content'] + '<|im_end|>' }}{% endif %}{{ '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant{{ '\\n' }}{% endif %}"
)
_ALPACA = (
    "{% for message in messages %}{% if message['role'] == 'system' %}{{ message['content'] + '\\n\\n' }}"
    "{% elif message['role'] == 'assistant' %}### Response:{{ '\\n' }}{% generation %}"
    "{{ message['content'] + eos_token }}{% endgeneration %}{{ '\\n\\n' }}"
    "{% else %}### Instruction:{{ '\\n' + message['content'] + '\\n\\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}### Response:{{ '\\n' }}{% endif %}"
)
_PLAIN = (
    "{% for message in messages %}{% if message['role'] == 'assistant' %}Answer:{% generation %}"
    "{{ ' ' + message['content'] + eos_token }}{% endgeneration %}{{ '\\n' }}"
    "{% elif message['role'] == 'system' %}{{ message['content'] + '\\n' }}"
    "{% else %}Question: {{ message['content'] + '\\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}Answer:{% endif %}"
)
_BARE = (
    "{% for message in messages %}{% if message['role'] == 'assistant' %}{% generation %}"
    "{{ message['content'] + eos_token }}{% endgeneration %}{% else %}{{ message['content'] }}{% endif %}{% endfor %}"
)
_LLAMA3 = (
    "{% for message in messages %}{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}"
    "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] | trim + '<|eot_id|>' }}"
    "{% endgeneration %}{% else %}{{ message['content'] | trim + '<|eot_id|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)
_GEMMA = (
    "{% set first = namespace(system='') %}{% for message in messages %}{% if message['role'] == 'system' %}"
    "{% set first.system = message['content'] | trim + '\\n\\n' %}{% elif message['role'] == 'assistant' %}"
    "{{ '<start_of_turn>model\\n' }}{% generation %}{{ message['content'] | trim + '<end_of_turn>' }}"
    "{% endgeneration %}{{ '\\n' }}{% else %}"
    "{{ '<start_of_turn>user\\n' + first.system + message['content'] | trim + '<end_of_turn>\\n' }}"
    "{% set first.system = '' %}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"
)
_MISTRAL = (
    "{% set first = namespace(system='') %}{% for message in messages %}{% if message['role'] == 'system' %}"
    "{% set first.system = message['content'] | trim + '\\n\\n' %}{% elif message['role'] == 'assistant' %}"
    "{% generation %}{{ ' ' + message['content'] | trim + eos_token }}{% endgeneration %}{% else %}"
    "{{ '[INST] ' + first.system + message['content'] | trim + ' [/INST]' }}"
    "{% set first.system = '' %}{% endif %}{% endfor %}"
)
_PHI = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\\n' }}{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + '<|end|>' }}{% endgeneration %}{{ '\\n' }}"
    "{% else %}{{ message['content'] + '<|end|>\\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}"
)

BUILT_IN = {
    "chatml": _CHATML,
    "alpaca": _ALPACA,
    "plain": _PLAIN,
    "bare": _BARE,
    "llama3": _LLAMA3,
    "gemma": _GEMMA,
    "mistral": _MISTRAL,
    "phi": _PHI,
}
"""Sources of the built-in templates by name."""

END_TOKENS = {"chatml": "<|im_end|>", "llama3": "<|eot_id|>", "gemma": "<end_of_turn>", "phi": "<|end|>"}
"""The text that ends an answer, where it is not the model's own end token."""
