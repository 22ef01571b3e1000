"""workbench calibrate: two real steps with the longest rows, measured against the estimate."""

from __future__ import annotations

import argparse

from workbench.cli.estimate import recipe_of
from workbench.cli.page import say, say_json
from workbench.core.memory.device import Device
from workbench.core.memory.experience import read_experience
from workbench.core.memory.rehearsed import rehearse_recipe
from workbench.core.places import find_workspace
from workbench.core.words import share_text, size_text, visible_text

MEANINGS = {"allocated": "tensors", "reserved": "reserved", "process": "process"}


def run(given: argparse.Namespace) -> int:
    """Rehearse the recipe, remember what came of it, and print it."""
    recipe, workspace = recipe_of(given), find_workspace(given.workspace)
    found = rehearse_recipe(recipe, workspace)
    known = read_experience(workspace, Device(**found["device"])).to_json()
    if given.json:
        say_json({**found, "here": known})
        return 0
    row = found["longest_row"]
    say(f"Two steps with the longest rows, up to {row['tokens']} tokens, on {visible_text(found['device']['name'])}.")
    for kind_, word in MEANINGS.items():
        predicted, measured = found["predicted"][kind_], found["measured"][kind_]
        if measured:
            error = predicted / measured - 1
            side = "above" if error > 0 else "below"
            say(
                f"  {word:<10} {size_text(predicted):>10} predicted  {size_text(measured):>10} measured  "
                f"{share_text(abs(error))} {side}"
            )
    if found["tokens_per_second"]:
        say(f"  {found['tokens_per_second']:,.0f} tokens a second in the second step, while being counted")
    say(f"Measured here {known['compared']} times; {share_text(known['median_error'])} off in the middle.")
    return 0
