#!/usr/bin/env bash
# Upstream's integration tests in upstream's order (src/storage/backup/integration_tests/run_all.sh):
# all of them, or those that are named, such as `run_all.sh test_pin_sst`.
set -euo pipefail
DIR="$(cd "$(dirname "${BASH_SOURCE[0]}")" >/dev/null 2>&1 && pwd)"
PYTHON="${PYTHON:-${DIR}/../.venv/bin/python}"

tests=(
  test_basic
  test_pin_sst
  test_query_backup
  test_set_config
  test_overwrite_endpoint
)
if [ "$#" -gt 0 ]; then
  tests=("$@")
fi
for t in "${tests[@]}"; do
  t="${t%.sh}"
  if [ ! -f "${DIR}/${t}.py" ]; then
    echo "no test ${t}" >&2
    exit 2
  fi
  echo "--- running ${t}"
  (cd "${DIR}/.." && "${PYTHON}" -m pytest -q "integration_tests/${t}.py")
done

echo "all tests succeeded"
