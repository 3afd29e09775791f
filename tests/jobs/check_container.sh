#!/usr/bin/env bash
# Builds the image of docs/jobs/Containerfile on a bare Debian, has each pod of docs/jobs/kubernetes.yaml carry
# out its words in it, and compares what they write with a single run.
#
# tests/jobs/check_container.sh PROGRAM [SUITE | FOLDER]    SUITE: of Debian, or the FOLDER of one; bookworm
#
# Needs root, buildah with crun, debootstrap, and a network for Debian's packages. The image is built and run
# with `--isolation chroot`, which needs no rights beyond those of chroot; STORE is the folder of images.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
program=$(realpath "${1:?the program}")
debian=${2:-bookworm}
store=${STORE:-$(mktemp --directory)}
work=$(mktemp --directory)
export BUILDAH_ISOLATION=chroot
boxes() { buildah --root "$store/root" --runroot "$store/run" --storage-driver vfs "$@"; }
end() {
  boxes rm --all >/dev/null 2>&1 || true
  boxes rmi --all --force >/dev/null 2>&1 || true
  rm --recursive --force --one-file-system "$work"
  [[ -n ${STORE:-} ]] || rm --recursive --force --one-file-system "$store"
}
trap end EXIT

if [[ ! -d $debian ]]; then
  debootstrap --variant=minbase "$debian" "$work/debian" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" >"$work/log"
  debian=$work/debian
fi
base=$(boxes from scratch)
# What the program does not need is left out, because images are copied whole several times.
tar --create --one-file-system --exclude=./proc --exclude=./sys --exclude=./root --exclude=./var --exclude=./usr/share --directory "$debian" . >"$work/base.tar"
boxes add --quiet "$base" "$work/base.tar" / >/dev/null
boxes commit --quiet "$base" localhost/debian >/dev/null

mkdir "$work/context" "$work/data"
cp "$program" "$work/context/factscope"
boxes bud --quiet --file "$top/docs/jobs/Containerfile" --build-arg BASE=localhost/debian \
  --build-arg PROGRAM=factscope --tag localhost/factscope "$work/context"
pod=$(boxes from localhost/factscope)

# The words of the pods, with the volume in /data.
python3 - "$top" "$work/data" <<'END'
import json, sys
from pathlib import Path
top, data = map(Path, sys.argv[1:])
facts = json.loads((top / "data/facts.json").read_text(encoding="utf-8"))
(data / "counterfact.json").write_text(json.dumps(facts[:12]), encoding="utf-8")
END
job=$top/docs/jobs/kubernetes.yaml
read -ra words <<<"$(sed --quiet 's/^ *args: \[\(.*\)\]/\1/p' "$job" | tr --delete ,)"
pods=$(sed --quiet 's/^ *completions: //p' "$job")
"$program" attribute --by heads --facts "$work/data/counterfact.json" --case 1 --quiet --save-spec "$work/data/spec.json"
# The spec names the dataset's file, which is in another place there.
sed --in-place "s|$work/data|/data|g" "$work/data/spec.json"
for ((index = 0; index < pods; index++)); do
  boxes run --volume "$work/data:/data" --env JOB_COMPLETION_INDEX="$index" --env JOB_COMPLETIONS="$pods" \
    "$pod" factscope "${words[@]}" --quiet
done
shards=()
for ((nth = 1; nth <= pods; nth++)); do shards+=("/data/shards/shard-$nth-of-$pods"); done
boxes run --volume "$work/data:/data" "$pod" factscope merge "${shards[@]}" --out /data/merged --quiet
boxes run --volume "$work/data:/data" "$pod" factscope "${words[@]//shards/whole}" --quiet
few=(--draws 50 --permutations 19)
for folder in merged whole; do
  boxes run --volume "$work/data:/data" "$pod" factscope population "/data/$folder" "${few[@]}" >"$work/$folder.txt"
done
cmp "$work/merged.txt" "$work/whole.txt"
echo "$pods pods in the image, merged, say what a single run says"
