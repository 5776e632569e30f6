"""The command about the log of uses and refusals."""

from __future__ import annotations

from typing import Any

from cone.tokens.cli.command import Output
from cone.tokens.cli.command import Site
from cone.tokens.cli.command import site_command
from cone.tokens.cli.options import given
from cone.tokens.host.rendering import counted
from cone.tokens.tickets import log_file
from cone.tokens.tickets.commands import written
from cone.tokens.tickets.commands.site import parser_of
from cone.tokens.tickets.commands.site import service_of


@site_command(*written.ARGUMENTS, *written.FORM)
def scan_log(
    site: Site, output: Output, file: str, format_: str | None, separator: str, **values: Any
) -> None:
    """Write the log of uses and refusals to a CSV file or a workbook (xlsx).

    Those of the tokens for which all options hold, newest first: when, with which result, by whom,
    and the code. Without options also those of deleted tokens; without FILE to stdout. FILE appears
    when it is complete, and not at all when something goes wrong.
    """
    written.check_output(output, file)
    matching = parser_of(site).token_query(given(values)).matching
    with output.progress("Exporting", None) as move_on:
        usages = written.Counted(service_of(site).log(matching), move_on)
        form = written.form_of(site, file, format_, separator)
        written.write_file(output, file, log_file.write(usages, form))
    facts = {"success": True, "file": file, "exported": usages.count}
    output.result(facts, None)
    output.say(counted(usages.count, "use or refusal", "uses and refusals"))
