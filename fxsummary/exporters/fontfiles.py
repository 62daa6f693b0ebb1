"""Find font files on this machine for pictures: sans serif, bold sans serif, monospaced."""

from __future__ import annotations

import os
import re
import struct
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

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

        def resized(found: re.Match[str]) -> str:
            size = float(found[2]) * (1.0 if "m" in found[1].split() else self.size)
            return f'class="{found[1]}" font-size="{size:.3g}"'

        return svg if self.size == 1 else _TEXT.sub(resized, svg)


@cache
def find_fonts() -> Fonts | None:
    """Return the fonts to draw with on this machine; None if there are none."""
    return choose(font_files(_folders()))


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
    """Return the family name in a font file (name 1 of its name table); "" if it cannot be read."""
    try:
        data = path.read_bytes()
        count = struct.unpack_from(">H", data, 4)[0]
        tables = {data[12 + 16 * i : 16 + 16 * i]: struct.unpack_from(">LL", data, 20 + 16 * i) for i in range(count)}
        start = tables[b"name"][0]
        records, strings = struct.unpack_from(">HH", data, start + 2)
        for i in range(records):
            platform, _, _, name, length, offset = struct.unpack_from(">6H", data, start + 6 + 12 * i)
            if name == 1 and platform in (0, 3):
                at = start + strings + offset
                return data[at : at + length].decode("utf-16-be")
    except (OSError, struct.error, KeyError, UnicodeDecodeError):
        pass
    return ""


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
