"""The chat pane: with a helper that answers on cue, and with the real one and the bundled model."""

import asyncio
import os
import signal

import pytest
from hosting import Host, lines_with, make_run, screen_text
from textual.widgets import Input
from waiting import wait_for

from workbench.app.panes.chat import ChatPane
from workbench.app.panes.chat.exchange import DONE, Exchange, count_right
from workbench.app.panes.chat.prompt_input import PromptInput
from workbench.app.panes.chat.questions import question_from
from workbench.app.screens.question import Question
from workbench.core.errors import RunFailedError, UserError
from workbench.core.helper import Helper
from workbench.core.recipe import recipe_from_mapping

WIDE, USUAL, SMALL = (120, 36), (80, 24), (60, 20)
ROWS = [
    {"row": 4, "messages": [{"role": "user", "content": "Capital of Peru?"}, {"role": "assistant", "content": "Lima"}]},
    {"row": 7, "messages": [], "problem": "it has no answer"},
    {"row": 9, "messages": [{"role": "user", "content": "Of Chile?"}, {"role": "assistant", "content": "Santiago"}]},
]


class CueHelper:
    """Answers every prompt with what it was told to, when it is told to go on."""

    def __init__(self, base="a city", tuned="Lima", rows=ROWS):
        self.answers = {"base": base, "tuned": tuned}
        self.rows = rows
        self.asked = []
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.half_way = asyncio.Event()
        self.fails_with = None

    async def request(self, do, on_event=None, **arguments):
        self.asked.append((do, arguments))
        if do == "open_chat":
            return {"sides": ["base", "tuned"], "shares_base": True, "seconds": 0.1}
        if do == "rows":
            assert arguments["held_out"] is True
            return {
                "rows": self.rows[arguments["start"] : arguments["start"] + arguments["count"]],
                "total": len(self.rows),
            }
        sides = arguments["sides"]
        on_event({"event": "prompt", "text": "<|user|> \x1b[31mhi\n<|assistant|>", "ids": [5, 6, 7]})
        for side in sides:
            on_event({"event": "text", "side": side, "text": self.answers[side][:3]})
        self.half_way.set()
        await self.go_on.wait()
        if self.fails_with is not None:
            raise self.fails_with
        for side in sides:
            on_event({"event": "text", "side": side, "text": self.answers[side][3:]})
        given = {side: self.answers[side] for side in sides}
        tokens = {f"{side}_tokens": list(range(len(given[side]))) for side in sides}
        identical = len(sides) > 1 and len(set(given.values())) == 1
        return {"ids": [5, 6, 7], **given, **tokens, "identical": identical, "seconds": 0.5}

    def chats(self):
        return [arguments for do, arguments in self.asked if do == "chat"]


def with_run(workspace, helper, state="finished"):
    pane = ChatPane()
    pane.set_reactive(ChatPane.recipe, recipe_from_mapping({}))
    pane.set_reactive(ChatPane.run, make_run(workspace, state=state) if state else None)
    return Host(pane, helper)


async def write(pilot, text):
    await wait_for(lambda: isinstance(pilot.app.focused, PromptInput))
    pilot.app.focused.value = text
    await pilot.press("enter")


@pytest.mark.parametrize("size", [WIDE, USUAL, SMALL])
async def test_both_sides_answer_the_same_prompt_side_by_side_or_stacked(workspace, size):
    helper = CueHelper(base="it is a city")
    app = with_run(workspace, helper)
    async with app.run_test(size=size) as pilot:
        await write(pilot, "Where is [bold]Peru?")
        await wait_for(lambda: lines_with(app, "it is a city") and lines_with(app, "Lima"))
        assert lines_with(app, "› Where is [bold]Peru?")
        assert bool(lines_with(app, "it is a city")[0].count("Lima")) == (size != SMALL)
        (chat,) = helper.chats()
        assert chat["messages"] == [{"role": "user", "content": "Where is [bold]Peru?"}]
        assert chat["sides"] == ["base", "tuned"] and chat["run"].endswith("brave-otter")
        assert (chat["temperature"], chat["top_p"], chat["seed"], chat["complete"]) == (0.0, 1.0, 0, False)


async def test_text_is_on_the_screen_before_the_answer_is_whole(workspace):
    helper = CueHelper(base="half and half", tuned="half")
    helper.go_on.clear()
    app = with_run(workspace, helper)
    async with app.run_test(size=WIDE) as pilot:
        await write(pilot, "hello")
        await wait_for(lambda: lines_with(app, "hal"))
        assert not lines_with(app, "half and") and lines_with(app, "answering")
        helper.go_on.set()
        await wait_for(lambda: lines_with(app, "half and half"))
        assert not lines_with(app, "answering")


async def test_a_models_text_is_never_markup_and_its_escapes_are_written_out(workspace):
    app = with_run(workspace, CueHelper(base="[red]a\x1b[2Jb", tuned="\x07"))
    async with app.run_test(size=WIDE) as pilot:
        await write(pilot, "hello")
        await wait_for(lambda: lines_with(app, "[red]a\\x1b[2Jb") and lines_with(app, "\\x07"))


async def test_held_out_questions_come_one_by_one_and_are_marked_and_counted(workspace):
    app = with_run(workspace, CueHelper())
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("ctrl+n")
        await wait_for(lambda: lines_with(app, "Exact matches over 1 held-out question:"))
        assert lines_with(app, "expected Lima · held-out row 5")
        assert lines_with(app, "base  ✗ wrong") and lines_with(app, "tuned  ✓ right")
        assert lines_with(app, "base 0 of 1, 0%  tuned 1 of 1, 100%")
        await pilot.press("ctrl+n")
        await wait_for(lambda: lines_with(app, "held-out row 10"))
        await wait_for(lambda: lines_with(app, "base 0 of 2, 0%  tuned 1 of 2, 50.0%"))
        await pilot.press("ctrl+n")
        await wait_for(lambda: len(app.pane.history) == 3 and app.pane.history[-1].state == DONE)
        assert app.pane.history[-1].row == 4
        await wait_for(lambda: lines_with(app, "base 0 of 2, 0%  tuned 1 of 2, 50.0%"))


async def test_enter_on_an_empty_line_asks_a_held_out_question(workspace):
    app = with_run(workspace, CueHelper())
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("enter")
        await wait_for(lambda: lines_with(app, "expected Lima · held-out row 5"))


async def test_random_questions_all_come_before_one_comes_again(workspace):
    app = with_run(workspace, CueHelper())
    async with app.run_test(size=WIDE) as pilot:
        for count in (1, 2):
            await pilot.press("ctrl+o")
            await wait_for(lambda count=count: len(app.pane.history) == count and not app.pane.history[-1].open)
        assert {exchange.row for exchange in app.pane.history} == {4, 9}


async def test_letters_are_keys_once_escape_has_left_the_prompt(workspace):
    app = with_run(workspace, CueHelper())
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("n")
        assert app.focused.value == "n" and not app.pane.history
        await pilot.press("escape", "n")
        await wait_for(lambda: lines_with(app, "expected Lima"))


async def test_escape_stops_an_answer_and_a_stopped_one_is_not_counted(workspace):
    helper = CueHelper()
    helper.go_on.clear()
    app = with_run(workspace, helper)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("ctrl+n")
        await helper.half_way.wait()
        await pilot.press("escape")
        await wait_for(lambda: lines_with(app, "stopped before the end, not counted"))
        assert not lines_with(app, "Exact matches")
        helper.go_on.set()
        await pilot.press("ctrl+g")
        await wait_for(lambda: lines_with(app, "tuned 1 of 1, 100%"))
        assert app.pane.history[-1].row == app.pane.history[0].row == 4


async def test_only_one_answer_at_a_time_is_written(workspace):
    helper = CueHelper()
    helper.go_on.clear()
    app = with_run(workspace, helper)
    async with app.run_test(size=WIDE) as pilot:
        await write(pilot, "one")
        await helper.half_way.wait()
        await write(pilot, "two")
        await wait_for(lambda: app.sentences() == ["An answer is still being written; Esc stops it."])
        assert app.focused.value == "two" and len(app.pane.history) == 1
        helper.go_on.set()
        await wait_for(lambda: app.pane.history[0].state == DONE)


async def test_answers_that_are_the_same_tokens_are_called_identical(workspace):
    app = with_run(workspace, CueHelper(base="Lima", tuned="Lima"))
    async with app.run_test(size=WIDE) as pilot:
        await write(pilot, "hello")
        await wait_for(lambda: lines_with(app, "identical: both sides wrote the same tokens"))


async def test_the_exact_prompt_is_shown_and_hidden_with_its_token_ids(workspace):
    app = with_run(workspace, CueHelper())
    async with app.run_test(size=WIDE) as pilot:
        await write(pilot, "hello")
        await wait_for(lambda: lines_with(app, "Lima"))
        await pilot.press("ctrl+t")
        await wait_for(lambda: lines_with(app, "<|user|> \\x1b[31mhi↵") and lines_with(app, "3 tokens: 5 6 7"))
        await pilot.press("ctrl+t")
        await wait_for(lambda: not lines_with(app, "<|user|>"))


async def test_bare_text_is_continued_by_the_base_alone(workspace):
    helper = CueHelper()
    app = with_run(workspace, helper)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("ctrl+l")
        await wait_for(lambda: lines_with(app, "bare text, base only"))
        await write(pilot, "The capital of Peru is")
        await wait_for(lambda: lines_with(app, "a city"))
        assert helper.chats()[0]["complete"] is True and helper.chats()[0]["sides"] == ["base"]
        assert not lines_with(app, "Lima")


async def test_the_sampler_is_set_in_its_fields_and_nonsense_is_refused_in_a_sentence(workspace):
    helper = CueHelper()
    app = with_run(workspace, helper)
    async with app.run_test(size=WIDE) as pilot:
        temperature, top_p, most, seed = (field for field in app.query(Input) if not isinstance(field, PromptInput))
        for field, value in ((temperature, "0.7"), (top_p, "0.9"), (most, "12"), (seed, "3")):
            field.focus()
            field.value = value
        await pilot.pause()
        top_p.focus()
        top_p.value = "7"
        await wait_for(lambda: lines_with(app, "top-p cannot be 7; it takes a number above 0 and at most 1."))
        app.pane.focus_first()
        await wait_for(lambda: top_p.value == "0.9" and not lines_with(app, "top-p cannot"))
        await write(pilot, "hello")
        await wait_for(helper.chats)
        chat = helper.chats()[0]
        assert (chat["temperature"], chat["top_p"], chat["max_new_tokens"], chat["seed"]) == (0.7, 0.9, 12, 3)


async def test_what_the_helper_says_is_shown_and_asking_again_works(workspace):
    helper = CueHelper()
    helper.fails_with = RunFailedError("The helper process stopped; ask again and another is started.")
    app = with_run(workspace, helper)
    async with app.run_test(size=WIDE) as pilot:
        await write(pilot, "hello")
        await wait_for(lambda: lines_with(app, "The helper process stopped") and lines_with(app, "^g asks this again."))
        helper.fails_with = UserError("The prompt has 900 tokens; the model takes 512.")
        await pilot.press("ctrl+g")
        await wait_for(lambda: lines_with(app, "The prompt has 900 tokens; the model takes 512."))
        helper.fails_with = None
        await pilot.press("ctrl+g")
        await wait_for(lambda: app.pane.history[-1].state == DONE)
        assert [chat["messages"][0]["content"] for chat in helper.chats()] == ["hello"] * 3


async def test_models_are_loaded_ahead_for_a_run_and_only_on_demand_for_a_base(workspace):
    helper = CueHelper()
    app = with_run(workspace, helper)
    async with app.run_test(size=WIDE):
        await wait_for(lambda: [do for do, _ in helper.asked] == ["open_chat"])
    alone = CueHelper()
    app = with_run(workspace, alone, state=None)
    async with app.run_test(size=WIDE) as pilot:
        await wait_for(lambda: lines_with(app, "There is no run yet, so this is the base model alone."))
        await write(pilot, "hello")
        await wait_for(lambda: lines_with(app, "a city"))
        assert [do for do, _ in alone.asked] == ["chat"]
        assert alone.chats()[0]["model"]["path"] == "tiny" and alone.chats()[0]["sides"] == ["base"]


async def test_a_run_without_a_result_says_so_and_talks_to_its_base(workspace):
    helper = CueHelper()
    app = with_run(workspace, helper, state="running")
    async with app.run_test(size=WIDE) as pilot:
        app.pane.status = app.pane.run.read_status()
        await wait_for(lambda: lines_with(app, "brave-otter has no tuned model yet (it is running)"))
        await write(pilot, "hello")
        await wait_for(lambda: helper.chats() and helper.chats()[0]["sides"] == ["base"])
        app.pane.run.adapter.mkdir()
        app.pane.status = None
        await wait_for(lambda: lines_with(app, "tiny and brave-otter, LoRA"))


async def test_every_run_keeps_its_own_conversation(workspace):
    app = with_run(workspace, CueHelper())
    async with app.run_test(size=WIDE) as pilot:
        first = app.pane.run
        await write(pilot, "to the first")
        await wait_for(lambda: lines_with(app, "› to the first") and app.pane.history[-1].state == DONE)
        app.pane.run = make_run(workspace, name="calm-crane", state="finished")
        await wait_for(lambda: lines_with(app, "calm-crane") and not lines_with(app, "› to the first"))
        app.pane.run = first
        await wait_for(lambda: lines_with(app, "› to the first"))


async def test_up_brings_back_what_was_typed_and_clear_asks_first(workspace):
    app = with_run(workspace, CueHelper())
    async with app.run_test(size=WIDE) as pilot:
        for text in ("one", "two"):
            await write(pilot, text)
            await wait_for(lambda: app.pane.history[-1].state == DONE)
        await pilot.press("up")
        assert app.focused.value == "two"
        await pilot.press("up")
        assert app.focused.value == "one"
        await pilot.press("down", "down")
        assert app.focused.value == ""
        await pilot.press("f12")
        await wait_for(lambda: isinstance(app.screen, Question))
        await pilot.press("y")
        await wait_for(lambda: not app.pane.history and not lines_with(app, "› one"))


async def test_the_last_answer_is_copied_and_said(workspace):
    app = with_run(workspace, CueHelper(tuned="Li\x1bma"))
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("ctrl+y")
        await wait_for(lambda: app.sentences() == ["There is no answer to copy yet."])
        await write(pilot, "hello")
        await wait_for(lambda: app.pane.history and app.pane.history[-1].state == DONE)
        await pilot.press("ctrl+y")
        await wait_for(lambda: app.sentences()[-1] == "Copied what tuned said last.")
        assert app.clipboard == "Li\\x1bma"


async def test_resizing_while_text_streams_loses_nothing(workspace):
    helper = CueHelper(base="it is a city in the north", tuned="Lima")
    helper.go_on.clear()
    app = with_run(workspace, helper)
    async with app.run_test(size=WIDE) as pilot:
        await write(pilot, "hello")
        await helper.half_way.wait()
        for size in (SMALL, WIDE, USUAL):
            await pilot.resize_terminal(*size)
        helper.go_on.set()
        await wait_for(lambda: lines_with(app, "it is a city in the north") and lines_with(app, "Lima"))


async def test_a_recipe_that_holds_out_nothing_says_so(workspace):
    app = with_run(workspace, CueHelper(rows=[]))
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("ctrl+n")
        await wait_for(
            lambda: (
                app.sentences() == ["This recipe holds out no rows (data.held_out is 0); type a prompt of your own."]
            )
        )


def test_a_question_is_everything_before_the_last_answer():
    messages = [
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"}, {"role": "assistant", "content": "d"},
    ]  # fmt: skip
    question = question_from({"row": 3, "messages": messages})
    assert (question.prompt, question.answer, len(question.messages)) == ("c", "d", 4)
    assert question_from({"row": 3, "messages": messages, "problem": "too long"}) is None
    unanswered = question_from({"row": 3, "messages": messages[:2]})
    assert (unanswered.prompt, unanswered.answer, len(unanswered.messages)) == ("a", "", 2)
    assert question_from({"row": 3, "messages": []}) is None


def test_the_tally_counts_rows_and_not_attempts():
    def asked(row, base, tuned):
        texts = {"base": base, "tuned": tuned}
        return Exchange("p", (), ("base", "tuned"), expected="Lima", row=row, state=DONE, texts=texts)

    tally = count_right([asked(1, "Lima", "no"), asked(1, "no", " Lima\n"), asked(2, "no", "lima")])
    assert tally.asked == 2 and tally.right == {"base": 0, "tuned": 1}


@pytest.mark.slow
async def test_the_real_base_model_continues_bare_text_and_survives_the_helpers_death(workspace):
    async with Helper(workspace) as helper:
        app = with_run(workspace, helper, state=None)
        async with app.run_test(size=WIDE) as pilot:
            await pilot.press("ctrl+l")
            await write(pilot, "The capital of Peru is")
            await wait_for(lambda: app.pane.history[-1].state == DONE, 120)
            assert "Lima" in app.pane.history[-1].texts["base"]
            await wait_for(lambda: lines_with(app, "Lima"))
            await pilot.press("ctrl+l")
            before = helper.pid
            os.kill(before, signal.SIGSTOP)  # so that it cannot have answered before it dies
            await write(pilot, "Say a lot")
            await wait_for(lambda: lines_with(app, "loading") and lines_with(app, "waiting"))
            os.kill(before, signal.SIGKILL)
            await wait_for(lambda: lines_with(app, "The helper process stopped"), 30)
            await pilot.press("ctrl+g")
            await wait_for(lambda: app.pane.history[-1].state == DONE, 120)
            assert helper.pid != before and app.pane.history[-1].prompt == "Say a lot"
            await pilot.press("ctrl+n")
            await wait_for(lambda: lines_with(app, "Exact matches over 1 held-out question:"), 60)
            assert app.pane.history[-1].expected and "capital" in screen_text(app)
