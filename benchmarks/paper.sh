#!/usr/bin/env bash
# Trains the recipes of configs/paper with several seeds and methods, and prints a line of JSON a run. A run that has
# finished is not trained again, one that was interrupted goes on: start the script again until it is through.
#
#   benchmarks/paper.sh [RECIPE…]
#   METHODS=dpp SEEDS="1 2 3" benchmarks/paper.sh lenet-300-100 lenet-5 | tee benchmarks/results/paper.jsonl
#
#   RECIPE         a name in configs/paper, or a file; default: all of configs/paper
#   SEEDS="…"      default "1 2 3"
#   METHODS="…"    default "dpp magnitude random"
#   THREADS=N      default 1; results depend on it in their last digits
#   OUT=DIR        where the run folders go; default runs/paper
#   OPTIONS="…"    more options of kofn train for every run
#   KOFN=COMMAND   instead of the ./kofn of this checkout
#
# The data must be there: ./kofn data fetch mnist, or ./kofn data import mnist --from DIR.
set -euo pipefail

home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
read -ra kofn <<<"${KOFN:-$home/kofn}"
read -ra options <<<"${OPTIONS:-}"
out=${OUT:-$home/runs/paper}

recipes=("$@")
if [ $# = 0 ]; then
    recipes=("$home"/configs/paper/*.yaml)
fi

# A value of summary.json, which has a key a line, or of provenance.json.
value() {
    sed -n "s/^  \"$2\" : \(.*[^,]\),\{0,1\}$/\1/p" "$1"
}

line() {
    local summary=$1/summary.json provenance=$1/provenance.json key
    printf '{"recipe": "%s", "method": "%s", "seed": %s' "$2" "$3" "$4"
    for key in test_accuracy validation_accuracy parameters_total parameters_kept macs_dense macs_kept bytes_dense \
        bytes_compact seconds; do
        printf ', "%s": %s' "$key" "$(value "$summary" $key)"
    done
    for key in version commit libtorch hardware threads finished; do
        printf ', "%s": %s' "$key" "$(value "$provenance" $key)"
    done
    echo "}"
}

failed=0
for recipe in "${recipes[@]}"; do
    [ -f "$recipe" ] || recipe=$home/configs/paper/$recipe.yaml
    name=$(basename "$recipe" .yaml)
    for seed in ${SEEDS:-1 2 3}; do
        for method in ${METHODS:-dpp magnitude random}; do
            run=$out/$name-$method-$seed
            if [ ! -f "$run/summary.json" ]; then
                how=()
                [ ! -d "$run/checkpoints" ] || how=(--force)
                [ -z "$(ls "$run"/checkpoints/last-* 2>/dev/null)" ] || how=(--resume)
                echo "$name, $method, seed $seed" >&2
                status=0
                "${kofn[@]}" train "$recipe" --out "$run" --seed "$seed" --set prune.method="$method" \
                    --threads "${THREADS:-1}" "${options[@]}" "${how[@]}" >/dev/null || status=$?
                case $status in
                    0) ;;
                    130 | 143) exit $status ;;
                    *)
                        echo "$run: kofn ended with $status; the others go on" >&2
                        failed=1
                        continue
                        ;;
                esac
            fi
            line "$run" "$name" "$method" "$seed"
        done
    done
done
exit $failed
