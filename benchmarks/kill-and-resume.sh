#!/usr/bin/env bash
# Trains a recipe once undisturbed, and once killed with SIGKILL at random moments and resumed after each; then compares
# metrics, models, and every tensor of the final checkpoint, bit for bit.
#
#   benchmarks/kill-and-resume.sh [RECIPE [KILLS [OPTION of kofn train…]]]
#   benchmarks/kill-and-resume.sh configs/quickstart.yaml 20 --epochs-scale 0.25
#
# Needs Python 3, for the last comparison.
#
#   SEED=N         of the kill moments; default 1
#   EVERY=N        steps between checkpoints; default 10
#   OUT=DIR        where the two runs go; default a new temporary folder, removed if all is equal
#   KOFN=COMMAND   instead of the ./kofn of this checkout
set -euo pipefail

home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
read -ra kofn <<<"${KOFN:-$home/kofn}"
recipe=${1:-$home/configs/quickstart.yaml}
kills=${2:-20}
options=("${@:3}")
RANDOM=${SEED:-1}
out=${OUT:-$(mktemp -d)}
mkdir -p "$out"

set -m # a process group for each run, so that what is killed is all of it, whatever KOFN starts
child=
trap '[ -z "$child" ] || kill -9 -- -"$child" 2>/dev/null || true' EXIT

die() { echo "kill-and-resume: $*; see $out" >&2 && exit 1; }

# Starts a run: its process, which leads its group, is $child.
start() {
    "${kofn[@]}" train "$recipe" --quiet --set checkpoint.every-steps="${EVERY:-10}" "${options[@]}" "$@" 2>"$out/log" &
    child=$!
}

# Waits for the run to end by itself.
finish() {
    wait "$child" || die "the run failed: $(tail -n1 "$out/log")"
    child=
}

# The step of a run's newest checkpoint, 0 without one.
newest() {
    local name
    name=$(ls "$1/checkpoints" 2>/dev/null | sed -n 's/^last-\([0-9]*\)\.safetensors$/\1/p' | tail -n1)
    echo $((10#${name:-0}))
}

# Goes on with the run that is killed; before its first checkpoint there is nothing to resume.
again() {
    local how=--resume
    [ "$(newest "$out/killed")" -gt 0 ] || how=--force
    start --out "$out/killed" $how
}

command -v python3 >/dev/null || die "python3 is missing"
"${kofn[@]}" --version >/dev/null # builds, if it must, before anything is timed or killed
start --out "$out/calm" --force
finish
steps=$(newest "$out/calm")

# Each kill waits for a step of its own, spread over the run at random, and then for up to 400 ms more, so that it hits
# anything: a step, a checkpoint half written, the end of an epoch. One in five comes while the process still starts.
for ((i = 0; i < kills; i++)); do targets[i]=$(((RANDOM * 32768 + RANDOM) % (steps * 19 / 20))); done
mapfile -t targets < <(printf '%s\n' "${targets[@]}" | sort -n)
rm -rf "$out/killed"
killed=0 early=0
for target in "${targets[@]}"; do
    again
    if [ $((RANDOM % 5)) = 0 ]; then
        early=$((early + 1))
        sleep $((RANDOM % 3)).$((RANDOM % 10))
    else
        while [ "$(newest "$out/killed")" -lt "$target" ] && kill -0 "$child" 2>/dev/null; do
            sleep 0.1
        done
        sleep 0.$((RANDOM % 5))$((RANDOM % 10))
    fi
    kill -9 -- -"$child" 2>/dev/null || break # the run was over before
    { wait "$child" || true; } 2>/dev/null # Bash says that it was killed
    child=
    killed=$((killed + 1))
    echo "kill $killed of $kills, meant for step $target of $steps; newest checkpoint: $(newest "$out/killed")" >&2
done
[ -n "$child" ] || again
finish

for file in metrics.jsonl model.safetensors model.pt; do
    cmp "$out/calm/$file" "$out/killed/$file" || die "$file differs"
done
# The checkpoint's header holds the time spent, and LibTorch's optimiser state is an archive that names its temporary
# file, so tensors are compared by name, and the archives by their contents.
last=checkpoints/last-$(printf %09d "$steps").safetensors
python3 - "$out/calm/$last" "$out/killed/$last" <<'PY' || die "the last checkpoint differs"
import io, json, struct, sys, zipfile

def tensors(path):
    data = open(path, "rb").read()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:start])
    out = {}
    for name, t in header.items():
        if name == "__metadata__":
            out[name] = {key: value for key, value in t.items() if key != "milliseconds"}
            continue
        begin, end = t["data_offsets"]
        out[name] = (t["dtype"], t["shape"], data[start + begin:start + end])
        if name.startswith("optimizer/") and begin < end:
            archive = zipfile.ZipFile(io.BytesIO(out[name][2]))
            out[name] = sorted(archive.read(entry) for entry in archive.namelist() if "/data/" in entry)
    return out

calm, killed = map(tensors, sys.argv[1:])
wrong = sorted(name for name in calm.keys() | killed.keys() if calm.get(name) != killed.get(name))
sys.exit("differs: " + ", ".join(wrong) if wrong else 0)
PY
echo "$(basename "$recipe" .yaml): killed $killed times in $steps steps ($early of them while starting)," \
    "seed ${SEED:-1}: metrics, models and the last checkpoint are bit-identical"
[ -n "${OUT:-}" ] || rm -rf "$out"
