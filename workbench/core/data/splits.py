"""Which rows are held out: a random share, the same share of every group, or whole clusters of duplicates."""

from __future__ import annotations

import random
from collections.abc import Hashable, Mapping, Sequence


def split_rows(count: int, share: float, seed: int) -> tuple[list[int], list[int]]:
    """Indices to train on and indices held out: a random share by seed, at least one row on either side.

    With share 0, or a single row, nothing is held out.
    """
    if share <= 0 or count < 2:
        return list(range(count)), []
    order = list(range(count))
    random.Random(seed).shuffle(order)
    held = min(count - 1, max(1, round(share * count)))
    return sorted(order[held:]), sorted(order[:held])


def split_stratified(groups: Sequence[Hashable], share: float, seed: int) -> tuple[list[int], list[int]]:
    """The same, taking the share from every group; a group of one row is trained on."""
    if share <= 0 or len(groups) < 2:
        return list(range(len(groups))), []
    places: dict[Hashable, list[int]] = {}
    for index, group in enumerate(groups):
        places.setdefault(group, []).append(index)
    chance = random.Random(seed)
    held: list[int] = []
    for members in places.values():
        if len(members) > 1:
            chance.shuffle(members)
            held += members[: min(len(members) - 1, max(1, round(share * len(members))))]
    if not held:
        return split_rows(len(groups), share, seed)
    out = set(held)
    return [index for index in range(len(groups)) if index not in out], sorted(held)


def join_clusters(clusters: Sequence[int], others: Mapping[int, int]) -> list[int]:
    """Clusters joined wherever they share one of the `others`, which are given by index."""
    above: dict[int, int] = {}

    def top(cluster: int) -> int:
        while above.get(cluster, cluster) != cluster:
            cluster = above[cluster]
        return cluster

    first: dict[int, int] = {}
    for index, other in others.items():
        one, two = top(first.setdefault(other, clusters[index])), top(clusters[index])
        above[max(one, two)] = min(one, two)
    return [top(cluster) for cluster in clusters]


def split_clusters(clusters: Sequence[int], share: float, seed: int) -> tuple[list[int], list[int]]:
    """The same share, with all rows of a cluster on one side, so that no held-out row has a twin in training."""
    if share <= 0 or len(clusters) < 2:
        return list(range(len(clusters))), []
    sizes: dict[int, int] = {}
    for cluster in clusters:
        sizes[cluster] = sizes.get(cluster, 0) + 1
    order = list(sizes)
    random.Random(seed).shuffle(order)
    wanted = min(len(clusters) - 1, max(1, round(share * len(clusters))))
    held: set[int] = set()
    count = 0
    for cluster in order:
        if count + sizes[cluster] <= wanted:
            held.add(cluster)
            count += sizes[cluster]
    if not held and len(sizes) > 1:
        held = {min(order, key=lambda cluster: sizes[cluster])}
    inside = [index for index, cluster in enumerate(clusters) if cluster in held]
    return [index for index, cluster in enumerate(clusters) if cluster not in held], inside
