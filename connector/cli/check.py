"""`connector check`: is the file right, do both sides answer, is everything there that we need?"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from connector.cli.common import config_option, ends_well, json_option, load_config, operate


@click.command()
@config_option
@click.option("--fix", is_flag=True, help="Create what is missing in the CRM.")
@json_option
@ends_well
def check(config_path: Path, fix: bool, as_json: bool) -> None:
    """Validate the file, talk to both sides, and say what to do. Exit code 0 when nothing is wrong."""
    from connector import terminal

    found = operate(load_config(config_path), "check", fix=fix)
    if as_json:
        terminal.show_json(found)
    else:
        terminal.checks(found)
    if any(one["level"] == "error" for one in found):
        sys.exit(1)
