#!/usr/bin/env bash
# Steps a second of training ResNet-20 on CIFAR-10: dense, pruned by magnitude, and by dynamic probabilistic pruning,
# both at k = 25 % of n throughout. Prints a line of JSON a method.
#
#   benchmarks/step-rate.sh | tee benchmarks/results/step-rate.jsonl
#
#   STEPS=N        steps of a block; default 50
#   BLOCKS=N       measured blocks of a run, after one that warms up; default 4
#   ROUNDS=N       runs of each method, in turn, so that a slower hour hits all of them; default 3
#   THREADS=N      default 0, all cores
#   RECIPE=FILE    default configs/cifar-10-resnet-20.yaml
#   OPTIONS="…"    more options of kofn train for every run, such as --device cuda
#   KOFN=COMMAND   instead of the ./kofn of this checkout
#
# The data must be there: ./kofn data fetch cifar-10, or ./kofn data import cifar-10 --from DIR.
#
# A run is made of phases of STEPS steps, and its --json output has a line at the end of each; what is measured is the
# time between those lines. It holds everything that training does, a checkpoint for each block too, but neither the
# start of Java nor reading the data. Validation is off.
set -euo pipefail
export LC_ALL=C # of $EPOCHREALTIME

home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
read -ra kofn <<<"${KOFN:-$home/kofn}"
read -ra options <<<"${OPTIONS:-}"
recipe=${RECIPE:-$home/configs/cifar-10-resnet-20.yaml}
steps=${STEPS:-50}
blocks=${BLOCKS:-4}
rounds=${ROUNDS:-3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Epochs that make $steps steps: 50,000 images in batches of 128 are 390 steps.
batch=$(sed -n 's/^batch: *\([0-9]*\).*/\1/p' "$recipe")
epochs=$(awk -v s="$steps" -v b="${batch:-128}" 'BEGIN { printf "%.9f", s / int(50000 / b) }')

phases() { # NAME
    local all="" i
    for ((i = 0; i <= blocks; i++)); do
        all+="{phase: $1, epochs: $epochs},"
    done
    echo "phases=[${all%,}]"
}

# Reads a run's JSON lines as they come, and writes the steps a second of each block but the first.
rates() {
    local line before="" now
    while IFS= read -r line; do
        [[ $line == *'"event":"epoch"'* ]] || continue
        now=$EPOCHREALTIME
        [ -z "$before" ] || awk -v a="$before" -v b="$now" -v s="$steps" 'BEGIN { printf "%.4f\n", s / (b - a) }'
        before=$now
    done
}

run() { # METHOD
    local how
    if [ "$1" = dense ]; then
        how=(--set prune=null --set "$(phases dense)")
    else
        how=(--set prune.method="$1" --set 'prune.layers[0].keep=25%' --set "$(phases prune)")
    fi
    "${kofn[@]}" train "$recipe" --out "$work/run" --force --json --threads "${THREADS:-0}" \
        --set data.validation=0 "${how[@]}" "${options[@]}" | rates >>"$work/$1"
    [ "$(grep -c . "$work/$1")" -gt 0 ] || { echo "step-rate: $1 gave no blocks" >&2; exit 1; }
}

"${kofn[@]}" --version >/dev/null # builds, if it must, before anything is measured
for ((round = 1; round <= rounds; round++)); do
    for method in dense magnitude dpp; do
        echo "round $round of $rounds: $method" >&2
        run $method
    done
done

hardware=$(sed -n 's/^  "hardware" : "\(.*\)",$/\1/p' "$work/run/provenance.json")
commit=$(sed -n 's/^  "commit" : "\(.*\)",$/\1/p' "$work/run/provenance.json")
processor=$(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -n1)
for method in dense magnitude dpp; do
    sort -g "$work/$method" | awk -v m="$method" -v r="$(basename "$recipe" .yaml)" -v h="$hardware" -v p="$processor" \
        -v c="$commit" -v d="$(date -u +%F)" -v s="$steps" '
        { x[NR] = $1 }
        END {
            median = NR % 2 ? x[(NR + 1) / 2] : (x[NR / 2] + x[NR / 2 + 1]) / 2
            printf "{\"recipe\": \"%s\", \"method\": \"%s\", \"steps_per_second\": %.3f, ", r, m, median
            printf "\"slowest\": %.3f, \"fastest\": %.3f, \"blocks\": %d, \"steps_per_block\": %d, ", x[1], x[NR], NR, s
            printf "\"processor\": \"%s\", \"hardware\": \"%s\", \"commit\": \"%s\", \"date\": \"%s\"}\n", p, h, c, d
        }'
done
