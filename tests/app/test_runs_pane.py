"""The runs pane, on a workspace with runs in every state."""

import time

import pytest
from hosting import Host, lines_with, make_run, screen_text
from waiting import wait_for

from workbench.app.messages import ChatRequested, ControlRequested, RecipeOpened, RunChosen
from workbench.app.panes.runs import RunsPane
from workbench.app.panes.runs.compare_view import CompareTable
from workbench.app.panes.runs.delete import delete_run
from workbench.app.panes.runs.rows import COLUMNS, columns_for, started_text
from workbench.app.screens.question import Question
from workbench.core.errors import UserError
from workbench.core.runs.listing import list_runs

WIDE, USUAL, SMALL = (120, 36), (80, 24), (60, 20)
STATES = ("finished", "running", "paused", "stopped", "failed", "lost")


def facts(loss, score):
    return {
        "steps": 100, "seconds": 10.0, "base_loss": 6.3445, "held_out_loss": loss, "base_score": 0.0, "score": score,
        "scored": 32, "trainable_parameters": 78_848, "share": 0.0618, "adapter_bytes": 321_000,
        "memory": {"predicted": 643_000_000, "measured": 61_700_000}, "tokens_per_second": 2_000.0,
    }  # fmt: skip


def with_runs(workspace, *names_and_states):
    for place, (name, state) in enumerate(names_and_states):
        left = facts(0.5 + place / 10, 0.9 - place / 10) if state == "finished" else None
        make_run(workspace, name, state, facts=left)
        time.sleep(0.002)  # so that they do not start in the same millisecond
    pane = RunsPane()
    pane.set_reactive(RunsPane.runs, tuple(list_runs(workspace)))
    return Host(pane)


def cursor_line(app):
    return next((line for line in screen_text(app).splitlines() if line[1:2] == "›"), "")


async def test_without_runs_it_says_how_to_get_one(workspace):
    app = with_runs(workspace)
    async with app.run_test(size=USUAL):
        await wait_for(lambda: lines_with(app, "No runs yet.") and lines_with(app, "Press s to start a run"))


@pytest.mark.parametrize("size", [WIDE, USUAL, SMALL])
async def test_every_run_is_listed_with_its_state_in_words_newest_first(workspace, size):
    app = with_runs(workspace, *((f"run-{state}", state) for state in STATES))
    async with app.run_test(size=size):
        await wait_for(lambda: all(lines_with(app, f"run-{state}") for state in STATES))
        for state in STATES:
            assert state in lines_with(app, f"run-{state}")[0].partition(f"run-{state}")[2]
        assert "run-lost" in screen_text(app).splitlines()[1]


async def test_a_finished_run_shows_its_facts_and_a_lost_one_what_its_events_tell(workspace):
    app = with_runs(workspace, ("done", "finished"), ("gone", "lost"))
    async with app.run_test(size=(160, 30)):
        await wait_for(lambda: lines_with(app, "0.5000") and lines_with(app, "0.7500"))
        assert all(
            part in lines_with(app, "done")[0] for part in ("LoRA r=8", "6.3445", "0.5000", "90.0%", "today", "78,848")
        )
        assert all(part in lines_with(app, "gone")[0] for part in ("60 of 100", "6.3445", "0.7500", "50.0%"))


async def test_enter_follows_the_run_under_the_cursor_and_so_does_a_double_click(workspace):
    app = with_runs(workspace, ("first", "finished"), ("second", "finished"))
    async with app.run_test(size=USUAL) as pilot:
        await wait_for(lambda: "second" in cursor_line(app))
        await pilot.press("down")
        await wait_for(lambda: "first" in cursor_line(app))
        await pilot.press("enter")
        await wait_for(lambda: [message.folder.name for message in app.messages(RunChosen)] == ["first"])
        await pilot.click("#runs-table", offset=(6, 0), times=2)
        await wait_for(lambda: [message.folder.name for message in app.messages(RunChosen)] == ["first", "second"])


async def test_marked_runs_are_compared_in_a_table_and_a_chart(workspace):
    app = with_runs(workspace, ("one", "finished"), ("two", "finished"), ("three", "running"))
    async with app.run_test(size=WIDE) as pilot:
        await wait_for(lambda: "three" in cursor_line(app))
        await pilot.press("m")
        await wait_for(lambda: app.sentences() == ["Mark two runs or more with Space, then compare them."])
        await pilot.press("space", "space", "space")
        await wait_for(lambda: lines_with(app, "3 marked, m compares them."))
        await pilot.press("m")
        await wait_for(lambda: lines_with(app, "Held-out loss  ◆ three  ▲ two  ● one"))
        await wait_for(lambda: lines_with(app, "held-out loss"))
        line = next(line for line in lines_with(app, "held-out loss") if "base" not in line)
        assert "0.6000" in line and "0.5000 ✓" in line
        assert lines_with(app, "three is still running.")
        await pilot.press("v")
        await wait_for(lambda: lines_with(app, "Training loss"))
        await pilot.press("g")
        await wait_for(lambda: lines_with(app, "Training loss, log scale"))
        await pilot.press("escape")
        await wait_for(lambda: "one" in cursor_line(app))


async def test_the_comparison_names_what_differs_and_says_where_losses_cannot_be_compared(workspace):
    app = with_runs(workspace, ("one", "finished"), ("two", "finished"))
    recipe = workspace.runs / "one" / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("rank: 8", "rank: 4").replace("seed: 0", "seed: 1"))
    async with app.run_test(size=(120, 50)) as pilot:
        await wait_for(lambda: "two" in cursor_line(app))
        await pilot.press("space", "space", "m")
        await wait_for(lambda: lines_with(app, "method.rank"))
        assert lines_with(app, "The runs differ in training.seed")
        line = next(line for line in lines_with(app, "held-out loss") if "base" not in line)
        assert "✓" not in line


async def test_a_chat_needs_a_result(workspace):
    app = with_runs(workspace, ("one", "finished"), ("two", "running"))
    async with app.run_test(size=USUAL) as pilot:
        await wait_for(lambda: "two" in cursor_line(app))
        await pilot.press("c")
        await wait_for(
            lambda: app.sentences() == ["two has no tuned model to talk to; it writes one when it stops or finishes."]
        )
        await pilot.press("down", "c")
        await wait_for(lambda: [message.folder.name for message in app.messages(ChatRequested)] == ["one"])


async def test_its_recipe_becomes_the_current_one(workspace):
    app = with_runs(workspace, ("one", "finished"))
    async with app.run_test(size=USUAL) as pilot:
        await wait_for(lambda: "one" in cursor_line(app))
        await pilot.press("o")
        await wait_for(
            lambda: (
                [message.path for message in app.messages(RecipeOpened)]
                == [str(workspace.runs / "one" / "recipe.yaml")]
            )
        )


async def test_a_run_whose_recipe_cannot_be_read_is_listed_and_says_why(workspace):
    folder = make_run(workspace, "broken", "failed")
    folder.recipe.write_text("method: {name: [bold]}")
    app = with_runs(workspace)
    async with app.run_test(size=WIDE) as pilot:
        await wait_for(lambda: lines_with(app, "method.name cannot be ['bold']"))
        await pilot.press("o")
        await wait_for(lambda: app.sentences() and "method.name cannot be" in app.sentences()[0])
        assert not app.messages(RecipeOpened)


@pytest.mark.parametrize("state", ["paused", "stopped", "failed", "lost"])
async def test_a_run_that_waits_or_ended_early_is_resumed(workspace, state):
    app = with_runs(workspace, ("one", state))
    async with app.run_test(size=USUAL) as pilot:
        await wait_for(lambda: "one" in cursor_line(app))
        await pilot.press("r")
        await wait_for(lambda: [message.want for message in app.messages(ControlRequested)] == ["run"])
        assert [message.folder.name for message in app.messages(RunChosen)] == ["one"]


@pytest.mark.parametrize("state", ["finished", "running"])
async def test_a_run_that_is_done_or_going_on_is_not_resumed(workspace, state):
    app = with_runs(workspace, ("one", state))
    async with app.run_test(size=USUAL) as pilot:
        await wait_for(lambda: "one" in cursor_line(app))
        await pilot.press("r")
        await wait_for(lambda: app.sentences() and state in app.sentences()[0])
        assert not app.messages(ControlRequested)


async def test_a_run_is_deleted_after_a_yes_and_a_live_one_never(workspace):
    app = with_runs(workspace, ("old", "finished"), ("live", "running"))
    async with app.run_test(size=USUAL) as pilot:
        await wait_for(lambda: "live" in cursor_line(app))
        await pilot.press("d")
        await wait_for(lambda: app.sentences() == ["live is running; stop it before you delete it."])
        await pilot.press("down", "d")
        await wait_for(lambda: isinstance(app.screen, Question))
        await pilot.press("escape")
        await wait_for(lambda: not isinstance(app.screen, Question))
        assert (workspace.runs / "old").is_dir()
        await pilot.press("d")
        await wait_for(lambda: isinstance(app.screen, Question) and lines_with(app, "It cannot be brought back."))
        await pilot.press("y")
        await wait_for(lambda: not (workspace.runs / "old").exists() and not lines_with(app, "  old "))
        assert app.sentences()[-1] == "old is deleted."
        assert [path.name for path in workspace.runs.iterdir()] == ["live"]


def test_a_run_that_came_to_life_meanwhile_is_not_deleted(workspace):
    folder = make_run(workspace, "live", "running")
    with pytest.raises(UserError, match="live is running; stop it"):
        delete_run(folder)
    assert folder.recipe.is_file()


async def test_a_key_and_a_click_on_a_title_sort(workspace):
    app = with_runs(workspace, ("bee", "finished"), ("ant", "finished"), ("cow", "failed"))
    async with app.run_test(size=WIDE) as pilot:
        await wait_for(lambda: "cow" in cursor_line(app))
        await pilot.click("#runs-head", offset=(4, 0))
        await wait_for(lambda: "ant" in screen_text(app).splitlines()[1] and lines_with(app, "run▲"))
        await pilot.click("#runs-head", offset=(4, 0))
        await wait_for(lambda: "cow" in screen_text(app).splitlines()[1] and lines_with(app, "run▼"))
        assert "cow" in cursor_line(app)
        table = app.pane.query_one("#runs-table")
        table.sort_key = "time"
        following = table.columns[[column.key for column in table.columns].index("time") + 1]
        await pilot.press("t")
        await wait_for(
            lambda: lines_with(app, f"{following.title}▼" if following.descending else f"{following.title}▲")
        )


async def test_five_hundred_runs_are_listed_and_moved_through_at_once(workspace):
    recipe = make_run(workspace, "run-000", "finished", facts=facts(0.5, 0.9))
    for number in range(1, 500):
        folder = workspace.runs / f"run-{number:03d}"
        folder.mkdir()
        for name in ("recipe.yaml", "status.json", "facts.json", "events.jsonl"):
            (folder / name).write_bytes((recipe.path / name).read_bytes())
        (folder / "adapter").mkdir()
    app = with_runs(workspace)
    async with app.run_test(size=USUAL) as pilot:
        await wait_for(lambda: cursor_line(app))
        await pilot.press("end")
        await wait_for(
            lambda: lines_with(app, cursor_line(app)) and app.pane.query_one("#runs-table").scroll_offset.y > 400
        )
        start = time.perf_counter()
        for _ in range(20):
            await pilot.press("up")
        assert time.perf_counter() - start < 5
        await pilot.press("home")
        await wait_for(lambda: app.pane.query_one("#runs-table").scroll_offset.y == 0)


async def test_a_changed_state_reaches_its_line_and_the_cursor_stays_on_its_run(workspace):
    app = with_runs(workspace, ("one", "running"), ("two", "finished"))
    async with app.run_test(size=USUAL) as pilot:
        await wait_for(lambda: "two" in cursor_line(app))
        await pilot.press("down")
        make_run(workspace, "three", "queued")
        app.pane.runs = tuple(list_runs(workspace))
        await wait_for(lambda: lines_with(app, "three") and "one" in cursor_line(app))


def test_the_best_of_a_line_is_the_best_as_it_is_written():
    table = CompareTable()
    table._rows = [{"memory_measured": size, "score": 1.0} for size in (437_100_000, 437_200_000, 450_000_000)]
    assert table._best("memory_measured") == {0, 1}
    assert table._best("score") == set()
    table._rows = table._rows[:2]
    assert table._best("memory_measured") == set()


async def test_the_table_says_what_each_run_trained_and_what_it_took(workspace):
    app = with_runs(workspace, ("bee", "finished"))
    async with app.run_test(size=(120, 30)) as pilot:
        await wait_for(lambda: "bee" in cursor_line(app))
        await pilot.pause()
        shown = screen_text(app)
        assert "trained" in shown and "peak" in shown
        assert "78,848" in cursor_line(app) and "61.7 MB" in cursor_line(app)


def test_columns_leave_by_need_as_the_pane_narrows():
    for width in range(30, 200):
        shown = columns_for(width)
        assert sum(column.width + 2 for column in shown) <= max(width, 20)
        assert not shown or shown[0].key == "run"
    assert [column.key for column in columns_for(200)] == list(COLUMNS)
    assert {"run", "state", "method", "score"} <= {column.key for column in columns_for(56)}


def test_when_a_run_started_is_said_as_people_say_it():
    now = time.mktime((2026, 3, 12, 15, 0, 0, 0, 0, -1))
    assert started_text(time.mktime((2026, 3, 12, 14, 2, 0, 0, 0, -1)), now) == "today 14:02"
    assert started_text(time.mktime((2026, 3, 11, 14, 2, 0, 0, 0, -1)), now) == "11 Mar 14:02"
    assert started_text(time.mktime((2025, 3, 11, 14, 2, 0, 0, 0, -1)), now) == "11 Mar 2025"
    assert started_text(None) == "–"
