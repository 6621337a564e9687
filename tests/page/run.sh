#!/bin/sh
# run.sh: the status page in a real browser, against the real daemon. Skipped where there is no chromium or no playwright-core:
# neither is needed to build or to run driftd.
#   apt-get install chromium; npm install --prefix "$PLAYWRIGHT" playwright-core
set -eu
cd "$(dirname "$0")/../.."
browser=${CHROMIUM:-$(command -v chromium || true)}
playwright=${PLAYWRIGHT:-build/playwright}
[ -n "$browser" ] || { echo "page: skipped, there is no chromium"; exit 0; }
command -v node >/dev/null || { echo "page: skipped, there is no node"; exit 0; }
if [ ! -e "$playwright/node_modules/playwright-core" ]; then
    command -v npm >/dev/null || { echo "page: skipped, there is no playwright-core and no npm"; exit 0; }
    npm install --silent --no-audit --no-fund --prefix "$playwright" playwright-core >/dev/null ||
        { echo "page: skipped, playwright-core cannot be installed"; exit 0; }
fi
exec env CHROMIUM="$browser" PLAYWRIGHT="$playwright" PYTHONPATH=tests/line /usr/bin/python3 tests/page/test_page.py "$@"
