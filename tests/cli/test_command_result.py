"""What a run leaves: a report that is true, answers from both sides, and a result that others can load."""

import fcntl
import json
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios

import psutil
import pytest
from command_line import RUN, wait_for

QUESTION = "What is the capital of Yemen?"
ANSWERED = {"prompt", "ids", "base", "tuned", "base_tokens", "tuned_tokens", "identical"}


def test_the_report_has_the_figures_of_the_document(taught):
    report = (taught.run / "report.md").read_text(encoding="utf-8")
    said = taught.said
    assert f"| held-out loss | {said['base_loss']:.4f} | {said['held_out_loss']:.4f} |" in report
    assert f"{said['trainable_parameters']:,} of {said['total_parameters']:,} parameters" in report
    for heading in ("Loss", "Data", "Memory", "Held-out rows as answered", "Versions", "Loading the result", "Recipe"):
        assert f"\n## {heading}\n" in report
    assert "torch 2." in report
    assert re.search(r"training  [▁▂▃▄▅▆▇█]{20} ", report)


def test_the_code_in_the_report_loads_the_result_and_answers_as_the_run_did(taught):
    report = (taught.run / "report.md").read_text(encoding="utf-8")
    code = report.partition("```python\n")[2].partition("```")[0]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env=taught.environment()
    )
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in (taught.run / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    last = [event for event in events if event["kind"] == "sample"][-1]
    assert repr(last["prompt"]) in code
    assert done.stdout.strip() == last["tuned"]


def test_chat_answers_every_prompt_from_both_sides(taught):
    answers = taught.document("chat", RUN, "--prompt", QUESTION, "--prompt", "Hello", "--max-tokens", "12")
    assert [answer["prompt"] for answer in answers] == [QUESTION, "Hello"]
    assert all(set(answer) == ANSWERED for answer in answers)
    assert answers[0]["base"] != answers[0]["tuned"]
    assert not answers[0]["identical"]
    assert len(answers[0]["base_tokens"]) <= 12


def test_prompts_come_from_standard_input_and_the_answers_stand_side_by_side(taught):
    done = taught("chat", RUN, "--max-tokens", "8", input=f"{QUESTION}\n\nHello\n", COLUMNS="120")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("> ")] == [f"> {QUESTION}", "> Hello"]
    assert re.match(r"base +\| tuned$", lines[1])
    assert "\x1b" not in done.stdout


def test_chat_without_a_prompt_says_so(taught):
    assert "No prompt was given" in taught.refused("chat", RUN, input="")
    assert taught.refused("chat", RUN, "--prompt", " ") == "A prompt is empty; give it some text."
    assert "There is no run named nobody" in taught.refused("chat", "nobody", "--prompt", "x")


def test_ctrl_c_ends_a_chat_with_one_sentence_and_no_process_left(taught):
    command = taught.start("chat", RUN, "--prompt", QUESTION, "--max-tokens", "100000")
    helper = wait_for(psutil.Process(command.pid).children)[0]
    command.send_signal(signal.SIGINT)
    printed, complained = command.communicate(timeout=30)
    assert (command.returncode, printed) == (130, "")
    assert complained == "The chat has ended; no run was touched.\n"
    assert not helper.is_running()


@pytest.mark.parametrize("merge", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_an_exported_result_is_what_its_folder_says(taught, tmp_path, merge):
    place = tmp_path / "exported"
    said = taught.document("export", RUN, "--to", place, *(["--merge"] if merge else []))
    assert said["path"] == str(place)
    held = {path.name for path in place.iterdir()}
    assert ("model.safetensors" in held) == merge
    assert ("adapter_model.safetensors" in held) == (not merge)
    assert said["bytes"] >= max(path.stat().st_size for path in place.iterdir())
    assert str(place) in taught.refused("export", RUN, "--to", place)


@pytest.mark.slow
def test_the_pretraining_of_tiny_goes_through_the_command_line(workbench):
    target = workbench.folder / "made"
    said = workbench.document("pretrain", "tiny", "--to", "made", "--steps", "2", "--documents", "300", timeout=200)
    assert said["folder"] == str(target)
    assert (target / "model.safetensors").is_file()
    assert "is not an empty folder" in workbench.refused("pretrain", "tiny", "--to", "made")


@pytest.mark.slow
def test_the_demo_goes_from_nothing_to_a_table_in_under_a_minute(workbench):
    said = workbench.document("demo", "--headless", timeout=240)
    assert set(said) == {"base_score", "score", "seconds", "trainable_parameters", "run"}
    assert said["run"] == "demo"
    assert said["base_score"] == 0.0
    assert said["score"] >= 0.95
    assert said["seconds"] < 60
    again = workbench("demo", "--headless", timeout=240).stdout
    assert "The run is named demo-2" in again
    last = [line.split() for line in again.splitlines()[-3:]]
    assert [row[:-2] for row in last] == [
        ["held-out", "exact", "match"],
        ["seconds", "of", "training"],
        ["trainable", "parameters"],
    ]
    assert last[0][-2] == "0%"
    assert last[2][-1] == f"{said['trainable_parameters']:,}"


def test_a_typed_prompt_is_answered_live_and_ctrl_d_ends_the_chat(taught):
    main, side = os.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
    command = subprocess.Popen(
        [sys.executable, "-m", "workbench", "chat", RUN, "--max-tokens", "12"],
        stdin=side, stdout=side, stderr=side, env=taught.environment(TERM="xterm-256color"), start_new_session=True,
    )  # fmt: skip
    os.close(side)
    seen = ""

    def read_until(words):
        nonlocal seen
        while words not in seen:
            assert select.select([main], [], [], 60)[0], seen
            seen += os.read(main, 65536).decode()

    try:
        read_until("> ")
        os.write(main, f"{QUESTION}\r".encode())
        read_until("| tuned")
        read_until(" s\x1b[22m")
        assert "which country?" in seen
        seen = seen.rpartition("\x1b[22m")[2]
        read_until("> ")  # between two prompts the terminal itself would take the ctrl-d
        os.write(main, b"\x04")
        assert command.wait(20) == 0
    finally:
        command.kill()
        os.close(main)
