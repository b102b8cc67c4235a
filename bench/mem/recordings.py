"""What real programs copy and fill: the recordings in recordings/, as record.py keeps them."""

import dataclasses
import json
import lzma
import pathlib

DIRECTORY = pathlib.Path(__file__).resolve().parent / "recordings"
SUFFIX = ".json.xz"
FORMAT = "ashlar.recording/1"
KINDS = ("copies", "fills")

# Of an alignment in an order, as in ashlar.sizes/1.
CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
ALIGNMENT_OF = {character: index for index, character in enumerate(CHARACTERS)}


@dataclasses.dataclass(frozen=True)
class Calls:
    """The copies or the fills of one program."""

    sizes: list      # (least, most, calls) of each bin
    to: list         # calls by the target's address modulo 64
    source: list     # likewise by the source's; of fills all 0
    order: list      # (bytes, target's alignment, source's alignment) of a stretch of calls

    def share_up_to(self, most):
        """Of the calls, those of at most so many bytes."""
        calls = sum(count for _, _, count in self.sizes)
        return sum(count for _, highest, count in self.sizes if highest <= most) / calls if calls else 0.0

    def draw(self, source, count, most):
        """`count` calls as in `order`, each size drawn by how often it occurs, from those of at most `most` bytes; each
        alignment likewise, by itself."""
        bins = [entry for entry in self.sizes if entry[1] <= most]
        drawn = source.choices(bins, [calls for _, _, calls in bins], k=count)
        sizes = [least if least == highest else source.randint(least, highest) for least, highest, _ in drawn]
        to = source.choices(range(64), self.to, k=count)
        origin = source.choices(range(64), self.source, k=count) if any(self.source) else [0] * count
        return list(zip(sizes, to, origin))


def _calls(part):
    order = part["order"]
    source = order.get("from") or "A" * len(order["to"])
    return Calls([tuple(entry) for entry in part["sizes"]], part["to"], part["from"] or [0] * 64,
                 [(size, ALIGNMENT_OF[to], ALIGNMENT_OF[origin])
                  for size, to, origin in zip(order["bytes"], order["to"], source)])


def load(path):
    """{"copies": Calls, "fills": Calls} of one recording. Raises ValueError for anything else."""
    try:
        content = json.loads(lzma.decompress(path.read_bytes()))
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']}")
        return {kind: _calls(content[kind]) for kind in KINDS}
    except (OSError, lzma.LZMAError, UnicodeDecodeError, KeyError, TypeError, ValueError) as reason:
        raise ValueError(f"{path}: no recording: {reason}") from None


def load_all():
    """{name: {kind: Calls}}, in the order of names."""
    return {path.name.removesuffix(SUFFIX): load(path) for path in sorted(DIRECTORY.glob("*" + SUFFIX))}
