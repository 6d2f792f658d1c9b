#!/usr/bin/env bash
# The documentation as a site, in site/dist: the reference from the sources' docstrings, then every page. A link that leads nowhere fails.
set -euo pipefail
cd "$(dirname "$0")/../site"

rm -rf generated dist
(cd reference && node_modules/.bin/typedoc --logLevel Error)
node src/copy-pages.ts
node_modules/.bin/vitepress build --logLevel warn
