"""The updater of the live shop, as a generated one is."""

import sys

from mlsd_framework.runtime.stream.process import run
from tests.runtime.serving.live_shop.purchases import FEATURES, FEED

if __name__ == "__main__":
    sys.exit(run([FEED], system="live-shop", features=FEATURES))
