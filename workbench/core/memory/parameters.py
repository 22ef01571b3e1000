"""All parameters of a run by kind of module and by layer: how many there are, and how many of them are trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workbench.core.methods import Count
from workbench.core.models.skeleton import Module, Skeleton


@dataclass(frozen=True, slots=True)
class Branch:
    """A kind of module, or one of its modules."""

    name: str
    layer: int | None
    """The block; None for a kind, and for what lies outside the blocks."""
    parameters: int
    """The base's own, and what the method adds there."""
    trained: int
    modules: tuple[Branch, ...] = ()
    """Of a kind: its modules, in the model's order."""

    def to_json(self) -> dict[str, Any]:
        """The branch and all below it, as plain values."""
        own = {"name": self.name, "parameters": self.parameters, "trained": self.trained}
        if self.modules:
            return {**own, "modules": [module.to_json() for module in self.modules]}
        return {**own, "layer": self.layer}


def parameter_tree(skeleton: Skeleton, count: Count | None) -> tuple[Branch, ...]:
    """The kinds of a model's modules, in the model's order, each with its modules.

    What a method trains is added to the module that carries it; without a count nothing is trained.
    """
    trained: dict[str, int] = {}
    for name, size in count.by_module if count else ():
        trained[name] = trained.get(name, 0) + size
    added = count is not None and count.added
    sizes = {module.name: module.size for module in skeleton.modules}
    layers = {module.name: module.layer for module in skeleton.modules}
    names = [*sizes, *(name for name in trained if name not in sizes)]
    found: dict[str, list[Branch]] = {}
    for name in names:
        own, own_trained = sizes.get(name, 0), trained.get(name, 0)
        if not own and not own_trained:
            continue  # a tied output layer
        layer = layers[name] if name in layers else Module(f"{name}.", "", ()).layer
        whole = own + (own_trained if added or name not in sizes else 0)
        found.setdefault(_path_of(name), []).append(Branch(name, layer, whole, own_trained))
    kinds = _short_names(list(found))
    return tuple(
        Branch(
            kinds[path], None, sum(one.parameters for one in modules), sum(one.trained for one in modules),
            tuple(modules),
        )
        for path, modules in found.items()
    )  # fmt: skip


def layer_sums(tree: tuple[Branch, ...]) -> list[dict[str, int | None]]:
    """Parameters and trained ones of each block, in order; under layer None, of what lies outside the blocks."""
    sums: dict[int | None, list[int]] = {}
    for kind in tree:
        for module in kind.modules:
            found = sums.setdefault(module.layer, [0, 0])
            found[0] += module.parameters
            found[1] += module.trained
    order = sorted(sums, key=lambda layer: -1 if layer is None else layer)
    return [{"layer": layer, "parameters": sums[layer][0], "trained": sums[layer][1]} for layer in order]


def _path_of(name: str) -> str:
    """The name without the numbers of its blocks: what all modules of a kind have in common."""
    return ".".join(part for part in name.split(".") if not part.isdigit())


def _short_names(paths: list[str]) -> dict[str, str]:
    """The last part of each path, and as many before it as it takes to tell them apart."""
    shown: dict[str, str] = {}
    for path in paths:
        parts = path.split(".")
        for length in range(1, len(parts) + 1):
            tail = parts[-length:]
            if sum(other.split(".")[-length:] == tail for other in paths) == 1:
                break
        shown[path] = ".".join(tail)
    return shown
