"""`python -m benchmarks.gate`; see `benchmarks.gate.command`."""

import os
import sys
from pathlib import Path

if __name__ == "__main__":  # not in the processes that make phantoms
    weights = Path(__file__).parents[3] / "shared" / "keras"
    if "KERAS_HOME" not in os.environ and weights.is_dir():
        os.environ["KERAS_HOME"] = str(weights)  # before Keras is imported
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from benchmarks.gate.command import main

    sys.exit(main())
