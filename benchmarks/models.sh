#!/usr/bin/env bash
# Whole pruned networks in the sparse runtime beside the same in LibTorch, frozen, and ONNX Runtime: kofn bench model.
# Appends a line of JSON a network, runtime and size of batch to a file.
#
#   benchmarks/models.sh benchmarks/results/bench-model.jsonl [more options of kofn bench model]
#
#   NETWORKS="…"      default "resnet-18 vgg16-bn", of 3x32x32 pixels
#   DENSITIES="…"     default 1/8, of the kernels of all layers but the first and the last
#   ONNXRUNTIME=JAR   com.microsoft.onnxruntime:onnxruntime; default: the one that the tests use, if Maven has it
#   KOFN=COMMAND      instead of the ./kofn of this checkout
set -euo pipefail

[ $# -ge 1 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
out=$1
shift
home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
read -ra kofn <<<"${KOFN:-$home/kofn}"
version=$(sed -n 's|.*<onnxruntime.version>\(.*\)</.*|\1|p' "$home/pom.xml")
jar=${ONNXRUNTIME:-$HOME/.m2/repository/com/microsoft/onnxruntime/onnxruntime/$version/onnxruntime-$version.jar}
onnx=()
if [ -f "$jar" ]; then onnx=(--onnxruntime "$jar"); else echo "models.sh: no $jar, so no ONNX Runtime" >&2; fi

"${kofn[@]}" --version >/dev/null # builds, if it must, before anything is measured
for network in ${NETWORKS:-resnet-18 vgg16-bn}; do
    for density in ${DENSITIES:-1/8}; do
        "${kofn[@]}" bench model --network "$network" --density "$density" "${onnx[@]}" --json "$@" |
            sed "s|^{|{\"density\":\"$density\",\"date\":\"$(date -u +%F)\",|" | tee -a "$out"
    done
done
