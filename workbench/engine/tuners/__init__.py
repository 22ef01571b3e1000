"""Tuners that PEFT does not have, as PEFT tuners: importing this module makes their files loadable with PEFT's calls.

PEFT's mappings go by `PeftType`, a string enumeration, so a plain string is as good a key; `register_peft_method`
takes members of the enumeration only, to which nothing can be added.
"""

from __future__ import annotations

import peft.mapping

from workbench.engine.tuners.bitfit import BitFitConfig, BitFitModel
from workbench.engine.tuners.bottleneck import BottleneckModel
from workbench.engine.tuners.bottleneck_config import BottleneckConfig

OWN = {
    "BOTTLENECK": (BottleneckConfig, BottleneckModel),
    "BITFIT": (BitFitConfig, BitFitModel),
}

for _name, (_config, _model) in OWN.items():
    peft.mapping.PEFT_TYPE_TO_CONFIG_MAPPING[_name] = _config
    peft.mapping.PEFT_TYPE_TO_TUNER_MAPPING[_name] = _model
    peft.mapping.PEFT_TYPE_TO_PREFIX_MAPPING[_name] = _model.prefix

__all__ = ["OWN", "BitFitConfig", "BitFitModel", "BottleneckConfig", "BottleneckModel"]
