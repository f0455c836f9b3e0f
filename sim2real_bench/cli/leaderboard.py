"""Verbs ``leaderboard`` and ``submit``: accepted results beside published figures, and how a result is accepted."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sim2real_bench.evaluation.leaderboard.board import Board, Leaderboard
    from sim2real_bench.evaluation.leaderboard.checks import Checked
    from sim2real_bench.evaluation.leaderboard.submit import SubmissionRequest

FAILED = 1
_PRINTED_WIDTH = 180


def command(
    benchmark: Annotated[
        str | None, typer.Option(help="For example stk-carla (its newest version) or stk-carla-v1; all when absent.")
    ] = None,
    backend: Annotated[str | None, typer.Option(help="Only rows measured on embedded or server.")] = None,
    preset: Annotated[str | None, typer.Option(help="Only rows measured with quick, standard or paper.")] = None,
    track: Annotated[
        str | None, typer.Option(help="driving, arm or perception, or one track such as gtav-cityscapes.")
    ] = None,
    results: Annotated[
        list[Path] | None, typer.Option(help="A further folder of submissions; repeatable.", file_okay=False)
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: the shape of table.json, and more keys.")
    ] = False,
    markdown: Annotated[Path | None, typer.Option(help="Write a Markdown file instead of printing.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write one self-contained HTML file instead of printing.")] = None,
) -> None:
    """Show accepted results beside the published figures of the papers.

    Everything measured is recomputed from episode records. Rows are ranked only with rows that drove the very same
    episodes on the same simulator; published rows are never ranked.
    """
    from sim2real_bench.evaluation.files import write_result_file
    from sim2real_bench.evaluation.leaderboard.board import Leaderboard
    from sim2real_bench.evaluation.leaderboard.board_text import to_markdown

    leaderboard = Leaderboard(results or ())
    boards = _boards(leaderboard, benchmark, track, backend, preset)
    if as_json:
        typer.echo(_json(boards, leaderboard, single=benchmark is not None, backend=backend))
    if markdown is not None:
        write_result_file(markdown, to_markdown(boards, leaderboard.published))
    if html is not None:
        from sim2real_bench.evaluation.leaderboard.page import to_html

        write_result_file(html, to_html(boards, leaderboard.published))
    for path in (markdown, html):
        if path is not None:
            typer.echo(f"wrote {path}", err=as_json)
    if not (as_json or markdown or html):
        _print(boards, leaderboard)


def submit(
    folder: Annotated[Path, typer.Argument(help="What evaluate wrote, or a submission somebody sent you.")],
    name: Annotated[str | None, typer.Option(help="Of the submission; the folder's name when absent.")] = None,
    author: Annotated[list[str] | None, typer.Option(help="Who measured it; repeatable.")] = None,
    contact: Annotated[str | None, typer.Option(help="A link or an address to ask.")] = None,
    note: Annotated[str | None, typer.Option(help="What a reader must know.")] = None,
    date: Annotated[str | None, typer.Option(help="YYYY-MM-DD; today (UTC) when absent.")] = None,
    card: Annotated[
        list[Path] | None,
        typer.Option(help="A checkpoint of the result that does not come with the package: its card is added."),
    ] = None,
    to: Annotated[
        Path | None, typer.Option(help="Folder of submissions; in a checkout the repository's own when absent.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put it in the place of a submission of that name.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Only check; write nothing.")] = False,
) -> None:
    """Check a result from end to end and add it to the leaderboard's folder.

    Every problem is printed, one line each: FILE:LINE:FIELD: what is wrong. With a problem nothing is written and the
    exit status is 1.
    """
    from sim2real_bench.evaluation.leaderboard import submit as submitting

    checked = submitting.check_folder(folder)
    _refuse(checked, folder)
    typer.echo(_summary(checked, folder))
    if check:
        return
    request = _request(folder, name, author, contact, note, date, card)
    target = submitting.submit(request, to or submitting.default_destination(), replace=replace)
    typer.echo(f"accepted: {target}. To share it, commit that folder and send it as a pull request")


def _boards(
    leaderboard: Leaderboard, benchmark: str | None, track: str | None, backend: str | None, preset: str | None
) -> list[Board]:
    from sim2real_bench.errors import ConfigurationError

    if benchmark is not None and track is not None:
        raise ConfigurationError(f"--benchmark {benchmark} and --track {track}: give one of them")
    if benchmark is not None:
        return [leaderboard.board(benchmark, backend, preset)]
    return leaderboard.selected(track, backend, preset) if track else leaderboard.boards(None, backend, preset)


def _json(boards: list[Board], leaderboard: Leaderboard, *, single: bool, backend: str | None) -> str:
    from sim2real_bench.evaluation.leaderboard.board import board_document

    documents = [board_document(board, leaderboard.published, backend) for board in boards]
    return json.dumps(documents[0] if single else {"boards": documents}, indent=2, allow_nan=False)


def _print(boards: list[Board], leaderboard: Leaderboard) -> None:
    from rich.console import Console

    from sim2real_bench.evaluation.leaderboard.board_text import to_terminal

    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, _PRINTED_WIDTH)
    console.print(to_terminal(boards, leaderboard.published, console.width))


def _refuse(checked: Checked, folder: Path) -> None:
    from sim2real_bench.untrusted import printable

    if not checked.problems:
        return
    shown = 200
    for problem in checked.problems[:shown]:
        typer.echo(printable(f"{folder.resolve().name}/{problem}", 1000), err=True)
    if len(checked.problems) > shown:
        typer.echo(f"... and {len(checked.problems) - shown} more", err=True)
    typer.echo(f"error: {len(checked.problems)} problem(s); nothing was written", err=True)
    raise typer.Exit(FAILED)


def _summary(checked: Checked, folder: Path) -> str:
    from sim2real_bench.evaluation.leaderboard.checks import cards_of

    if checked.plan is None:
        return f"{folder}: nothing to check"
    configuration = checked.plan.configuration
    cards = cards_of(checked)
    rows = ", ".join(
        f"{row.label} ({'card found' if row.checkpoint_hash in cards else 'no card'})"
        if row.checkpoint_hash
        else row.label
        for row in configuration.rows
    )
    return (
        f"{folder}: {len(checked.records)} records of {configuration.benchmark} on {configuration.backend}, preset "
        f"{configuration.preset}, every planned episode has its result. Rows: {rows}"
    )


def _request(
    folder: Path, name: str | None, author: list[str] | None, contact: str | None, note: str | None, date: str | None,
    card: list[Path] | None,
) -> SubmissionRequest:  # fmt: skip
    from sim2real_bench.errors import ConfigurationError
    from sim2real_bench.evaluation.leaderboard.submit import SubmissionRequest, resubmitted

    before = resubmitted(folder)
    authors = tuple(author or (before.authors if before else ()))
    contact = contact or (before.contact if before else None)
    missing = [flag for flag, value in (("--author", authors), ("--contact", contact)) if not value]
    if missing or contact is None:
        raise ConfigurationError(f"the result is in order; to submit it give {' and '.join(missing)}")
    return SubmissionRequest(
        folder=folder,
        name=name or (before.name if before else folder.resolve().name),
        authors=authors,
        contact=contact,
        date=date or (before.date if before else datetime.now(UTC).date().isoformat()),
        note=note if note is not None else (before.note if before else ""),
        checkpoints=tuple(card or ()),
    )
