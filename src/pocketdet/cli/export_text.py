"""The text of `pocketdet export`, for people."""

import json

from rich.console import Console
from rich.markup import escape

from pocketdet.export import Exported, RejectedExport
from pocketdet.export.proof import Proof
from pocketdet.runtime import card_path


def show_export(exported: Exported, *, as_json: bool) -> None:
    """Print where the file is and what was measured on it."""
    console, card = Console(highlight=False), exported.card
    if as_json:
        document = {
            "file": str(exported.file),
            "card": str(card_path(exported.file)),
            "bytes": exported.num_bytes,
            "seconds": round(exported.seconds, 2),
            "proof": exported.proof.to_data(),
        }
        console.print(json.dumps(document, indent=2), soft_wrap=True, markup=False)
        return
    batch = "any batch" if card.input.batch is None else f"batch {card.input.batch}"
    contract = card.contract
    console.print(
        f"[bold]{escape(str(exported.file))}[/]  {exported.num_bytes / 1e6:.2f} MB, "
        f"{card.precision}, {card.runtime}; {exported.seconds:.1f} s",
        soft_wrap=True,
    )
    kind = "RGB" if card.input.normalization == "inside" else "normalised"
    console.print(
        f"takes {card.input.dtype} {kind} pictures of {contract.height}×{contract.width}, {batch}; "
        f"gives {', '.join(card.outputs.names)}"
    )
    for line in proof_lines(exported.proof):
        console.print(f"  {line}")
    console.print(f"Its card is {escape(str(card_path(exported.file)))}", soft_wrap=True)


def show_rejected(rejected: RejectedExport, *, as_json: bool) -> None:
    """Print what differs, worst first."""
    console = Console(highlight=False)
    if as_json:
        document = {
            "rejected": str(rejected.file),
            "failures": list(rejected.proof.failures),
            "proof": rejected.proof.to_data(),
        }
        console.print(json.dumps(document, indent=2), soft_wrap=True, markup=False)
        return
    console.print(f"[red]rejected:[/] {escape(str(rejected))}", soft_wrap=True)
    for failure in rejected.proof.failures[1:]:
        console.print(f"  and {escape(failure)}", soft_wrap=True)
    for line in proof_lines(rejected.proof):
        console.print(f"  {line}")
    console.print(
        f"Where it is made: pocketdet parity RUN {escape(str(rejected.file))} --data PATH",
        soft_wrap=True,
    )


def proof_lines(proof: Proof) -> list[str]:
    """Say what was compared, and how far apart the two are."""
    kind = "made-up pictures" if proof.made_up else "pictures"
    own = proof.tolerance
    lines = [
        f"{name}: off by {error:.1e} of its size ({own.output:g} allowed)"
        for name, error in proof.outputs.items()
    ]
    lines.append(
        f"{proof.detections} detections in {proof.pictures} {kind}: boxes off by at most "
        f"{proof.box:.1g} px ({own.box:g}), scores by {proof.score:.1g} ({own.score:g}), "
        f"{proof.unmatched} without a partner"
    )
    return lines
