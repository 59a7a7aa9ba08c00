"""Make the fonts of the figures: ``python -m mexico_tables.fonts`` writes analysis/fonts.

They are matplotlib's DejaVu Sans, with the characters of European languages, their kerning and
their ligatures. A PDF's texts are the same in them; to embed the whole font took more than to draw
a figure in all formats.
"""

import shutil
from pathlib import Path

import matplotlib as mpl
from fontTools import subset

FOLDER = Path(__file__).parents[1] / "analysis/fonts"
NAME = "DejaVu Sans Latin"  # the licence asks for a name of its own
BLOCKS = (  # of Unicode: first and last character
    (0x20, 0x17F),  # Latin
    (0x391, 0x3C9),  # Greek
    (0x2000, 0x206F),  # dashes and quotation marks
    (0x20A0, 0x20BF),  # currencies
    (0x2100, 0x214F),
    (0x2190, 0x21FF),  # arrows
    (0x2200, 0x22FF),  # the minus sign and other operators
    (0x25A0, 0x25FF),
)
FAMILY, FULL = 1, 4  # numbers of a font's names


def write_font(style: str, folder: Path) -> None:
    """Write one style."""
    options = subset.Options(
        glyph_names=False,
        recommended_glyphs=True,
        notdef_outline=True,
        layout_features=["liga"],
        name_IDs=[0, 1, 2, 3, 4, 5, 6, 13, 14],
        recalc_timestamp=False,
        legacy_kern=True,  # a small table; GPOS holds the same pairs
    )
    options.drop_tables += ["GDEF", "FFTM", "GPOS", "MATH"]
    original = Path(mpl.get_data_path(), f"fonts/ttf/DejaVuSans{style}.ttf")
    font = subset.load_font(str(original), options)
    cut = subset.Subsetter(options)
    cut.populate(unicodes=[code for first, last in BLOCKS for code in range(first, last + 1)])
    cut.subset(font)
    for record in font["name"].names:
        if record.nameID in (FAMILY, FULL):
            record.string = record.toUnicode().replace("DejaVu Sans", NAME)
    subset.save_font(font, str(folder / f"DejaVuSansLatin{style}.ttf"), options)


def main() -> None:
    """Write the styles that the figures use, and their licence."""
    FOLDER.mkdir(exist_ok=True)
    for style in ("", "-Bold"):
        write_font(style, FOLDER)
    shutil.copy(Path(mpl.get_data_path(), "fonts/ttf/LICENSE_DEJAVU"), FOLDER)


if __name__ == "__main__":
    main()
