"""Sheets of labels: where they lie, and what a reader finds on them."""

import dataclasses
import importlib.util

import pypdfium2
import pytest
import zxingcpp

from cone.tokens.tickets import label_text
from cone.tokens.tickets import labels
from cone.tokens.tickets import qr
from cone.tokens.tickets.label_sheets import SHEETS
from cone.tokens.tickets.label_sheets import Sheet
from cone.tokens.tickets.label_sheets import WrongSheetError
from cone.tokens.tickets.label_text import Texts
from cone.tokens.tickets.labels import Area
from cone.tokens.tickets.labels import Options
from cone.tokens.tickets.labels import lay_out
from tests.support.documents import pages_of

UID = "0f8fad5b-d9cb-469f-a165-70867728950e"
EVERY_SHEET = pytest.mark.parametrize("sheet", SHEETS.values(), ids=SHEETS)

#: Width, height, left and upper margin, and both pitches, in millimetres, as label makers and
#: the sellers of sheets of the same size give them; two of them differ by a tenth here and there.
PUBLISHED = {
    "L7160": (63.5, 38.1, 7.2, 15.1, 66.0, 38.1),
    "L7159": (63.5, 33.9, 7.2, 12.9, 66.0, 33.9),
    "L7161": (63.5, 46.6, 7.2, 8.7, 66.0, 46.6),
    "L7163": (99.1, 38.1, 4.65, 15.1, 101.6, 38.1),
    "L7651": (38.1, 21.2, 4.75, 10.7, 40.6, 21.2),
    "L7120": (35.0, 35.0, 7.5, 11.0, 40.0, 40.0),
    "5160": (66.675, 25.4, 4.7625, 12.7, 69.85, 25.4),
    "5163": (101.6, 50.8, 3.96875, 12.7, 106.3625, 50.8),
}


def own_sheet(**overrides):
    """A sheet of two labels that fits its page."""
    fields = {
        "name": "own",
        "page": (100.0, 50.0),
        "columns": 2,
        "rows": 1,
        "width": 50.0,
        "height": 50.0,
        "left": 0.0,
        "top": 0.0,
        "pitch_x": 50.0,
        "pitch_y": 50.0,
    }
    return Sheet(**{**fields, **overrides})


def codes(picture):
    """The texts of the codes on a picture with where they are, from the left upper one on."""
    found = zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.QRCode)
    places = [(code.position.top_left, code.bytes.decode()) for code in found]
    return sorted(((place.y, place.x), text) for place, text in places)


def texts(document):
    """The text of each page."""
    with pypdfium2.PdfDocument(document) as opened:
        found = []
        for page in opened:
            text = page.get_textpage()
            found.append(text.get_text_range())
            text.close()
            page.close()
        return found


def printed(values, sheet=SHEETS["L7160"], **options):
    texts = [value if isinstance(value, Texts) else Texts(value) for value in values]
    return labels.pdf(texts, Options(sheet=sheet, **options), "Labels")


# --- where labels lie ------------------------------------------------------------------------


@EVERY_SHEET
def test_sheet_when_it_is_a_makers_then_its_margins_are_the_same_on_both_sides(sheet):
    assert sheet.margins_opposite == pytest.approx((sheet.left, sheet.top), abs=0.001)


@pytest.mark.parametrize("name", PUBLISHED)
def test_sheet_when_it_is_a_makers_then_it_has_the_published_sizes(name):
    sheet = SHEETS[name]
    sizes = (sheet.width, sheet.height, sheet.left, sheet.top, sheet.pitch_x, sheet.pitch_y)
    assert sizes == pytest.approx(PUBLISHED[name], abs=0.09)


def test_sheet_when_it_has_a_name_then_it_has_as_many_labels_as_the_maker_says():
    assert {name: sheet.count for name, sheet in SHEETS.items()} == {
        "L7160": 21,
        "L7159": 24,
        "L7161": 18,
        "L7163": 14,
        "L7651": 65,
        "L7120": 35,
        "5160": 30,
        "5163": 10,
        "50x25": 1,
        "62x29": 1,
    }


def test_corner_when_labels_are_counted_then_it_goes_by_rows():
    sheet = SHEETS["L7160"]
    assert sheet.corner(0) == (sheet.left, sheet.top)
    assert sheet.corner(4) == pytest.approx((sheet.left + 66.04, sheet.top + 38.1))


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"columns": 0}, "count"),
        ({"rows": -1}, "count"),
        ({"rows": 251}, "many"),
        ({"width": 0.0}, "size"),
        ({"width": 4.9}, "size"),
        ({"height": 4.9}, "size"),
        ({"height": float("nan")}, "size"),
        ({"page": (1001.0, 50.0)}, "page"),
        ({"pitch_x": 49.0}, "overlap"),
        ({"pitch_x": float("nan")}, "overlap"),
        ({"rows": 2, "pitch_y": 20.0, "height": 25.0}, "overlap"),
        ({"left": 1.0}, "page"),
        ({"top": 1.0}, "page"),
        ({"left": -1.0}, "page"),
        ({"top": float("inf")}, "page"),
    ],
)
def test_sheet_when_labels_do_not_fit_then_it_is_refused(wrong, reason):
    with pytest.raises(WrongSheetError) as refused:
        own_sheet(**wrong)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("wrong", "fields"),
    [
        ({"columns": 0, "rows": 0}, ("columns", "rows")),
        ({"rows": 0}, ("rows",)),
        ({"columns": 1_000, "rows": 1_000}, ("columns", "rows")),
        ({"width": 4.9}, ("width",)),
        ({"width": 4.9, "height": 4.9}, ("width", "height")),
        ({"left": 1.0}, ()),
    ],
)
def test_sheet_when_measures_are_wrong_then_they_are_named(wrong, fields):
    with pytest.raises(WrongSheetError) as refused:
        own_sheet(**wrong)
    assert refused.value.fields == fields
    assert all(field in str(refused.value) for field in fields)


def test_sheet_when_its_labels_are_the_smallest_and_as_many_as_may_be_then_it_is_one():
    small = {"width": 5.0, "height": 5.0, "pitch_x": 5.0, "pitch_y": 5.0}
    assert own_sheet(page=(125.0, 100.0), columns=25, rows=20, **small).count == 500


# --- what stands on a label ------------------------------------------------------------------


@EVERY_SHEET
@pytest.mark.parametrize("caption", [True, False])
@pytest.mark.parametrize("has_name", [True, False])
def test_layout_when_the_value_is_a_uid_then_modules_are_large_and_all_is_on_the_label(
    sheet,
    caption,
    has_name,
):
    layout = lay_out(sheet, 29, caption=caption, has_name=has_name)
    assert layout.code.width / (29 + 8) >= labels.GOOD_MODULE
    assert bool(layout.caption) is caption
    for area in filter(None, (layout.code, layout.caption)):
        assert area.x >= 0.5
        assert area.y >= 0.5
        assert area.x + area.width <= sheet.width - 0.5
        assert area.y + area.height <= sheet.height - 0.5


@EVERY_SHEET
@pytest.mark.parametrize("has_name", [True, False])
def test_layout_when_there_is_a_caption_then_it_lies_beside_the_quiet_zone(sheet, has_name):
    layout = lay_out(sheet, 29, caption=True, has_name=has_name)
    code, caption = layout.code, layout.caption
    is_beside = caption.x >= code.x + code.width - 0.001
    is_below = caption.y >= code.y + code.height - 0.001
    assert is_beside or is_below


def test_layout_when_a_caption_would_make_the_modules_small_then_there_is_none():
    sheet = SHEETS["L7651"]
    assert lay_out(sheet, 33, caption=True).caption
    layout = lay_out(sheet, 57, caption=True)
    assert layout.caption is None
    assert layout.code.width == pytest.approx(sheet.height - 1.6)


def test_layout_when_the_modules_are_too_small_to_print_then_there_is_text_only():
    layout = lay_out(SHEETS["L7160"], 177, caption=False)
    assert layout.code is None
    assert layout.caption == Area(2.0, 2.0, 59.5, 34.1)


# --- the document ----------------------------------------------------------------------------


@pytest.mark.parametrize("count", [210, pytest.param(1_000, marks=pytest.mark.proof)])
def test_pdf_when_there_are_many_labels_then_every_code_is_read_back_in_order(count):
    values = [f"{number:08}{UID[8:]}" for number in range(count)]
    document = printed(values)
    assert len(document) < 1_500 * count
    found = [text for page in pages_of(document) for _place, text in codes(page)]
    assert sorted(found) == values


@EVERY_SHEET
def test_pdf_when_it_is_printed_then_codes_lie_on_their_labels(sheet):
    (page,) = pages_of(printed([UID] * sheet.count, sheet, cut_marks=True), 254)
    found = codes(page)
    assert len(found) == sheet.count
    for number, ((y, x), text) in enumerate(sorted(found, key=lambda code: _cell(code, sheet))):
        left, top = sheet.corner(number)
        assert text == UID
        assert left <= x / 10 <= left + sheet.width
        assert top <= y / 10 <= top + sheet.height


def _cell(code, sheet):
    (y, x), _text = code
    return int((y / 10 - sheet.top) // sheet.pitch_y), x


@pytest.mark.parametrize(("start", "count"), [(1, 1), (21, 2), (20, 2)])
def test_pdf_when_it_starts_at_a_label_then_those_before_it_stay_empty(start, count):
    document = printed([UID, UID[::-1]], start=start)
    found = [codes(page) for page in pages_of(document, 254)]
    assert len(found) == (2 if start == 21 else 1)
    (y, x), text = found[0][0]
    left, top = SHEETS["L7160"].corner(start - 1)
    assert text == UID
    assert left <= x / 10 <= left + 63.5
    assert top <= y / 10 <= top + 38.1


@pytest.mark.parametrize("start", [0, 22])
def test_pdf_when_the_start_is_no_label_then_it_is_refused(start):
    with pytest.raises(ValueError, match=str(start)):
        printed([UID], start=start)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("<script>alert(1)</script>&amp;", "<script>alert(1)</\r\nscript>&amp;"),
        ("Ünïcödé", "Ünïcödé"),
        ("U\N{COMBINING DIAERESIS}", "Ü"),
        ("a\N{RIGHT-TO-LEFT OVERRIDE}b", "a◊b"),
        ("\N{TICKET}\N{ZERO WIDTH JOINER}", "◊◊"),
        ("\N{HEBREW LETTER SHIN}", "◊"),
        ("a\nb\x7f", "a◊b◊"),
        ("(\\", "(\\"),
    ],
)
def test_caption_when_it_has_any_characters_then_it_is_printed_and_the_code_has_them(value, text):
    document = printed([value])
    assert texts(document) == [text]
    ((_place, read),) = codes(next(pages_of(document)))
    assert read == value


def test_caption_when_it_is_long_then_it_ends_with_an_ellipsis():
    (text,) = texts(printed(["x" * 300]))
    assert text.endswith("…")
    assert len(text) < 300


def test_caption_when_it_is_off_then_there_is_no_text():
    assert texts(printed([UID, Texts(UID, "Zoë", "VIP")], caption=False)) == [""]


# --- label and category ----------------------------------------------------------------------


def printed_text(sheet=SHEETS["L7160"], code="GUEST-1", **more):
    """The text of a label whose code is read back, in one line."""
    document = printed([Texts(code, **more)], sheet)
    ((_place, read),) = codes(next(pages_of(document, 300)))
    assert read == code
    return " ".join(texts(document)[0].split())


@EVERY_SHEET
def test_label_when_it_has_name_and_category_then_they_stand_beside_the_code(sheet):
    assert printed_text(sheet, name="Zoë", category="VIP") == "Zoë VIP GUEST-1"
    assert printed_text(sheet, name="Zoë") == "Zoë GUEST-1"
    assert printed_text(sheet, category="VIP") == "VIP GUEST-1"


def lines(width=100.0, height=60.0, code="GUEST-1", **more):
    return label_text.caption(Texts(code, **more), width, height)


def test_name_when_there_is_room_then_it_is_the_largest_and_bold():
    name, category, code = lines(name="Zoë", category="VIP")
    assert [line.text for line in (name, category, code)] == ["Zoë", "VIP", "GUEST-1"]
    assert name.size == 16.0 > category.size > code.size
    assert (name.font, category.font, code.font) == ("VeraBd", "Vera", "Vera")


@EVERY_SHEET
@pytest.mark.parametrize("name", ["Zoë", "Maximilian Mustermann-Oberhuber", "x" * 200])
@pytest.mark.parametrize("code", ["GUEST-1", UID, "y" * 40])
def test_name_when_it_is_any_then_it_is_readable_at_arm_s_length_and_on_its_label(
    sheet, name, code
):
    modules = qr.plan(code).side
    area = lay_out(sheet, modules, caption=True, has_name=True).caption
    width, height = area.width * 72 / 25.4, area.height * 72 / 25.4
    found = lines(width, height, code, name=name, category="Ehrengäste und Presse")
    plain, bold = label_text.fonts()
    fonts = {plain.name: plain, bold.name: bold}
    assert found[0].font == bold.name
    for line in found:
        wide = sum(map(fonts[line.font].width, line.text)) * line.size
        assert wide <= width
        assert line.size >= (9.0 if line.font == bold.name else 7.0)
    assert sum(line.size * label_text.LEADING for line in found) <= height


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Anna Katharina von Hohenstein", ["Anna", "Katharina von", "Hohenstein"]),
        ("Müller-Lüdenscheidt", ["Müller-", "Lüdenscheidt"]),
        ("Donaudampfschifffahrt", ["Donaudampfschifff", "ahrt"]),
    ],
)
def test_name_when_it_is_long_then_lines_end_where_words_do(name, shown):
    assert [line.text for line in lines(name=name)][:-1] == shown


def test_name_when_it_is_too_long_then_it_is_cut_behind_a_word():
    found = [line.text for line in lines(height=45.0, name="Anna, die " * 20, category="VIP")]
    *name, category, code = found
    assert (category, code) == ("VIP", "GUEST-1")
    assert name == ["Anna, die Anna, die", "Anna, die Anna…"]


def test_caption_when_there_is_hardly_any_room_then_the_name_is_there():
    assert [line.text for line in lines(height=5.0, name="Zoë", category="VIP")] == ["Zoë"]
    assert [line.text for line in lines(height=21.0, name="Zoë", category="VIP")] == [
        "Zoë",
        "GUEST-1",
    ]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Zoe\N{COMBINING DIAERESIS}", "Zoë"),
        ("a" + "\N{COMBINING CARON}\N{COMBINING RING BELOW}" * 100 + "b", "ab"),
        ("Jiří Dvořák", "Jirí Dvorák"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}abc\N{POP DIRECTIONAL FORMATTING} d", "abc d"),
        ("\N{HEBREW LETTER SHIN}\N{HEBREW LETTER LAMED} Levi", "◊ Levi"),
        ("\N{TICKET}\N{VARIATION SELECTOR-16} Party \N{PARTY POPPER}\N{PARTY POPPER}", "◊ Party ◊"),
        ("a\N{NO-BREAK SPACE}\tb\nc", "a b c"),
        ("<b>x&amp;", "<b>x&amp;"),
        ("ﬁne", "fine"),
    ],
)
def test_name_when_the_font_lacks_signs_then_it_stays_readable_and_keeps_its_direction(name, shown):
    assert printed_text(name=name) == f"{shown} GUEST-1"


@pytest.mark.parametrize(
    "name", ["\N{COMBINING CARON}" * 200, "\N{RIGHT-TO-LEFT MARK}", "\N{ZERO WIDTH SPACE}"]
)
def test_name_when_nothing_of_it_can_be_seen_then_the_code_stands_alone(name):
    assert printed_text(name=name) == "GUEST-1"


def test_code_when_it_is_broken_then_behind_its_hyphens():
    found = [line.text for line in lines(code=UID, name="Zoë")]
    assert found == ["Zoë", "0f8fad5b-d9cb-", "469f-a165-", "70867728950e"]


@pytest.mark.parametrize("value", ["x" * 2048, "x" * 2954, "\N{TICKET}" * 512, "x" * 9_000])
def test_label_when_no_code_on_it_holds_the_value_then_it_has_text_only(value):
    document = printed([value, UID], caption=False)
    assert texts(document)[0].startswith(("xxx", "◊◊◊"))
    assert [text for _place, text in codes(next(pages_of(document)))] == [UID]


def test_label_when_it_is_large_then_2048_bytes_are_read_back():
    sheet = own_sheet(page=(100.0, 100.0), columns=1, width=100.0, height=100.0)
    value = "x" * 2048
    ((_place, text),) = codes(next(pages_of(printed([value], sheet), 300)))
    assert text == value


def test_pdf_when_cut_marks_are_on_then_each_page_has_them():
    plain, marked = (
        [
            page.convert("L").histogram()[100:200]
            for page in pages_of(printed([UID] * 22, **options))
        ]
        for options in ({}, {"cut_marks": True})
    )
    assert all(sum(more) > sum(less) for less, more in zip(plain, marked, strict=True))


def test_pdf_when_made_then_it_asks_to_be_printed_as_large_as_it_is():
    document = printed([UID], SHEETS["62x29"])
    assert b"/PrintScaling /None" in document
    with pypdfium2.PdfDocument(document) as opened:
        size = opened.get_page_size(0)
        assert opened.get_metadata_dict()["Title"] == "Labels"
    assert size == pytest.approx((62 / 25.4 * 72, 29 / 25.4 * 72), abs=0.01)


def test_pdf_when_the_same_options_are_taken_twice_then_nothing_is_left_over():
    assert dataclasses.replace(Options(sheet=SHEETS["L7160"]), start=2).start == 2
    assert texts(printed(["a"])) == texts(printed(["a"])) == ["a"]


def test_library_when_it_is_missing_then_that_is_told(monkeypatch):
    assert labels.is_available()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert not labels.is_available()


def test_code_when_it_does_not_fit_its_label_then_it_is_not_drawn(monkeypatch):
    drawn = []
    monkeypatch.setattr(qr.Code, "rows", lambda code: drawn.append(code.side) or [[True]])
    printed([UID], own_sheet(width=5.0, height=5.0))
    printed(["x" * 2_048], SHEETS["L7160"])
    assert drawn == []
    printed([UID], SHEETS["L7160"])
    assert drawn == [29]
