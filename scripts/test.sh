#!/bin/sh
# What `npm test` runs: build, check, tests. Arguments go to vitest: npm test -- src/bson
set -eu
cd "$(dirname "$0")/.."

heading() { printf '\n=== %s ===\n' "$1"; }

heading 'Build'
npm run --silent build
heading 'Check: types, lint, format'
npm run --silent check
heading 'Tests: unit, integration, faults'
exec npx vitest run "$@"
