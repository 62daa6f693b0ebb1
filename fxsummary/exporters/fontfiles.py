"""Find font files on this machine for pictures: sans serif, bold sans serif, monospaced."""

from __future__ import annotations

import os
import re
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from fxsummary.drawing.style import SANS
from fxsummary.errors import InputError

_SANS = (
    ("Arial", "arial.ttf", "arialbd.ttf", 1.0),
    ("Arial", "arial.ttf", "arial bold.ttf", 1.0),
    ("Liberation Sans", "liberationsans-regular.ttf", "liberationsans-bold.ttf", 1.0),
    ("Arimo", "arimo-regular.ttf", "arimo-bold.ttf", 1.0),
    ("FreeSans", "freesans.ttf", "freesansbold.ttf", 1.0),
    ("Roboto", "roboto-regular.ttf", "roboto-bold.ttf", 0.98),
    ("Noto Sans", "notosans-regular.ttf", "notosans-bold.ttf", 0.92),
    ("Open Sans", "opensans-regular.ttf", "opensans-bold.ttf", 0.92),
    ("DejaVu Sans", "dejavusans.ttf", "dejavusans-bold.ttf", 0.88),
    ("Bitstream Vera Sans", "vera.ttf", "verabd.ttf", 0.88),
)
"""Family, regular face, bold face, and the scale that makes the family no wider than Helvetica."""
_MONO = (
    ("Consolas", "consola.ttf"),
    ("Liberation Mono", "liberationmono-regular.ttf"),
    ("Cousine", "cousine-regular.ttf"),
    ("DejaVu Sans Mono", "dejavusansmono.ttf"),
    ("FreeMono", "freemono.ttf"),
    ("Noto Sans Mono", "notosansmono-regular.ttf"),
    ("Ubuntu Mono", "ubuntumono-r.ttf"),
    ("Courier New", "cour.ttf"),
    ("Courier New", "courier new.ttf"),
)
_PACKAGES = (("matplotlib", "mpl-data/fonts/ttf"), ("reportlab", "fonts"))
"""Packages that contain fonts, for machines without fonts."""

UNKNOWN_SIZE = 0.85
_CHOSEN = re.compile(rf'font-family:"([^"]+)",{re.escape(SANS)}')
_TEXT = re.compile(r'class="([^"]*)" font-size="([\d.]+)"')


@dataclass(frozen=True, slots=True)
class Fonts:
    """Family names and files.

    Attributes:
        sans, mono: families.
        regular, bold, monospaced: files of their faces.
        size: scale of font sizes, so that texts fit their place.
    """

    sans: str
    mono: str
    regular: Path
    bold: Path
    monospaced: Path
    size: float = 1.0

    def fitted(self, svg: str) -> str:
        """Return one of our SVGs with the font sizes for this family; monospaced fonts all have the same width."""
        has_mono = self.monospaced != self.regular

        def resized(found: re.Match[str]) -> str:
            size = float(found[2]) * (1.0 if has_mono and "m" in found[1].split() else self.size)
            return f'class="{found[1]}" font-size="{size:.3g}"'

        return svg if self.size == 1 else _TEXT.sub(resized, svg)


@cache
def find_fonts(family: str = "") -> Fonts | None:
    """Return the fonts to draw with on this machine; None if there are none.

    Raises:
        InputError: a ``family`` is given for the texts that are not monospaced, and it is not installed.
    """
    files = font_files(_folders())
    found = choose(files)
    return named(family, files, found) if family and found else found


def named(family: str, files: Mapping[str, Path], others: Fonts) -> Fonts:
    """Return the fonts with the faces of a family, and the monospaced face of ``others``."""
    faces = {style: path for path in files.values() for name, style in [names_of(path)] if name == family}
    upright = [style for style in sorted(faces, key=len) if not {"Bold", "Italic", "Oblique"} & {*style.split()}]
    if not upright:
        raise InputError(
            f"font={family!r}: no .ttf or .otf file of this machine has this family. "
            "Install it, or render to .svg, which names the family and contains no font."
        )
    size = next((size for name, *_, size in _SANS if name == family), 1.0)
    regular = faces[upright[0]]
    return replace(others, sans=family, regular=regular, bold=faces.get("Bold", regular), size=size)


def family_in(svg: str) -> str:
    """Return the family that was chosen for one of our SVGs; "" if none was."""
    found = _CHOSEN.search(svg)
    return found[1] if found else ""


def choose(files: dict[str, Path]) -> Fonts | None:
    """Choose the first known families that are installed, else any; None without files.

    >>> choose({"dejavusans.ttf": Path("a"), "dejavusans-bold.ttf": Path("b")}).mono
    'DejaVu Sans'
    """
    sans = next(((n, files[r], files[b], size) for n, r, b, size in _SANS if r in files and b in files), None)
    mono = next(((n, files[r]) for n, r in _MONO if r in files), None)
    if sans is None:
        whatever = mono or next(((n, path) for path in files.values() if (n := family_name(path))), None)
        if whatever is None:
            return None
        sans = (*whatever, whatever[1], UNKNOWN_SIZE)
    (family, regular, bold, size), (other, monospaced) = sans, mono or sans[:2]
    return Fonts(family, other, regular, bold, monospaced, size)


def font_files(folders: Iterable[Path]) -> dict[str, Path]:
    """Return the font files by lower-case name; the first of several with one name."""
    files: dict[str, Path] = {}
    for folder in folders:
        for place, _, names in sorted(os.walk(folder)):
            for name in sorted(names):
                if name.lower().endswith((".ttf", ".otf")):
                    files.setdefault(name.lower(), Path(place, name))
    return files


def family_name(path: Path) -> str:
    """Return the family name in a font file; "" if it cannot be read."""
    return names_of(path)[0]


def names_of(path: Path) -> tuple[str, str]:
    """Return the family and the style in a font file (names 1 and 2 of its name table), "" if they cannot be read."""
    found = {1: "", 2: ""}
    with suppress(OSError, struct.error, KeyError, UnicodeDecodeError), path.open("rb") as file:
        count = struct.unpack_from(">H", file.read(12), 4)[0]
        head = file.read(16 * count)
        tables = {head[16 * i : 16 * i + 4]: struct.unpack_from(">LL", head, 16 * i + 8) for i in range(count)}
        start, length = tables[b"name"]
        file.seek(start)
        data = file.read(length)
        records, strings = struct.unpack_from(">HH", data, 2)
        for i in range(records):
            platform, _, _, name, size, offset = struct.unpack_from(">6H", data, 6 + 12 * i)
            if not found.get(name, "known") and platform in (0, 3):
                found[name] = data[strings + offset : strings + offset + size].decode("utf-16-be")
    return found[1], found[2]


def _folders() -> Iterator[Path]:
    home = Path.home()
    if sys.platform == "win32":
        yield Path(os.environ.get("WINDIR", "C:/Windows"), "Fonts")
        yield home / "AppData/Local/Microsoft/Windows/Fonts"
    elif sys.platform == "darwin":
        yield from (Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts")
    else:
        yield from (home / ".local/share/fonts", home / ".fonts")
        for folder in os.environ.get("XDG_DATA_DIRS", "/usr/local/share:/usr/share").split(":"):
            yield Path(folder, "fonts")
    for package, inside in _PACKAGES:
        spec = find_spec(package)
        if spec is not None and spec.origin:
            yield Path(spec.origin).parent / inside
