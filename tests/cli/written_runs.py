"""Run folders written by hand: what a trainer leaves, without one."""

import json
import os
import socket
import time

import psutil

RECIPE = "model: {path: tiny}\ndata: {source: capitals}\nmethod: {name: lora, rank: 4}\n"

FACTS = {
    "steps": 20, "seconds": 12.5, "tokens": 4000, "trained_tokens": 900, "loss": 0.25, "held_out_loss": 0.5,
    "base_loss": 4.0, "score": 0.75, "base_score": 0.0, "scored": 8, "memory": {"predicted": 60_000_000,
    "measured": 64_000_000}, "tokens_per_second": 320.0, "adapter_bytes": 320_000, "trainable_parameters": 39_424,
    "total_parameters": 1_236_608, "share": 0.0319, "method": "lora", "model": "tiny", "device": "CPU",
    "precision": "float32", "versions": {"torch": "2.13.0"}, "rows": 172, "held_out_rows": 86,
}  # fmt: skip


def write_run(workspace, name, state="finished", recipe=RECIPE, facts=FACTS, events=(), pid=None, started=None):
    """A run folder in that state; a live one with the process `pid`."""
    folder = workspace / "runs" / name
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(recipe, encoding="utf-8")
    pid = pid or os.getpid()
    now = time.time()
    status = {
        "state": state,
        "pid": pid,
        "pid_started": psutil.Process(pid).create_time(),
        "host": socket.gethostname(),
        "step": 20,
        "steps": 20,
        "started": started or now,
        "heartbeat": now,
        "seconds": 12.5,
    }
    (folder / "status.json").write_text(json.dumps(status), encoding="utf-8")
    (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    if facts is not None:
        (folder / "facts.json").write_text(json.dumps({**facts, "run": name, "state": state}), encoding="utf-8")
    return folder
