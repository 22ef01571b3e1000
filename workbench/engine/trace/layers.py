"""Which of a model's layers are alike, so that a few stand for all; and a model that goes through those few alone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

LONGEST = 12
"""Most layers of a pattern that repeats, such as five with a window and one without."""

NUMBERED = ("idx", "layer_id", "layer_number", "index")
"""Parts of the names of attributes that number a layer, and so differ where nothing else does."""


class UnevenError(Exception):
    """The layers are not as alike as they look: all of them have to be traced."""


@dataclass(frozen=True, slots=True)
class Period:
    """Layers `start` to `start + size * times` are the same `size` layers, `times` times over."""

    start: int
    size: int
    times: int

    @property
    def end(self) -> int:
        """The first layer behind them."""
        return self.start + self.size * self.times

    @property
    def skipped(self) -> range:
        """The layers that need not be traced: all but the first two turns."""
        return range(self.start + 2 * self.size, self.end)

    def turn_of(self, layer: int) -> int:
        """1 or 2 for a layer of the first two turns, else 0."""
        place = (layer - self.start) // self.size
        return place + 1 if 0 <= place < 2 else 0


@dataclass(frozen=True, slots=True)
class Layers:
    """A decoder's layers and their common name, which ends with a dot."""

    prefix: str
    modules: nn.ModuleList
    period: Period


def find_layers(model: Any, config: Any) -> Layers | None:
    """The decoder's layers, where enough of them are alike to trace a few; None where they are not."""
    text = config.get_text_config()
    count = getattr(text, "num_hidden_layers", None)
    found = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == count
    ]
    if len(found) != 1:
        return None
    name, modules = found[0]
    lists = {
        key: value
        for key, value in vars(text).items()
        if isinstance(value, (list, tuple)) and len(value) == count and all(_is_plain(one) for one in value)
    }
    kinds = [
        (_kind_of(layer), tuple((key, value[place]) for key, value in sorted(lists.items())))
        for place, layer in enumerate(modules)
    ]
    period = find_period(kinds)
    return None if period is None else Layers(f"{name}.", modules, period)


def find_period(kinds: Sequence[Hashable]) -> Period | None:
    """The repetition that spares most layers.

    A whole pattern stays before it, since what layers of one kind share is released with the first of them, and one
    layer behind it.
    """
    best: Period | None = None
    for size in range(1, LONGEST + 1):
        start = 0
        while start < len(kinds):
            end = start
            while end + size < len(kinds) and kinds[end] == kinds[end + size]:
                end += 1
            behind = end + size  # the pattern holds from `start` up to here
            first = start + size
            found = Period(first, size, max(0, behind - 1 - first) // size)
            if end > start and len(found.skipped) > (len(best.skipped) if best else 0):
                best = found
            start = end + 1
    return best


def _kind_of(layer: nn.Module) -> Hashable:
    """All that memory can depend on: classes, shapes, what is trained, and plain settings."""
    return tuple(
        (
            name,
            type(module).__qualname__,
            module.training,
            tuple(sorted((key, value) for key, value in vars(module).items() if _is_setting(key, value))),
            tuple(
                (key, tuple(one.shape), one.dtype, one.requires_grad)
                for key, one in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))
            ),
        )
        for name, module in layer.named_modules()
    )


def _is_setting(key: str, value: Any) -> bool:
    numbered = any(part in key for part in NUMBERED)
    return isinstance(value, (str, int, float)) and not numbered


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (str, int, float))


class _Skipped(nn.Module):
    """Stands where a layer is that is not traced: hands its input on, in the form in which a layer answers."""

    def __init__(self, layer: nn.Module, answers: dict[str, type]) -> None:
        super().__init__()
        self.__dict__["_instead"] = layer  # not as a module of this one
        self.__dict__["_answers"] = answers

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_instead"], name)

    def forward(self, *given: Any, **named: Any) -> Any:
        hidden = given[0] if given else named["hidden_states"]
        return (hidden,) if self.__dict__["_answers"]["form"] is tuple else hidden


@contextlib.contextmanager
def without_skipped(layers: Layers, entered: Callable[[int, Any], None], left: Callable[[], None]) -> Iterator[None]:
    """The model with the layers that are not traced passed by.

    `entered` is called before each layer with its number and its input, `left` behind the last one. UnevenError where
    a layer answers with more than its output.
    """
    answers: dict[str, type] = {"form": object}
    kept = list(layers.modules)

    def before(number: int) -> Any:
        def hook(_: nn.Module, given: Any, named: Any) -> None:
            entered(number, given[0] if given else named["hidden_states"])

        return hook

    def behind(_: nn.Module, __: Any, answer: Any) -> None:
        if isinstance(answer, tuple) and len(answer) > 1:
            raise UnevenError
        answers["form"] = type(answer)

    hooks = []
    try:
        for number in layers.period.skipped:
            layers.modules[number] = _Skipped(kept[number], answers)
        for number, module in enumerate(layers.modules):
            hooks.append(module.register_forward_pre_hook(before(number), with_kwargs=True))
            hooks.append(module.register_forward_hook(behind))
        hooks.append(layers.modules[-1].register_forward_hook(lambda *_: left()))
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for number in layers.period.skipped:
            layers.modules[number] = kept[number]
