"""screen.py - the story's lines, and on a terminal a live chart below them.

On a terminal the chart is redrawn in place and lines are printed above it. In a pipe there are only lines, and now and
then one that says how accurate the model is.
"""
import os
import shutil
import sys
import time

ROWS = 11           # of the chart: one for 0, 0.1, ... 1
REDRAW_EVERY_S = 0.2
PLAIN_EVERY_S = 3.0
GREEN, RED, DIM, BOLD, OFF = "\033[32m", "\033[31m", "\033[2m", "\033[1m", "\033[0m"


class Screen:
    def __init__(self, budget: float, stream=sys.stdout):
        self.stream, self.budget = stream, budget
        self.started_s = time.monotonic()
        self.live = stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.colour = self.live and "NO_COLOR" not in os.environ
        unicode = "utf" in (stream.encoding or "").lower()
        self.dot, self.rule, self.bar = ("•", "─", "│") if unicode else ("o", "-", "|")
        self.points: list[float] = []  # accuracy of each batch
        self.marks: dict[int, str] = {}  # number of a batch -> letter
        self.status = ""
        self.drawn_rows = 0
        self.last_drawn_s = 0.0

    def say(self, text: str, style: str = "") -> None:
        """A line of the story, with the time since the start."""
        self._erase()
        stamp = f"{time.monotonic() - self.started_s:6.1f} s  "
        for index, line in enumerate(text.splitlines() or [""]):
            self._print((self._paint(DIM, stamp) if index == 0 else " " * len(stamp)) + self._paint(style, line))
        self._draw()

    def plain(self, text: str = "") -> None:
        self._erase()
        self._print(text)
        self._draw()

    def mark(self, letter: str) -> None:
        """A letter at the foot of the chart, under the newest point."""
        self.marks[max(0, len(self.points) - 1)] = letter

    def add(self, accuracy: float, status: str) -> None:
        """One more batch. `status`: one line of how things stand."""
        self.points.append(accuracy)
        self.status = status
        now = time.monotonic()
        if now - self.last_drawn_s >= (REDRAW_EVERY_S if self.live else PLAIN_EVERY_S):
            self.last_drawn_s = now
            if self.live:
                self._erase()
                self._draw()
            else:
                self.say(status)

    def close(self) -> None:
        """Leaves the last chart standing."""
        self.live = False
        self.drawn_rows = 0

    def _draw(self) -> None:
        if not self.live or not self.points:
            return
        width, height = shutil.get_terminal_size()
        if height < ROWS + 5 or width < 40:
            rows = []
        else:
            rows = self.chart(width - 8)
        rows.append(self.status[:width - 1])
        self._print("\n".join(rows))
        self.drawn_rows = len(rows)

    def chart(self, columns: int) -> list[str]:
        per_column = max(1, -(-len(self.points) // columns))  # the whole run always fits
        means = [sum(part) / len(part) for part in
                 (self.points[at:at + per_column] for at in range(0, len(self.points), per_column))]
        budget_row = round(self.budget * (ROWS - 1))
        rows = []
        for row in range(ROWS - 1, -1, -1):
            ground = self._paint(DIM, self.rule) if row == budget_row else " "
            cells = [ground] * columns
            for column, mean in enumerate(means):
                if round(mean * (ROWS - 1)) == row:
                    cells[column] = self._paint(GREEN if mean >= self.budget else RED, self.dot)
            label = " " * 6
            if row in (budget_row, 0, ROWS - 1):
                label = f"{self.budget if row == budget_row else row / (ROWS - 1):5.2f} "
            rows.append(label + self.bar + "".join(cells))
        foot = [" "] * columns
        for batch, letter in self.marks.items():
            foot[min(batch // per_column, columns - 1)] = letter
        rows.append(" " * 7 + "".join(foot).rstrip())
        return rows

    def _erase(self) -> None:
        if self.drawn_rows:
            self.stream.write(f"\033[{self.drawn_rows}A\033[J")
            self.drawn_rows = 0

    def _print(self, text: str) -> None:
        self.stream.write(text + "\n")
        self.stream.flush()

    def _paint(self, style: str, text: str) -> str:
        return f"{style}{text}{OFF}" if style and self.colour else text
