"""Progress: plain lines that are few, an estimate that is right, a bar on a terminal."""

import io

import pytest

from sim2real_bench.cli.progress import PlainLines, duration, progress_display, remaining_s


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def lines_of(updates, total=100, done=0):
    """What is printed for (time, done) pairs."""
    stream, now = io.StringIO(), [0.0]
    lines = PlainLines("evaluate", total, "episodes", done, stream, clock=lambda: now[0])
    for time, count in updates:
        now[0] = time
        lines.update(count, f"mean {count} m")
    return stream.getvalue().splitlines()


def test_a_line_every_twentieth_of_the_work():
    assert len(lines_of([(0.01 * n, n) for n in range(101)])) == 21


def test_a_line_every_ten_seconds_when_little_happens():
    assert len(lines_of([(float(second), 1) for second in range(1, 41)])) == 4  # the first, then at 11, 21, 31 s


def test_the_last_line_always_comes():
    assert lines_of([(0.0, 98), (0.1, 99), (0.2, 100)])[-1].startswith("evaluate: 100/100 episodes")


def test_the_estimate_leaves_out_what_an_earlier_run_did():
    (line,) = lines_of([(30.0, 60)], done=50)
    assert line == "evaluate: 60/100 episodes, 0:30 so far, about 2:00 left; mean 60 m"
    assert remaining_s(0, 10, 5.0) is None


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (61, "1:01"), (3599.6, "1:00:00"), (7325, "2:02:05")])
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_not_a_terminal_means_plain_lines():
    stream = io.StringIO()
    with progress_display("evaluate", 2, "episodes", stream=stream) as update:
        update(1, "half way")
        update(2, "")
    assert [line.split(",")[0] for line in stream.getvalue().splitlines()] == [
        f"evaluate: {n}/2 episodes" for n in range(3)
    ]


def test_a_terminal_gets_a_bar(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with progress_display("evaluate", 2, "episodes", stream=stream) as update:
        update(2, "direct: mean 30 m")
    assert "2/2" in stream.getvalue()
    assert "direct: mean 30 m" in stream.getvalue()
