"""The report of a played day: `python -m bench.day_report RUN_FOLDER`, from the hall's own log, into docs.

Everything is counted from the events and tickets in the database of the run, with nothing of the daemon's code but the
province's names for things; the plots are made with matplotlib.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import sys
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import matplotlib as mpl

from bench.day import DAY, RESTARTS

mpl.use("Agg")
from matplotlib import pyplot as plt

DOCS = Path(__file__).resolve().parents[1] / "docs"
OPENS = datetime.fromisoformat("2026-03-02T09:00:00+08:00").timestamp()
ORDER = "ATBFCGDHEJNP"
BLUE, ORANGE, GREEN, GREY = "#2a64a6", "#b4420e", "#2b7a3f", "#8a99a8"


@dataclass
class Ticket:
    """A number as the log tells it. Seconds after opening."""

    number: str
    queue: str
    issued: float
    priority: str
    ahead: int
    expected: float | None
    called: float | None = None
    """First call."""
    window: str = ""
    serving: float | None = None
    ended: float | None = None
    requeued: bool = False
    moved: bool = False
    booked: bool = False
    """Came with an appointment, honoured or too late."""
    slot: float | None = None
    """When the slot of an honoured appointment begins."""

    @property
    def wait(self) -> float:
        """Until the first call: from the number on, or from the slot on for who came before it."""
        return (self.called or 0.0) - max(self.issued, self.slot or 0.0)


def read(database: Path) -> tuple[dict[str, Ticket], list[dict[str, Any]]]:
    """Tickets by id, and all events."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    seen: set[str] = set()
    tickets: dict[str, Ticket] = {}
    events = []
    for event_id, kind, body in connection.execute("SELECT id, type, body FROM event ORDER BY number"):
        if event_id in seen:
            continue
        seen.add(event_id)
        event = json.loads(body)
        events.append({"type": kind, "at": _seconds(event["time"]), **event["data"]})
        _tell(tickets, kind.split(".", 1)[1].removesuffix(".v1"), events[-1])
    connection.close()
    return tickets, events


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp() - OPENS


def _tell(tickets: dict[str, Ticket], kind: str, event: dict[str, Any]) -> None:
    at = event["at"]
    if kind == "ticket.issued":
        tickets[event["ticket_id"]] = Ticket(
            number=event["display_no"], queue=event["queue_code"], issued=at, priority=event["priority"],
            ahead=event["waiting_ahead"], expected=event.get("est_wait_s"), booked="appointment_id" in event,
        )  # fmt: skip
        return
    ticket = tickets.get(event.get("ticket_id", ""))
    if ticket is None:
        return
    if kind == "appointment.checked_in" and ticket.priority == "appointment":
        ticket.slot = at - event["slot_delta_s"]
    elif kind == "ticket.called" and ticket.called is None:
        ticket.called, ticket.window = at, event["window_code"]
    elif kind == "ticket.serving_started":
        ticket.serving, ticket.window = at, event["window_code"]
    elif kind == "ticket.finished":
        ticket.ended = at
    elif kind == "ticket.requeued":
        ticket.requeued = True
    elif kind == "ticket.transferred":
        ticket.moved = True


# --- figures ----------------------------------------------------------------------------------------------------------


def waits_by_queue(tickets: list[Ticket]) -> list[str]:
    lines = [
        "| queue | numbers | mean wait | median | 90 % below | longest |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for queue in [*ORDER, ""]:
        waits = sorted(t.wait / 60 for t in tickets if t.called is not None and queue in ("", t.queue))
        if waits:
            name = queue or "**all**"
            lines.append(
                f"| {name} | {len(waits)} | {statistics.fmean(waits):.1f} | {statistics.median(waits):.1f} "
                f"| {waits[int(len(waits) * 0.9)]:.1f} | {waits[-1]:.1f} |"
            )
    return lines


def fairness(tickets: list[Ticket]) -> dict[str, float]:
    """Who was called after somebody of the same queue and lane who came later, without a detour of their own."""
    lanes: dict[tuple[str, str], list[Ticket]] = defaultdict(list)
    for ticket in tickets:
        if ticket.called is not None and ticket.slot is None:
            lanes[ticket.queue, ticket.priority].append(ticket)
    passed, late = 0, []
    for line in lanes.values():
        line.sort(key=lambda t: t.issued)
        earliest_after = float("inf")
        for ticket in reversed(line):
            called = ticket.called or 0.0
            if earliest_after < called - 0.5:
                passed += 1
                late.append(called - earliest_after)
            earliest_after = min(earliest_after, called)
    by_lane = {
        name: statistics.fmean(waits) / 60 if (waits := [t.wait for t in line]) else 0.0
        for name, line in (
            ("elder", [t for t in tickets if t.called is not None and t.priority == "elder"]),
            ("normal", [t for t in tickets if t.called is not None and t.priority == "normal"]),
        )
    }
    calls = [t.wait for t in tickets if t.called is not None]
    return {
        "called": len(calls), "passed": passed, "passed_most_s": max(late, default=0.0),
        "elder_min": by_lane["elder"], "normal_min": by_lane["normal"], "longest_min": max(calls) / 60,
    }  # fmt: skip


def appointments(tickets: list[Ticket]) -> dict[str, float]:
    """How those fared who had booked. Waits in minutes after the slot began, or after the check-in where that came
    later."""
    honoured = [t for t in tickets if t.slot is not None]
    waits = sorted(t.wait / 60 for t in honoured if t.called is not None)
    return {
        "honoured": len(honoured), "late": sum(t.booked and t.slot is None for t in tickets),
        "too_soon": sum(t.called is not None and t.called < (t.slot or 0.0) - 1 for t in honoured),
        "mean_min": statistics.fmean(waits) if waits else 0.0,
        "p90_min": waits[int(len(waits) * 0.9)] if waits else 0.0,
    }  # fmt: skip


def estimate_error(tickets: list[Ticket]) -> dict[str, float]:
    told = [(t, t.called - t.issued) for t in tickets if t.called is not None and t.expected is not None]
    waited = [(t, w) for t, w in told if w > 60 or (t.expected or 0) > 60]
    off = [abs((t.expected or 0) - w) / 60 for t, w in told]
    share = [abs((t.expected or 0) - w) / max(w, 300) for t, w in waited]
    bias = [((t.expected or 0) - w) / 60 for t, w in told]
    normal = [abs((t.expected or 0) - w) / 60 for t, w in told if t.priority == "normal"]
    return {
        "told": len(told), "untold": sum(t.expected is None for t in tickets), "mean_min": statistics.fmean(off),
        "median_min": statistics.median(off), "p90_min": sorted(off)[int(len(off) * 0.9)],
        "bias_min": statistics.fmean(bias), "share": statistics.median(share), "normal_min": statistics.fmean(normal),
    }  # fmt: skip


def utilisation(tickets: list[Ticket], events: list[dict[str, Any]]) -> dict[str, tuple[float, float]]:
    """Window → hours with a clerk, share of them with somebody called or served."""
    there: dict[str, float] = defaultdict(float)
    since: dict[str, float] = {}
    end = max(t.ended or 0.0 for t in tickets)
    for event in events:
        if event["type"] != "hall.operator.acted.v1" or not event["target"].startswith("window/"):
            continue
        window = event["target"].removeprefix("window/")
        if event["action"] == "sign_in":
            since.setdefault(window, event["at"])
        elif event["action"] == "sign_out" and window in since:
            there[window] += event["at"] - since.pop(window)
    for window, at in since.items():
        there[window] += max(0.0, end - at)
    busy: dict[str, float] = defaultdict(float)
    open_call: dict[str, float] = {}
    for event in events:
        kind = event["type"].split(".", 1)[1].removesuffix(".v1")
        if kind == "ticket.called" and event["call_no"] == 1:
            open_call[event["window_code"]] = event["at"]
        elif kind in ("ticket.finished", "ticket.no_show", "ticket.transferred"):
            window = event.get("window_code") or event.get("from_window", "")
            if window in open_call:
                # Who was still being called when the day was closed kept the window until the last one had left.
                busy[window] += max(0.0, min(event["at"], end) - open_call.pop(window))
    return {w: (hours / 3600, busy[w] / hours) for w, hours in there.items() if hours > 0}


# --- pictures ---------------------------------------------------------------------------------------------------------


def _hours(axis: Any) -> None:
    axis.set_xticks(range(10), [f"{9 + h}:00" for h in range(10)])


def plot_waiting(tickets: list[Ticket], file: Path) -> None:
    figure, axis = plt.subplots(figsize=(9, 3.8))
    moments = [m * 120 for m in range(-1, 270)]
    stacks = []
    for queue in ORDER:
        steps = sorted(
            [(t.issued, 1) for t in tickets if t.queue == queue]
            + [(t.called, -1) for t in tickets if t.queue == queue and t.called is not None]
        )
        counts, place, now = [], 0, 0
        for moment in moments:
            while place < len(steps) and steps[place][0] <= moment:
                now += steps[place][1]
                place += 1
            counts.append(now)
        stacks.append(counts)
    axis.stackplot([m / 3600 for m in moments], *stacks, labels=list(ORDER), colors=mpl.color_sequences["tab20"])
    for n, closure in enumerate(DAY.closures):
        axis.axvspan(closure.start_s / 3600, closure.end_s / 3600, ymin=0.97, color=GREY)
        axis.text(
            closure.start_s / 3600, 1.01 + n % 2 * 0.05, f"{closure.windows} closed", fontsize=7, transform=_above(axis)
        )
    for at_s, how in RESTARTS.items():
        axis.axvline(at_s / 3600, color=ORANGE, linewidth=1, linestyle="--")
        axis.text(at_s / 3600 + 0.03, 0.9, f"daemon: {how}", fontsize=7, color=ORANGE, transform=_above(axis))
    axis.set_ylabel("people waiting")
    axis.legend(loc="upper right", ncols=4, fontsize=7, title="queue", title_fontsize=7)
    _hours(axis)
    _save(figure, file)


def _above(axis: Any) -> Any:
    """Hours across, share of the height up."""
    return axis.get_xaxis_transform()


def plot_waits(tickets: list[Ticket], file: Path) -> None:
    figure, axis = plt.subplots(figsize=(9, 3.2))
    data = [[t.wait / 60 for t in tickets if t.called is not None and t.queue == q] for q in ORDER]
    axis.boxplot(data, tick_labels=list(ORDER), whis=(5, 95), showfliers=False)
    axis.set_ylabel("wait, minutes (box: middle half; whiskers: 5-95 %)", fontsize=7)
    axis.set_xlabel("queue")
    _save(figure, file)


def plot_estimates(tickets: list[Ticket], file: Path) -> None:
    figure, axis = plt.subplots(figsize=(5.2, 5))
    told = [t for t in tickets if t.called is not None and t.expected is not None]
    for priority, colour in (("normal", BLUE), ("elder", ORANGE), ("appointment", GREEN)):
        mine = [t for t in told if t.priority == priority]
        axis.scatter(
            [(t.expected or 0) / 60 for t in mine], [((t.called or 0) - t.issued) / 60 for t in mine], s=3, alpha=0.35,
            color=colour, label=priority, linewidths=0,
        )  # fmt: skip
    top = max((t.called or 0) - t.issued for t in told) / 60
    axis.plot([0, top], [0, top], color=GREY, linewidth=1)
    axis.set_xlabel("told with the number, minutes")
    axis.set_ylabel("waited, minutes")
    axis.legend(markerscale=3, fontsize=8)
    _save(figure, file)


def plot_utilisation(used: dict[str, tuple[float, float]], file: Path) -> None:
    figure, axis = plt.subplots(figsize=(9, 2.8))
    windows = sorted(used, key=int)
    axis.bar([int(w) for w in windows], [used[w][1] * 100 for w in windows], color=BLUE)
    axis.set_ylabel("% of the time with a clerk", fontsize=8)
    axis.set_xlabel("window")
    axis.set_ylim(0, 100)
    axis.set_xlim(0, 91)
    _save(figure, file)


def _save(figure: Any, file: Path) -> None:
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    plt.close(figure)


# --- the page ---------------------------------------------------------------------------------------------------------


def write(run: Path) -> None:
    """docs/day-in-the-hall.md and its pictures."""
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    found, events = read(run / "run" / "var" / "hall.db")
    tickets = list(found.values())
    pictures = DOCS / "day"
    pictures.mkdir(parents=True, exist_ok=True)
    used = utilisation(tickets, events)
    plot_waiting(tickets, pictures / "waiting.png")
    plot_waits(tickets, pictures / "waits.png")
    plot_estimates(tickets, pictures / "estimates.png")
    plot_utilisation(used, pictures / "utilisation.png")
    page = _page(summary, tickets, events, used) + (OVERVIEW if (pictures / "overview.png").exists() else "")
    (DOCS / "day-in-the-hall.md").write_text(page, encoding="utf-8")


def _page(
    summary: dict[str, Any], tickets: list[Ticket], events: list[dict[str, Any]], used: dict[str, tuple[float, float]]
) -> str:
    fair, error, booked = fairness(tickets), estimate_error(tickets), appointments(tickets)
    kinds: dict[str, int] = defaultdict(int)
    for event in events:
        kinds[event["type"].split(".", 1)[1].removesuffix(".v1")] += 1
    shares = sorted(share for _, share in used.values())
    oracle = "no violation" if not summary["oracle"] else f"{len(summary['oracle'])} violations"
    return TEMPLATE.format(
        **fair, residents=len(tickets), requests=summary["requests"], minutes=summary["played_s"] / 60,
        delivered_min=summary["delivered_s"] / 60, restarts=" and ".join(f"{s} s" for s in summary["restarts_s"]),
        oracle=oracle, lost=summary["lost"], events=len(events), no_shows=kinds["ticket.no_show"],
        requeued=kinds["ticket.requeued"], transferred=kinds["ticket.transferred"], finished=kinds["ticket.finished"],
        expired=kinds["ticket.expired"], elders=sum(t.priority == "elder" for t in tickets),
        table="\n".join(waits_by_queue(tickets)), **{f"e_{key}": value for key, value in error.items()},
        used_mean=statistics.fmean(shares), used_low=shares[0], used_high=shares[-1],
        **{f"b_{key}": value for key, value in booked.items()}, booked=summary["booked"],
        cpu=summary["cpu_s"], cores=summary["cores"], load=summary["load"],
        away=summary["booked"] - booked["honoured"] - booked["late"], repeated=summary["repeated"],
        hours=sum(hours for hours, _ in used.values()),
        refused=", ".join(f"{times} {code}" for code, times in sorted(summary["refused"].items())) or "none",
    )  # fmt: skip


TEMPLATE = """\
# A day in the big hall

Made by `make day`: {residents} residents, 90 windows, 12 queues, 5 zones, from 9:00 to the last one's leaving, played
on the running daemon through HTTP in compressed time. Nothing below is put in by hand; it is counted from the event log
of the run.

How it is played: the daemon is a process of its own with its database, its outbox and the province's twin, on a clock
that stands in a file and is moved on two seconds at a time (`bench/day_daemon.py`; no option of the daemon leads
there). All that is due within a slice is asked at once by eight threads. The hall has **no devices** in this run,
because a printer and a display take the time they take: numbers are taken at `POST /tickets` and
`POST /tickets/check-in`, and 90 clerks sign in by staff number and PIN and call as the counter screen does. Residents
come by the weights of the catalogue in two peaks. The catalogue's minutes are those of a whole case: at these, 7,000
residents would need more than 200 windows, so a visit takes 27 % of them here, each item wrong in a way of its own,
each clerk of another speed; and windows 13-20, 49-78 and 81-90 take a neighbour's queue beside their own. The hall
opens and drains by its hours (9:00 to 17:00), and a manager closes it with the counts that the hall tells.

Three sudden closures (windows 31-36, 49-53, 1-5, each for an hour or two), breaks of every clerk, residents who stay
away when called (6 %), transfers (2 %), appointments that the hall pulls from the province, and two restarts with
requests in flight: killed at about 11:24, told to stop at 14:36. Whoever got no answer asks again with the same
`request_id`; clerks look at their screens.

| | |
| --- | --- |
| took | {minutes:.1f} min to play, {delivered_min:.1f} min until the province had acknowledged everything; on \
{cores} cores with a load of {load:.1f} |
| processor time | daemon {cpu[0]} s, residents, clerks and province {cpu[1]} s |
| requests | {requests} |
| in flight at a restart, asked again | {lost}; {repeated} of them had been given a number, and got the same one |
| restarts until ready again | {restarts} |
| oracle (`sim/oracle.py`, N1 to N5, N7 and N9) | {oracle} |
| events | {events} |
| finished, no-shows, put back in line | {finished}, {no_shows}, {requeued} |
| transferred, expired at close | {transferred}, {expired} |
| refused requests | {refused} |

## Waits

Minutes from the number to the first call; of appointments, from the slot on.

{table}

![People waiting over the day, by queue](day/waiting.png)
![Waits by queue](day/waits.png)

## Fairness

{passed} of {called} numbers were called for the first time after a later one of the same queue and lane (the longest
such overtaking: {passed_most_s:.0f} s), appointments aside. The {elders} elders, who count as having come twenty
minutes earlier, waited {elder_min:.1f} minutes on average, those without a bonus
{normal_min:.1f}; nobody waited longer than {longest_min:.0f} minutes.

{booked} residents had booked: {b_honoured} checked in in time and were called {b_mean_min:.1f} minutes after the slot
began on average (nine of ten within {b_p90_min:.1f}), {b_too_soon} of them before it; {b_late} came after the grace and
got an ordinary number, {away} did not come.

## Estimates

Told with the number (`est_wait_s` of the event), compared with the first call: {e_told} numbers, {e_untold} without an
estimate. The mean error is **{e_mean_min:.2f} minutes**, the median {e_median_min:.2f}, nine of ten below
{e_p90_min:.1f}; on average the estimate is {e_bias_min:+.2f} minutes off. Of those who waited, half were told a wait
within {e_share:.0%} of the true one. `make bench ARGS=waits` compares the function with the naive rule on three days.

![Told and waited](day/estimates.png)

## Windows

Clerks were at their windows for {hours:.0f} hours; for {used_mean:.0%} of that time somebody was called or served there
(from {used_low:.0%} to {used_high:.0%} by window).

![Utilisation by window](day/utilisation.png)

"""
OVERVIEW = """
## The manager's page at 11:18

![The manager's page](day/overview.png)
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.day_report", description="Report of a played day.")
    parser.add_argument("run", type=Path, help="folder of python -m bench.day --run")
    write(parser.parse_args().run)
    return 0


if __name__ == "__main__":
    sys.exit(main())
