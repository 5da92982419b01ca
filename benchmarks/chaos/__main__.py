"""`make soak`: kill -9 of each part, a database restarted, a disk full and slow clients, under load, for ten minutes.

    python -m benchmarks.chaos --minutes 10 --store postgresql

prints each recovery and what was lost, doubled or wrong, writes build/soak/soak.json, and ends with status 1 where a
bar does not hold. SQLite is taken where PostgreSQL is not on the machine; then no database is restarted.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks import bundles, postgresql
from benchmarks.chaos.soak import MOST_RECOVERY_S, Recovered, Soaked, soak

OUT = Path(__file__).parents[2] / "build" / "soak"
STORES = ("postgresql", "sqlite")


def main() -> int:
    """Runs, prints, writes."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--store", choices=STORES, default=STORES[0] if postgresql.programs() else STORES[1])
    parser.add_argument("--per-second", type=float, default=3.0, help="images sent, and as many questions asked")
    parser.add_argument("--seed", type=int, default=0, help="of how long each part stays away")
    wanted = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended, too
    shutil.rmtree(OUT / "house", ignore_errors=True)
    (OUT / "house").mkdir(parents=True)
    bundle = bundles.bundle("small-cnn", OUT / "registry", size=64)
    with _cluster(wanted.store) as cluster:
        soaked = soak(
            OUT / "house",
            bundle,
            cluster,
            seconds=60 * wanted.minutes,
            per_s=wanted.per_second,
            seed=wanted.seed,
            said=_say,
        )
    (OUT / "soak.json").write_text(json.dumps(asdict(soaked), indent=2))
    return _report(soaked)


@contextmanager
def _cluster(store: str) -> Iterator[postgresql.Cluster | None]:
    if store != STORES[0]:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="kerascope-soak-", ignore_cleanup_errors=True) as folder:
        cluster = postgresql.Cluster(Path(folder))
        try:
            yield cluster
        finally:
            cluster.stop()


def _say(one: Recovered) -> None:
    print(
        f"{one.trouble:28s} back at work after {one.recovery_s:4.1f} s, what waited done after {one.backlog_s:4.1f} s; "
        f"{one.turned_away} brought again",
        flush=True,
    )


def _report(soaked: Soaked) -> int:
    print(f"{soaked.images} images taken, {soaked.questions} questions answered; full disk: {soaked.disk}")
    for fault in soaked.faults[:20]:
        print(f"  {fault}")
    print(f"{len(soaked.faults)} lost, doubled, wrong or broken; none allowed")
    verdict = "holds" if soaked.slowest_s <= MOST_RECOVERY_S else "FAILS"
    print(f"slowest recovery {soaked.slowest_s:.1f} s; at most {MOST_RECOVERY_S:.0f}: {verdict}")
    return int(not soaked.holds)


if __name__ == "__main__":
    sys.exit(main())
