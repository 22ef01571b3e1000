"""The monitor pane, on run folders as a trainer leaves them."""

import shutil

import pytest
from hosting import Host, lines_with, make_run, screen_text, start_events, step_events, write_status
from waiting import wait_for

from workbench.app.charts.chart import Chart
from workbench.app.charts.drawing import Curve, draw_chart
from workbench.app.charts.lines import Lines
from workbench.app.charts.ticks import tick_labels, value_ticks
from workbench.app.messages import ChatRequested, ControlRequested, StartRequested
from workbench.app.panes.monitor import MonitorPane
from workbench.app.panes.monitor.curves import right_edge
from workbench.app.panes.monitor.log_tail import tail_lines
from workbench.app.screens.question import Question
from workbench.core.runs.events import EventReader, EventWriter
from workbench.core.runs.series import Series
from workbench.core.runs.view import RunView

WIDE, USUAL, SMALL = (120, 36), (80, 24), (60, 20)


def show(pane, folder):
    """Hand the pane a run as the app does."""
    pane.view = RunView().after_all(EventReader(folder.events).read())
    pane.status = folder.read_status()
    pane.run = folder


async def shown(workspace, pilot, **run):
    folder = make_run(workspace, **run)
    show(pilot.app.pane, folder)
    await wait_for(
        lambda: folder.name in screen_text(pilot.app) or run.get("state", "running") in screen_text(pilot.app)
    )
    return folder


async def test_without_a_run_it_says_what_to_do_and_a_click_starts_one():
    app = Host(MonitorPane())
    async with app.run_test(size=USUAL) as pilot:
        assert "Press s to start a run" in screen_text(app)
        await pilot.click("#empty-start")
        await wait_for(lambda: app.messages(StartRequested))


@pytest.mark.parametrize("size", [WIDE, USUAL, SMALL])
async def test_a_running_run_shows_its_state_its_figures_and_a_chart_at_every_size(workspace, size):
    app = Host(MonitorPane())
    async with app.run_test(size=size) as pilot:
        await shown(workspace, pilot)
        text = screen_text(app)
        for part in ("running", "step 60 of 100", "60%", "0:06 elapsed, 0:04 left", "0.7500", "base 6.3445", "50.0%"):
            assert part in text, part
        assert "643 MB" in text and "78,848" in text and "step 50" in text
        assert any(0x2800 < ord(letter) <= 0x28FF for letter in text)


async def test_the_wide_pane_shows_three_charts_and_the_samples_beside_them(workspace):
    app = Host(MonitorPane())
    async with app.run_test(size=WIDE) as pilot:
        await shown(workspace, pilot)
        text = screen_text(app)
        for part in ("Loss", "Learning rate", "Speed in tokens/s", "What is the capital of Peru?", "expected  Lima"):
            assert part in text
        assert "◆ held-out 0.7500" in text


async def test_a_narrow_pane_steps_through_the_charts_to_the_samples(workspace):
    app = Host(MonitorPane())
    async with app.run_test(size=USUAL) as pilot:
        await shown(workspace, pilot)
        assert lines_with(app, "Loss  ━ training")
        await pilot.press("v")
        await wait_for(lambda: lines_with(app, "Learning rate  4e-4"))
        await pilot.press("ctrl+t")
        await wait_for(lambda: lines_with(app, "Speed in tokens/s  2,000"))
        await pilot.press("v")
        await wait_for(lambda: lines_with(app, "What is the capital of Peru?"))
        await pilot.press("v")
        await wait_for(lambda: lines_with(app, "Loss  ━ training"))


async def test_sample_answers_are_marked_and_are_never_markup_or_escapes(workspace):
    app = Host(MonitorPane())
    async with app.run_test(size=WIDE) as pilot:
        await shown(workspace, pilot)
        assert lines_with(app, "base      ✗ wrong  a city")
        assert lines_with(app, "tuned     ✓ right  Lima")
        assert lines_with(app, "tuned     ✗ wrong  [bold]Rey\\x1b[31mkjavik")


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("paused", "p goes on"),
        ("finished", "Press 5 to talk to it."),
        ("stopped", "p resumes it from step 50. Press 5 to talk to what it has learned so far."),
        ("lost", "Its process ended without a word; p resumes it from step 50."),
        (
            "failed",
            "The loss is not a number; lower training.learning_rate. l shows its log; p resumes it from step 50.",
        ),
    ],
)
@pytest.mark.parametrize("size", [USUAL, SMALL])
async def test_every_state_is_said_in_words_with_what_can_be_done(workspace, state, says, size):
    app = Host(MonitorPane())
    async with app.run_test(size=size) as pilot:
        ended = "The loss is not a number; lower training.learning_rate."
        await shown(workspace, pilot, state=state, end_text=ended if state == "failed" else "")
        assert state in screen_text(app).splitlines()[0]
        flat = " ".join(line.strip() for line in screen_text(app).splitlines()[1:4])
        assert says in flat


async def test_a_run_that_failed_before_its_first_checkpoint_starts_again_from_the_beginning(workspace):
    app = Host(MonitorPane())
    async with app.run_test(size=USUAL) as pilot:
        await shown(workspace, pilot, state="failed", step=3, end_text="[red]It\x1b[31m broke.")
        assert lines_with(app, "[red]It\\x1b[31m broke.")
        assert lines_with(app, "p starts it again from the beginning.")


async def test_p_pauses_a_running_run_and_the_pane_says_so_until_the_trainer_obeys(workspace):
    app = Host(MonitorPane())
    async with app.run_test(size=USUAL) as pilot:
        folder = await shown(workspace, pilot)
        await pilot.press("p")
        await wait_for(lambda: [message.want for message in app.messages(ControlRequested)] == ["pause"])
        await wait_for(lambda: lines_with(app, "Asked to pause after this step."))
        write_status(folder, "paused", 60, 100)
        app.pane.status = folder.read_status()
        await wait_for(lambda: lines_with(app, "paused"))
        assert not lines_with(app, "Asked to pause")
        await pilot.press("ctrl+e")
        await wait_for(lambda: [message.want for message in app.messages(ControlRequested)] == ["pause", "run"])


@pytest.mark.parametrize("state", ["stopped", "failed", "lost"])
async def test_p_resumes_a_run_that_has_ended_early(workspace, state):
    app = Host(MonitorPane())
    async with app.run_test(size=USUAL) as pilot:
        await shown(workspace, pilot, state=state)
        await pilot.press("p")
        await wait_for(lambda: [message.want for message in app.messages(ControlRequested)] == ["run"])


async def test_x_stops_only_after_a_yes(workspace):
    app = Host(MonitorPane())
    async with app.run_test(size=USUAL) as pilot:
        await shown(workspace, pilot)
        await pilot.press("x")
        await wait_for(lambda: isinstance(app.screen, Question))
        await pilot.press("escape")
        await wait_for(lambda: not isinstance(app.screen, Question))
        assert not app.messages(ControlRequested)
        await pilot.press("x")
        await wait_for(lambda: isinstance(app.screen, Question))
        assert lines_with(app, "can be resumed later")
        await pilot.press("y")
        await wait_for(lambda: [message.want for message in app.messages(ControlRequested)] == ["stop"])


async def test_k_and_its_button_ask_for_a_checkpoint(workspace):
    app = Host(MonitorPane())
    async with app.run_test(size=WIDE) as pilot:
        folder = await shown(workspace, pilot)
        await pilot.press("k")
        await pilot.click("#do-checkpoint")
        await wait_for(lambda: [message.want for message in app.messages(ControlRequested)] == ["checkpoint"] * 2)
        await wait_for(lambda: lines_with(app, "Asked for a checkpoint after this step."))
        EventWriter(folder.events).write("checkpoint", 61, path="checkpoints/step-61", bytes=1000)
        show(app.pane, folder)
        await wait_for(lambda: not lines_with(app, "Asked for a checkpoint") and lines_with(app, "step 61"))


async def test_a_finished_run_can_be_talked_to_and_no_longer_controlled(workspace):
    app = Host(MonitorPane())
    async with app.run_test(size=WIDE) as pilot:
        folder = await shown(workspace, pilot, state="finished", step=100)
        await pilot.press("p", "x", "k")
        await pilot.click("#do-chat")
        await wait_for(lambda: [message.folder for message in app.messages(ChatRequested)] == [folder])
        assert not app.messages(ControlRequested)


async def test_l_shows_the_end_of_the_log_with_its_control_characters_written_out(workspace):
    app = Host(MonitorPane())
    async with app.run_test(size=USUAL) as pilot:
        folder = await shown(workspace, pilot)
        await pilot.press("l")
        await wait_for(lambda: lines_with(app, "ready \\x1b[31m[bold]red"))
        with folder.log.open("a") as log:
            log.write("one more line\n")
        await wait_for(lambda: lines_with(app, "one more line"))
        await pilot.press("l")
        await wait_for(lambda: lines_with(app, "Loss  ━ training"))


async def test_the_log_follows_its_newest_line_and_shows_a_rewritten_line_as_it_ended(tmp_path):
    log = tmp_path / "log.txt"
    log.write_bytes(b"\n".join(b"line %d" % number for number in range(50_000)) + b"\n10%\r50%\r100%\n")
    assert tail_lines(log, 3) == ["line 49998", "line 49999", "100%"]
    assert tail_lines(tmp_path / "missing", 3) == []


async def test_new_events_reach_the_screen_at_most_once_a_second(workspace, monkeypatch):
    app = Host(MonitorPane())
    async with app.run_test(size=USUAL) as pilot:
        folder = await shown(workspace, pilot)
        drawn = []
        monkeypatch.setattr(Chart, "show", lambda chart, *rest, **more: drawn.append(chart.id))
        writer, reader = EventWriter(folder.events), EventReader(folder.events)
        view = RunView().after_all(reader.read())
        for step in range(61, 81):
            step_events(writer, step, step)
            app.pane.view = view = view.after_all(reader.read())
            await pilot.pause()
        assert drawn.count("loss") <= 1
        await wait_for(lambda: lines_with(app, "step 80 of 100"))
        assert drawn.count("loss") <= 2


async def test_a_resumed_run_goes_back_to_its_checkpoint_and_on_from_there(workspace):
    app = Host(MonitorPane())
    async with app.run_test(size=USUAL) as pilot:
        folder = await shown(workspace, pilot, state="lost")
        writer = EventWriter(folder.events)
        start_events(writer, resumed_from=50)
        step_events(writer, 51, 55)
        write_status(folder, "running", 55, 100)
        show(app.pane, folder)
        await wait_for(lambda: lines_with(app, "step 55 of 100"))
        assert "running" in screen_text(app).splitlines()[0]
        assert [point[0] for point in app.pane.view.loss.points] == list(range(1, 56))


async def test_it_says_that_the_trainer_is_starting_until_the_first_event(workspace):
    app = Host(MonitorPane())
    async with app.run_test(size=USUAL):
        folder = make_run(workspace, state="queued", step=0)
        folder.events.unlink()
        show(app.pane, folder)
        await wait_for(lambda: lines_with(app, "The trainer is starting"))
        assert lines_with(app, "queued")


async def test_a_resize_while_it_runs_keeps_every_part(workspace):
    app = Host(MonitorPane())
    async with app.run_test(size=WIDE) as pilot:
        await shown(workspace, pilot)
        for size in (SMALL, WIDE, USUAL, WIDE):
            await pilot.resize_terminal(*size)
            await wait_for(lambda: lines_with(app, "step 60 of 100") and lines_with(app, "base 6.3445"))
        await wait_for(lambda: lines_with(app, "Speed in tokens/s"))


async def test_a_run_folder_that_vanishes_is_no_crash(workspace):
    app = Host(MonitorPane())
    async with app.run_test(size=USUAL) as pilot:
        folder = await shown(workspace, pilot)
        shutil.rmtree(folder.path)
        await pilot.press("l")
        app.pane.status = folder.read_status()
        await wait_for(lambda: lines_with(app, "lost"))


async def test_a_redraw_sends_only_the_pieces_of_lines_that_changed(workspace, monkeypatch):
    app = Host(MonitorPane())
    async with app.run_test(size=WIDE) as pilot:
        folder = await shown(workspace, pilot)
        sent = []
        refresh = Lines.refresh
        monkeypatch.setattr(
            Lines, "refresh", lambda line, *regions, **more: sent.extend(regions) or refresh(line, *regions, **more)
        )
        writer = EventWriter(folder.events)
        step_events(writer, 61, 61)
        show(app.pane, folder)
        await wait_for(lambda: lines_with(app, "step 61 of 100"))
        assert sent and sum(region.area for region in sent) < 0.25 * 120 * 36


def falling(count):
    series = Series()
    for step in range(1, count + 1):
        series = series.with_point(step, 10.0 / step)
    return series


def test_a_chart_is_exactly_as_large_as_asked_and_names_its_axes():
    for width, height in ((60, 12), (40, 8), (24, 5), (16, 4)):
        lines = draw_chart([Curve("training", falling(300))], width, height, title="Loss")
        assert len(lines) == height
        assert all(line.cell_length <= max(width, 20) for line in lines)
        assert lines[-1].plain.endswith("step 300")


def test_a_chart_without_braille_is_plain_ascii_but_for_nothing():
    held_out = Series(((1, 9.0), (150, 1.0), (300, 0.5)), 0.5)
    curves = [Curve("training", falling(300)), Curve("held-out", held_out, mark="◆", dashed=True)]
    lines = draw_chart(curves, 60, 12, title="Loss", ascii_only=True)
    assert all(line.plain.isascii() for line in lines)
    assert sum(line.plain.count("+") for line in lines[1:-1]) >= 3


def test_a_chart_of_no_or_one_or_equal_points_is_drawn():
    assert "no figures yet" in draw_chart([Curve("", Series())], 40, 8)[1].plain
    for points in (((5, 2.0),), ((1, 2.0), (9, 2.0))):
        assert len(draw_chart([Curve("", Series(points, 2.0))], 40, 8)) == 8


def test_the_extremes_of_a_long_noisy_series_are_on_the_chart():
    series = Series()
    for step in range(1, 20_001):
        series = series.with_point(step, 100.0 if step == 7_777 else 1.0)
    lines = draw_chart([Curve("", series)], 60, 12)
    assert any(ord(letter) > 0x2800 for letter in lines[2].plain if letter not in "│┤")


def test_ticks_enclose_the_values_and_are_told_apart():
    for low, high in ((0.0041, 6.3), (1e-5, 2e-4), (493.0, 2_700.0), (11_000.0, 13_500.0), (-3.0, 5.0)):
        ticks = value_ticks(low, high, 4)
        assert ticks[0] <= low <= high <= ticks[-1] and len(ticks) <= 5
        assert len(set(tick_labels(ticks))) == len(ticks)


def test_theright_edge_stays_while_the_curve_fills_half_of_the_chart():
    edges = {step: right_edge(RunView(step=step, steps=1000)) for step in range(1, 1001)}
    assert all(edge >= step for step, edge in edges.items())
    assert len(set(edges.values())) <= 7
    assert edges[600] == 1000
