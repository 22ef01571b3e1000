"""A frozen base in 4-bit or 8-bit numbers, by bitsandbytes, made safe to train through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers import BitsAndBytesConfig, PreTrainedModel

from workbench.core.errors import UserError
from workbench.core.methods.shared_knobs import FULL_PRECISION
from workbench.engine.base_models import DTYPES
from workbench.engine.four_bit import keep_one_kernel


def quantisation_config(knobs: Mapping[str, Any], precision: str) -> BitsAndBytesConfig | None:
    """How Transformers is to load the base: NF4 or FP4 in blocks of 64, or LLM.int8(); None where it stays whole.

    Products are in `precision`. UserError where bitsandbytes is not installed.
    """
    kind = knobs.get("quantisation", FULL_PRECISION)
    if kind == FULL_PRECISION:
        return None
    require_bitsandbytes("A quantised base")
    if kind == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=kind,
        bnb_4bit_use_double_quant=knobs["double_quantisation"],
        bnb_4bit_compute_dtype=DTYPES[precision],
    )


def require_bitsandbytes(what: str) -> None:
    """UserError where bitsandbytes cannot be imported."""
    try:
        import bitsandbytes  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"{what} needs bitsandbytes; install it with: pip install 'workbench[quant]'", str(error)
        ) from None


def prepare_quantised(model: PreTrainedModel) -> None:
    """Freeze a quantised base and keep its gradients alive. It keeps its own precision outside the quantised matrices.

    PEFT's `prepare_model_for_kbit_training` would hold embeddings, output layer and norms in float32, which costs
    2.5 GB on an 8-billion model and changes what the base answers.
    """
    model.requires_grad_(False)
    keep_one_kernel(model)
