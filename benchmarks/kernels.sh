#!/usr/bin/env bash
# Sparse convolutions and linear layers on the CPU, beside LibTorch's dense ones: kofn bench conv and linear. Appends a
# line of JSON a layer and batch to a file. Without --json, the two commands print tables with geometric means.
#
#   benchmarks/kernels.sh benchmarks/results/bench-conv.jsonl [more options of kofn bench conv and linear]
#
#   NETWORKS="…"      default "vgg16-bn@224 resnet-18@224 resnet-50@224"
#   KOFN=COMMAND      instead of the ./kofn of this checkout
#
# Nothing else should run on the machine.
set -euo pipefail

[ $# -ge 1 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
out=$1
shift
home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
read -ra kofn <<<"${KOFN:-$home/kofn}"

"${kofn[@]}" --version >/dev/null # builds, if it must, before anything is measured
for network in ${NETWORKS:-vgg16-bn@224 resnet-18@224 resnet-50@224}; do
    "${kofn[@]}" bench conv --networks "$network" --json "$@" >>"$out"
done
"${kofn[@]}" bench linear --json "$@" >>"$out"
