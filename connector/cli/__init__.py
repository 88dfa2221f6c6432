"""The commands. Each module holds a family; what they do is elsewhere."""

from __future__ import annotations

import click

from connector import __version__
from connector.cli.backfill import backfill
from connector.cli.backup import backup, restore
from connector.cli.check import check
from connector.cli.database import database
from connector.cli.events import events, links
from connector.cli.first_config import config, init
from connector.cli.review import review
from connector.cli.running import demo, sandbox, serve
from connector.cli.sample import send_sample


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="connector")
def main() -> None:
    """Booking webhooks in, linked CRM customers out."""


_STORED = (events, review, links, backup, restore, database)
for command in (demo, init, config, serve, backfill, check, send_sample, *_STORED, sandbox):
    main.add_command(command)
