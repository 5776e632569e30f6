"""The files of the list: tokens for Excel, and the scan log; on the pages and the command line."""

import csv
import io

import openpyxl
import pytest

from cone.tokens.core.values import EVERYTHING
from cone.tokens.tickets import written_workbook
from cone.tokens.tickets.log_file import COLUMNS
from tests.functional.test_exchange import EXPORT
from tests.functional.test_exchange import LIST
from tests.functional.test_exchange import NEW
from tests.functional.test_exchange import OLD
from tests.functional.test_exchange import check
from tests.functional.test_exchange import counts_of
from tests.functional.test_exchange import said
from tests.support.factories import new_token

LOG = "/tokens/scan_log"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def log_of(answer, delimiter=","):
    """Return the rows of a scan log in CSV."""
    assert (answer.status_int, answer.content_type) == (200, "text/csv")
    text = answer.body.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))


def book_of(content):
    """Return the rows of a workbook."""
    rows = openpyxl.load_workbook(io.BytesIO(content)).worksheets[0].iter_rows(values_only=True)
    head = next(rows)
    return [dict(zip(head, row, strict=True)) for row in rows]


@pytest.fixture
def scanned(service):
    """Two tokens with uses and refusals, and one that was deleted."""
    uids = [
        service.add(new_token(value=value, label=label, usage_count=1, email="a@b.de"), by=None)
        for value, label in (("=a", "Jürgen"), ("b", None), ("c", "gone"))
    ]
    for uid in (*uids, uids[0]):
        service.consume(uid, by="door")
    service.delete(uids[2], by=None)
    return uids


# Tokens


@pytest.fixture
def strange(make_token, give_old_code):
    for value in NEW:
        make_token(value=value)
    for value in OLD:
        give_old_code(value)
    make_token(
        value="0012",
        label="=1+1",
        category="007",
        note="two\nlines",
        email="a@example.com",
        data='{"Nr": "12345678901234567890"}',
        usage_count=-1,
        enabled=False,
    )


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_export_when_it_comes_back_then_nothing_would_change(
    admin, service, strange, content, language, form
):
    before = content()
    exported = admin.get(EXPORT, {"format": form, "_LOCALE_": language})
    assert exported.headers["Content-Disposition"] == f'attachment; filename="tokens.{form}"'
    admin.get(f"{LIST}?_LOCALE_=en")
    answer = check(admin, exported.body, known="update")
    count = str(service.count(EVERYTHING))
    assert counts_of(answer)["Tokens that are as in the file already"] == count
    assert counts_of(answer)["Tokens that change"] == "0"
    assert content() == before


def test_export_when_the_form_asks_for_excel_then_it_has_the_chosen_tokens(admin, make_token):
    one, _other = make_token(value="one"), make_token(value="other")
    answer = admin.post(EXPORT, {"uid": str(one.uid), "format": "xlsx"})
    assert answer.content_type == XLSX
    assert [row["value"] for row in book_of(answer.body)] == ["one"]


@pytest.mark.parametrize("query", ["format=pdf", "format=", "format=csv&format=xlsx"])
def test_export_when_nobody_offers_the_format_then_400(admin, make_token, query):
    make_token(value="apple")
    for path in (EXPORT, LOG):
        assert "apple" not in admin.get(f"{path}?{query}", status=400).text
        assert "apple" not in admin.post(path, f"all=1&list=&{query}", status=400).text


def test_export_when_there_is_too_much_for_excel_then_the_page_says_so(
    admin, make_token, monkeypatch
):
    monkeypatch.setattr(written_workbook, "MOST_ROWS", 2)
    make_token(value="a")
    assert admin.get(EXPORT, {"format": "xlsx"}).status_int == 200
    make_token(value="b")
    answer = admin.get(EXPORT, {"format": "xlsx"}, status=400)
    assert "This is too much for Excel, which has up to 2 rows. Choose CSV" in said(answer)
    assert admin.get(EXPORT).status_int == 200


def test_list_when_there_are_tokens_then_it_offers_files_in_both_formats(signed_in, make_token):
    make_token()
    page = signed_in("viewer").get(LIST).html
    options = page.find(id="tokens-format").find_all("option")
    assert [(one["value"], one.get_text()) for one in options] == [
        ("csv", "CSV"),
        ("xlsx", "Excel"),
    ]
    goals = {one.get("formaction", "").rpartition("/")[2] for one in page.find_all("button")}
    assert {"export", "scan_log"} <= goals


def test_list_when_too_many_match_for_the_form_then_links_have_the_files(signed_in, service):
    client = signed_in("viewer")
    for prefix in "ab":
        service.add_many(new_token(), 6_000, prefix, by=None)
    links = client.get(LIST, {"sort": "value"}).html.find_all("a")
    goals = [link["href"].rpartition("/")[2] for link in links if "format=" in link["href"]]
    assert goals == [
        "export?sort=value&format=csv",
        "export?sort=value&format=xlsx",
        "scan_log?sort=value&format=csv",
    ]
    assert len(book_of(client.get(f"/tokens/{goals[1]}").body)) == 12_000


# The scan log


def test_log_when_all_is_asked_for_then_it_has_each_try_newest_first(signed_in, scanned):
    rows = log_of(signed_in("viewer").get(LOG))
    assert list(rows[0]) == list(COLUMNS)
    told = [(row["value"], row["result"], row["user"], row["label"]) for row in rows]
    assert told == [
        ("'=a", "usage_count_exceeded", "door", "Jürgen"),
        ("c", "granted", "door", ""),
        ("b", "granted", "door", ""),
        ("'=a", "granted", "door", "Jürgen"),
    ]
    assert [row["uid"] for row in rows] == [str(scanned[place]) for place in (0, 2, 1, 0)]
    assert [row["usage_count"] for row in rows] == ["0", "0", "0", "0"]
    assert len({row["receipt"] for row in rows}) == 4
    assert rows[0]["time"] >= rows[-1]["time"]


def test_log_when_it_is_a_file_then_it_has_no_address_of_anybody(admin, scanned):
    assert b"a@b.de" not in admin.get(LOG).body
    assert "a@b.de" not in str(book_of(admin.get(LOG, {"format": "xlsx"}).body))


def test_log_when_excel_is_asked_for_then_times_are_times_and_codes_are_texts(admin, scanned):
    answer = admin.get(LOG, {"format": "xlsx"})
    assert answer.content_type == XLSX
    assert answer.headers["Content-Disposition"] == 'attachment; filename="scan-log.xlsx"'
    rows = book_of(answer.body)
    assert [row["value"] for row in rows] == ["=a", "c", "b", "=a"]
    assert all(row["time"].year >= 2026 for row in rows)


def test_log_when_the_page_is_german_then_cells_are_separated_as_spreadsheets_expect(
    admin, scanned
):
    rows = log_of(admin.get(LOG, {"_LOCALE_": "de"}), delimiter=";")
    admin.get(f"{LIST}?_LOCALE_=en")
    assert rows[0]["result"] == "usage_count_exceeded"


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("search=%3Da&match=value", ["'=a", "'=a"]),
        ("search=j%C3%BCrg", ["'=a", "'=a"]),
        ("search=b", ["b"]),
        ("status=exhausted", ["'=a", "b", "'=a"]),
        ("status=expired", []),
        ("search=gone", []),
        ("created_from=2000-01-01T00:00", ["'=a", "b", "'=a"]),
    ],
)
def test_log_when_it_has_the_address_of_a_list_then_it_is_that_of_what_matches(
    admin, scanned, query, values
):
    assert [row["value"] for row in log_of(admin.get(f"{LOG}?{query}"))] == values
    form = {"all": "1", "list": f"?{query}"}
    assert [row["value"] for row in log_of(admin.post(LOG, form))] == values


def test_log_when_tokens_are_chosen_then_it_is_theirs(admin, scanned):
    rows = log_of(admin.post(LOG, {"uid": str(scanned[1]), "list": "?search=a"}))
    assert [row["value"] for row in rows] == ["b"]


def test_log_when_nothing_is_chosen_then_the_list_tells(admin, scanned):
    answer = admin.post(LOG, {"list": ""}, status=303)
    assert "No token is selected" in said(answer.follow())


def test_log_when_its_address_is_wrong_then_the_list_tells(admin, scanned):
    answer = admin.get(f"{LOG}?status=nonsense&format=xlsx", status=303)
    assert answer.location.endswith("tokens_overview?status=nonsense")
    admin.get(f"{LOG}?stauts=expired", status=400)


def test_log_when_another_site_links_to_it_then_it_is_refused(admin, scanned):
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert "'=a" not in admin.get(LOG, headers=headers, status=403).text


def test_log_when_it_is_long_then_it_is_whole_and_in_order(admin, service):
    uid = service.add(new_token(value="many", usage_count=2_500), by=None)
    for number in range(4):
        other = service.add(new_token(value=f"o{number}", usage_count=0), by=None)
        service.consume(other, by=None)
    for _number in range(2_505):
        service.consume(uid, by="door")
    rows = log_of(admin.get(LOG))
    assert len(rows) == 2_509
    assert len({row["receipt"] for row in rows}) == 2_509
    times = [row["time"] for row in rows]
    assert times == sorted(times, reverse=True)
    assert [row["usage_count"] for row in rows[5:2_505]] == [str(left) for left in range(2_500)]


def test_log_when_somebody_takes_it_for_a_list_of_tokens_then_nothing_is_made(
    admin, scanned, content
):
    file = admin.get(LOG).body
    before = content()
    answer = check(admin, file, status=400)
    assert "stands in line" in said(answer) or "already" in said(answer)
    assert content() == before
