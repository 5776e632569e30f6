"""What a code is: the text that a token is looked up by, and that its QR code carries.

Made strictly, by :func:`new_code`. Looked up as devices and people send it: the exact text first,
then :func:`choose` says which token is meant by the readings that :func:`sought` has of it, the
nearest first. Stored beside each code is the :func:`digest` of its folded form, so that one
statement finds all tokens that may be meant.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import re
import unicodedata
import uuid
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Final
from typing import Protocol
from typing import TypeVar

from cone.tokens.core.errors import InvalidParameter

#: Bytes of UTF-8 that a code may have (contract 2).
MAX_BYTES: Final = 2_048

#: Characters that a text may have to be read as a code: those of the longest one, with an address
#: in front of it.
LONGEST_READ: Final = MAX_BYTES + 1_000

#: Letters and digits at the end of a code that is made at random.
RANDOM_LENGTH: Final = 26

#: How a uid is written.
UID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

#: Parts the fields of some codes; the one control character that a code may have inside.
GS: Final = "\x1d"

#: Which nobody sees, though their categories do not say so: joiners, fillers, selectors of forms.
_UNSEEN: Final = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0",
) | frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Zl", "Zp"})

#: Surrogates, noncharacters (beside the last two of each plane), and what Unicode keeps for
#: characters that nobody will see. The folded form leaves them: it is stored as a digest.
_NO_CHARACTERS: Final = re.compile(
    "[\u2065\ud800-\udfff\ufdd0-\ufdef\ufff0-\ufff8\U000e0000-\U000e0fff]"
)
_LAST_OF_PLANE: Final = 0xFFFE

#: What of ASCII is nothing at the ends of a code.
_ASCII_ENDS: Final = "".join(map(chr, (*range(33), 127)))

#: What a scanner is told to put in front of a code: its kind (AIM).
_KIND: Final = re.compile(r"\][A-Za-z][0-9A-Za-z](?=.)", re.DOTALL)

_SOFT_HYPHEN: Final = "\u00ad"
#: What programs that set type make of a hyphen. Copied out of a line a soft one may be nothing too.
_HYPHENS: Final = dict.fromkeys(map(ord, f"{_SOFT_HYPHEN}‐‑‒–—―−﹘﹣－"), "-")  # noqa: RUF001 - they are meant
_VISIBLE_HYPHENS: Final = {
    sign: hyphen for sign, hyphen in _HYPHENS.items() if sign != ord(_SOFT_HYPHEN)
}

#: Programs that write make one of these of two hyphens as well.
_LONG_DASHES: Final = dict.fromkeys(map(ord, "–—"), "--")  # noqa: RUF001 - they are meant

#: Combining marks in a row that a text may have to be read: to order them takes the square of it.
_MOST_MARKS: Final = 64

_UID: Final = re.compile(UID, re.ASCII)
_BARE_UID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_SCHEME: Final = re.compile(r"https?://", re.IGNORECASE)
_PAGE: Final = re.compile(rf"({UID})/?(?:[?#].*)?", re.IGNORECASE | re.ASCII | re.DOTALL)

#: The keys of a keyboard, row by row: what is printed on them in the USA and in Germany. Keys that
#: are the same in both are left out, dead keys too.
_US_KEYS: Final = "-[]\\;'/yzYZ@#^&*()_{}|:\"<>?"
_GERMAN_KEYS: Final = "ßü+#öä-zyZY\"§&/()=?Ü*'ÖÄ;:_"

#: What a device means by what arrives, where it takes the keyboard for another one.
_LAYOUTS: Final = (
    str.maketrans(_GERMAN_KEYS, _US_KEYS) | {ord("ẞ"): "-"},
    str.maketrans(_US_KEYS, _GERMAN_KEYS),
)
_SWAPPED: Final = str.maketrans("yzYZ", "zyZY")

#: Where y and z alone tell of another keyboard: codes in a row (ROW-Y, ROW-Z) are two tickets, of
#: those that are made at random there are no two that are so near.
_RANDOM: Final = re.compile(rf"[A-Z2-7]{{{RANDOM_LENGTH}}}\Z")


class Identified(Protocol):
    """What has a uid."""

    @property
    def uid(self) -> uuid.UUID: ...  # noqa: D102 - as in its table


T = TypeVar("T", bound=Identified)


@dataclasses.dataclass(frozen=True, slots=True)
class Sought:
    """A text that is looked up, and what can be meant by it.

    :ivar steps: codes that it stands for without what devices and people add, the nearest first;
        those of one step are equally near.
    :ivar forms: folded forms of these.
    :ivar typed: what was meant where a device took the keyboard for another one.
    :ivar typed_forms: folded forms of these.
    :ivar random_forms: those that tell it by y and z alone; they mean random codes.
    :ivar page_of: the token whose page the text is the address of.
    """

    steps: tuple[tuple[str, ...], ...]
    forms: tuple[str, ...]
    typed: tuple[str, ...]
    typed_forms: tuple[str, ...]
    random_forms: tuple[str, ...]
    page_of: uuid.UUID | None

    @property
    def texts(self) -> list[str]:
        """What is meant, in its own case."""
        return list(dict.fromkeys([*itertools.chain(*self.steps), *self.typed]))

    @property
    def values(self) -> list[str]:
        """Codes that are meant, other forms of theirs left out."""
        uids = filter(_UID.fullmatch, self.forms)
        pages = [str(self.page_of)] if self.page_of else []
        return list(dict.fromkeys([*itertools.chain(*self.steps), *uids, *pages]))

    @property
    def digests(self) -> list[str]:
        """What the codes that can be meant have beside them."""
        forms = dict.fromkeys((*self.forms, *self.typed_forms, *self.random_forms))
        return list(map(_digest_of_folded, forms))

    def allows(self, code: str, uid: uuid.UUID) -> bool:
        """Return whether the token with this code and uid can be meant."""
        form = folded_code(code)
        return (
            uid == self.page_of
            or form in self.forms
            or form in self.typed_forms
            or (form in self.random_forms and _RANDOM.search(code) is not None)
        )


def new_code(text: str, name: str = "value") -> str:
    """Return ``text`` as the code of a token, in normal form C.

    :param name: of the parameter that it came in.
    :raises InvalidParameter: it has a character that nobody sees, begins or ends with a blank, or
        is too long.
    """
    _check_length(text, name)
    code = unicodedata.normalize("NFC", text)
    _check_length(code, name)
    if not code.strip():
        raise InvalidParameter(name, "blank_code", f"{name}: must not be blank")
    if code != code.strip():
        message = f"{name}: must not begin or end with a blank"
        raise InvalidParameter(name, "blank_ends", message)
    if not (code.isascii() and code.isprintable()):
        _check_signs(code, name)
    return code


def changed_code(stored: str, text: str) -> str:
    """Return ``text`` as the new code of a token; one that is ``stored`` may stay as it is.

    :raises InvalidParameter: as :func:`new_code`.
    """
    return text if text == stored else new_code(text)


def normal_form(text: str) -> str:
    """Return ``text`` as :func:`new_code` would store it, as long as that can be one."""
    return unicodedata.normalize("NFC", text) if len(text) <= LONGEST_READ else text


def mended(text: str) -> str:
    """Return ``text`` as a code, without blanks and what nobody sees at its ends.

    One that is nothing else stays: it is no code.
    """
    return normal_form(_without_ends(text)) or text


def is_text(text: str) -> bool:
    """Return whether the databases take ``text``: no token can have another one."""
    if "\0" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def folded_code(text: str) -> str:
    """Return the form that codes share which differ by case, normal form or ends alone."""
    if text.isascii():
        # The same, in a fifth of the time.
        return text.strip(_ASCII_ENDS).lower()
    decomposed = unicodedata.normalize("NFD", _without_ends(text).translate(_HYPHENS))
    # ß is a key by itself, and no pair of letters: STRASSE-1 is another code than STRAßE-1.
    parts = decomposed.replace("ẞ", "ß").split("ß")
    return unicodedata.normalize("NFD", "ß".join(part.casefold() for part in parts))


def digest(code: str) -> str:
    """Return the digest of a code, by which any of its forms is found."""
    return _digest_of_folded(folded_code(code))


def sought(text: str, site: str | None = None) -> Sought | None:
    """Return the codes that ``text`` can mean; None: it can mean none.

    :param site: address below which the pages of tokens are.
    """
    if not 0 < len(text) <= LONGEST_READ:
        return None
    bare = _without_ends(text)
    if not bare or not is_text(bare):
        return None
    if _has_many_marks(bare):
        return _exactly(text) if is_text(text) else None
    steps = tuple(_steps(text, bare))
    swapped = bare.translate(_SWAPPED)
    by_layout = [bare.translate(layout) for layout in _LAYOUTS]
    typed = _different(
        one
        for meant in by_layout
        if meant not in {bare, swapped}
        for one in (meant, _without_kind(meant))
    )
    # Without a prefix: it would have told of the keyboard by itself.
    is_long = swapped != bare and swapped in by_layout and len(swapped) >= RANDOM_LENGTH
    pages = (_page_of(one, site) for one in (*steps[-1], *typed)) if site else ()
    return Sought(
        steps=steps,
        forms=_with_uids(folded_code(one) for step in steps[1:] for one in step),
        typed=typed,
        typed_forms=_different(map(folded_code, typed)),
        random_forms=_different(map(folded_code, (swapped, _without_kind(swapped))))
        if is_long
        else (),
        page_of=next(filter(None, pages), None),
    )


def _exactly(text: str) -> Sought:
    """Return a text that means itself alone: it may be a code that was replaced."""
    return Sought(((text,),), (), (), (), (), None)


def choose(sought: Sought, by_code: Mapping[str, T]) -> T | None:
    """Return the token that is meant, of all that may be, by their codes.

    In this order: the code of the nearest step that is one, a uid in any case, the one token that
    differs by case or keyboard alone, or whose page it is. None where there is none, or two could
    be meant.

    :param by_code: a token may be there by several codes. The address of its page means that one
        of them which is its uid.
    """
    for step in sought.steps:
        exact = [by_code[one] for one in step if one in by_code]
        if exact:
            return _the_only(exact)
    for code, token in by_code.items():
        if code == str(token.uid) and code in sought.forms:
            return token
    by_uid = by_code.get(str(sought.page_of))
    means_uid = by_uid is not None and by_uid.uid == sought.page_of
    return _the_only(
        [
            token
            for code, token in by_code.items()
            if sought.allows(code, token.uid)
            and not (means_uid and token.uid == sought.page_of and token is not by_uid)
        ]
    )


def _the_only(tokens: list[T]) -> T | None:
    return tokens[0] if len(tokens) == 1 else None


def _steps(text: str, bare: str) -> Iterator[tuple[str, ...]]:
    """Return the codes that a text stands for, nearest first: each step takes off more.

    :param bare: the text without its ends.
    """
    yield (text,) if is_text(text) else ()
    yield (bare,)
    plain = _without_kind(bare)
    composed = _different(map(normal_form, (bare, plain)))
    yield composed[:1]
    yield (plain,)
    yield composed[1:]
    yield _different(_without_unseen(one) for one in composed if _SOFT_HYPHEN not in one)
    dashed = [*composed, *(one.translate(_LONG_DASHES) for one in composed)]
    hyphened = [one.translate(_VISIBLE_HYPHENS) for one in dashed]
    yield _different(hyphened)
    unseen = (one.replace(_SOFT_HYPHEN, soft) for one in hyphened for soft in ("", "-"))
    yield _different(map(normal_form, map(_without_unseen, unseen)))


def _with_uids(forms: Iterable[str]) -> tuple[str, ...]:
    """Return each form once, and those that are uids without their hyphens as such."""
    different = _different(forms)
    uids = [str(uuid.UUID(one)) for one in different if _BARE_UID.fullmatch(one)]
    return _different((*different, *uids))


def _different(texts: Iterable[str]) -> tuple[str, ...]:
    """Return each text once, without empty ones."""
    return tuple(dict.fromkeys(filter(None, texts)))


def _check_length(text: str, name: str) -> None:
    if len(text.encode(errors="surrogatepass")) > MAX_BYTES:
        message = f"{name}: must be at most {MAX_BYTES} bytes of UTF-8"
        raise InvalidParameter(name, "too_long", message, maximum=MAX_BYTES)


def _check_signs(code: str, name: str) -> None:
    before = GS
    for place, sign in enumerate(code, 1):
        number = f"U+{ord(sign):04X}"
        facts = {"number": number, "place": place}
        if sign != GS and (_is_invisible(sign) or _is_no_character(sign)):
            message = f"{name}: must not have the invisible character {number}, at place {place}"
            raise InvalidParameter(name, "invisible_character", message, **facts)
        if before == GS and unicodedata.category(sign).startswith("M"):
            message = f"{name}: must have a letter in front of {number}, at place {place}"
            raise InvalidParameter(name, "lone_mark", message, **facts)
        before = sign


def _is_invisible(sign: str) -> bool:
    return unicodedata.category(sign) in _INVISIBLE or sign in _UNSEEN


def _is_no_character(sign: str) -> bool:
    """Return whether ``sign`` is half a character, none, or one that will never be seen."""
    return _NO_CHARACTERS.match(sign) is not None or ord(sign) & _LAST_OF_PLANE == _LAST_OF_PLANE


def _is_unseen(sign: str) -> bool:
    """Return whether ``sign`` is nothing inside a code that is copied from a page."""
    return unicodedata.category(sign) == "Cf" or sign in _UNSEEN or _is_no_character(sign)


def _without_ends(text: str) -> str:
    end = len(text)
    while end and (text[end - 1].isspace() or _is_invisible(text[end - 1])):
        end -= 1
    start = 0
    while start < end and (text[start].isspace() or _is_invisible(text[start])):
        start += 1
    return text[start:end]


def _without_kind(text: str) -> str:
    """Return a text without its ends also without the prefix that tells its kind."""
    kind = _KIND.match(text)
    return _without_ends(text[kind.end() :]) if kind else text


def _without_unseen(text: str) -> str:
    return text if text.isascii() else "".join(one for one in text if not _is_unseen(one))


def _has_many_marks(text: str) -> bool:
    if text.isascii():
        return False
    runs = itertools.groupby(text, key=lambda sign: unicodedata.combining(sign) > 0)
    return any(is_mark and sum(1 for _ in run) > _MOST_MARKS for is_mark, run in runs)


def _page_of(text: str, site: str) -> uuid.UUID | None:
    """Return the token whose page below ``site`` has the address ``text``, by http or https."""
    address, place = (_SCHEME.sub("", one, count=1) for one in (text, site.rstrip("/") + "/"))
    if _SCHEME.match(text) is None or address[: len(place)].casefold() != place.casefold():
        return None
    page = _PAGE.fullmatch(address[len(place) :])
    return uuid.UUID(page[1]) if page else None


def _digest_of_folded(form: str) -> str:
    return hashlib.sha256(form.encode()).hexdigest()[:32]
