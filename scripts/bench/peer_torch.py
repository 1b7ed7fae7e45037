"""How fast is torch, if it is installed, at what `quantisers.py` and `sparsifiers.py` measure? One thread.

A process of its own, because threads of two libraries in one process slow each other down. QSGD of 4 bits as one writes
it: of the whole vector with its l2 norm, to int8; and in buckets of 512 with the largest magnitude, two levels to a
byte. topk of the magnitudes. Prints JSON: seconds by name, medians of interleaved rounds, with those of a copy.
Run: python scripts/bench/peer_torch.py d rounds
"""

import json
import subprocess
import sys
from typing import Any

from timing import medians


def main() -> None:
    d, rounds = int(sys.argv[1]), int(sys.argv[2])
    try:
        import torch
    except ImportError:
        print(json.dumps({}))
        return
    torch.set_num_threads(1)
    x = torch.randn(d, generator=torch.Generator().manual_seed(0))
    copy, sizes = torch.empty_like(x), x.abs()

    def whole() -> Any:
        norm = x.norm()
        place = x.abs() * (7 / norm)
        low = place.floor()
        return norm, ((low + (torch.rand_like(x) < place - low)) * x.sign()).to(torch.int8)

    def buckets() -> Any:
        rows = x.view(-1, 512)
        norms = rows.abs().amax(1, keepdim=True)
        levels = (rows / norms * 7 + torch.rand_like(rows)).floor().to(torch.int8).add(8).to(torch.uint8).view(-1)
        return norms, levels[::2] | (levels[1::2] << 4)

    jobs = {"copy": lambda: copy.copy_(x), "whole": whole, "buckets": buckets}
    for share in (0.001, 0.01):
        jobs[f"topk {share}"] = lambda k=int(share * d): torch.topk(sizes, k, sorted=False)
    print(json.dumps(medians(jobs, rounds, cpu=True)))


def measured(d: int, rounds: int, python: str) -> dict[str, float]:
    """What this script prints under another interpreter, {} where that has no torch."""
    command = [python, __file__, str(d), str(rounds)]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=600).stdout)
    return found


if __name__ == "__main__":
    main()
