"""What stands in the files that LibreOffice saved (``files/spreadsheets``)."""

import datetime
import uuid
from pathlib import Path

from tests.support.factories import make_token

FOLDER = Path(__file__).parent / "files" / "spreadsheets"
EVENING = datetime.datetime(2030, 6, 1, 18, 0, tzinfo=datetime.UTC)


def _token(number, value, **fields):
    uid = uuid.UUID(int=number)
    return make_token(uid=uid, value=value, valid_from=None, valid_to=None, **fields)


#: Tokens whose codes and texts a spreadsheet would take for something else.
EXPORTED = [
    _token(1, "0012", label="=1+1", category="007", data='{"Nr": "12345678901234567890"}'),
    _token(2, "=1+1", label="#N/A", note="one\ntwo"),
    _token(3, "01\x1d21", label="TRUE", enabled=False, usage_count=-1),
    _token(4, "2026-11-28", label="+49 1", email="a@example.org", lock_time=60),
    _token(5, "1E5", label="Zo\u00eb \U0001f3ab"),
]
