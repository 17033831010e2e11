#!/usr/bin/env bash
# Builds and tries the images of deploy/ where there is no Docker daemon: with buildah, whose containers are chroots here,
# from a base image that debootstrap makes. Needs root on Debian or Ubuntu.
#
#   scripts/image.sh tools     installs buildah, debootstrap and ffmpeg where they are missing
#   scripts/image.sh base      makes the base image: Debian bookworm with this machine's Node.js and npm
#   scripts/image.sh build     builds media-aggregator and streaming-engine from deploy/
#   scripts/image.sh check     runs both images: health, /status, a stream from ffmpeg to HLS; with each media backend
#   scripts/image.sh run ...   runs the aggregator's image; the arguments are those of its command, such as "serve"
#   scripts/image.sh all       tools, base, build, check
#   scripts/image.sh clean     removes images, containers and what was kept
#
# The Dockerfiles take node:24-bookworm-slim from a registry. Where none is reached the argument BASE names another image
# of the same kind: Debian's nodejs 18 is too old, so the base image that is made here gets the node that runs the build.
# Exit code 69: this machine cannot do it, and the last line says why; 1: it can, and something is wrong.
set -euo pipefail
cd "$(dirname "$0")/.."

base=localhost/media-aggregator-base:bookworm
# Without it, debootstrap takes the mirror that it knows.
mirror=${DEBIAN_MIRROR:-}
# Where the RUN instructions find certificates that are not npm's own.
authorities=${NODE_EXTRA_CA_CERTS:-}

say() { printf 'image: %s\n' "$*"; }
fail() { say "FAILED: $*" >&2; exit 1; }
cannot() { say "NOT POSSIBLE HERE: $*" >&2; exit 69; }

tools() {
  [ "$(id -u)" = 0 ] || cannot 'it needs root (chroot isolation and debootstrap)'
  local missing=()
  command -v buildah >/dev/null || missing+=(buildah)
  command -v debootstrap >/dev/null || missing+=(debootstrap)
  # The camera of the check.
  command -v ffmpeg >/dev/null || missing+=(ffmpeg)
  if [ ${#missing[@]} -gt 0 ]; then
    command -v apt-get >/dev/null || cannot "${missing[*]} is not installed, and there is no apt-get"
    say "installing ${missing[*]}"
    { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "${missing[@]}"; } \
      >/dev/null || cannot "apt-get cannot install ${missing[*]}"
  fi
  # Some sandboxes forbid what a chroot container needs (mount, unshare); better known before than in the middle.
  local trial
  trial=$(buildah from scratch) || cannot 'buildah cannot make a container (its storage cannot be used)'
  buildah rm "$trial" >/dev/null
}

base() {
  local folder container log
  if buildah inspect --type image "$base" >/dev/null 2>&1; then
    say "the base image is there"
    return
  fi
  folder=$(mktemp -d)
  log=$(mktemp)
  say "making $base by debootstrap"
  debootstrap --variant=minbase --include=ca-certificates bookworm "$folder" ${mirror:+"$mirror"} >"$log" 2>&1 \
    || { tail -5 "$log" >&2; rm -rf "$folder" "$log"; cannot "debootstrap failed; does the Debian mirror answer? DEBIAN_MIRROR names another"; }
  [ -s "$folder/etc/apt/sources.list" ] || cannot "debootstrap left no sources.list"
  rm -rf "$folder"/var/cache/apt/archives/*.deb "$folder"/var/lib/apt/lists/*
  local npm
  npm=$(npm_folder) || cannot 'npm is not installed beside node'
  install -m 755 "$(node -p process.execPath)" "$folder/usr/local/bin/node"
  mkdir -p "$folder/usr/local/lib/node_modules"
  cp -rL "$npm" "$folder/usr/local/lib/node_modules/npm"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$folder/usr/local/bin/npm"
  chroot "$folder" node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)' \
    || { rm -rf "$folder"; cannot "the node of this machine ($(node -p process.execPath)) does not run on Debian bookworm, or is older than 20"; }
  container=$(buildah from scratch)
  buildah add -q "$container" "$folder" / >/dev/null
  buildah commit -q "$container" "$base" >/dev/null
  buildah rm "$container" >/dev/null
  rm -rf "$folder" "$log"
}

npm_folder() {
  local npm
  npm=$(readlink -f "$(command -v npm)") || return 1
  # .../npm/bin/npm-cli.js
  npm=$(dirname "$(dirname "$npm")")
  [ -f "$npm/bin/npm-cli.js" ] && echo "$npm"
}

build() {
  build_image media-aggregator deploy/Dockerfile .
  build_image streaming-engine deploy/engine/Dockerfile deploy/engine
}

build_image() {
  local name=$1 file=$2 context=$3 log seconds=$SECONDS
  local secret=()
  [ -z "$authorities" ] || secret=(--secret "id=npm-ca,src=$authorities")
  log=$(mktemp)
  say "building $name"
  # The format of Docker, because OCI's has no HEALTHCHECK.
  buildah bud --isolation chroot --format docker --build-arg "BASE=$base" ${secret[@]+"${secret[@]}"} \
    --tag "localhost/$name" --file "$file" "$context" >"$log" 2>&1 \
    || { tail -30 "$log" >&2; rm -f "$log"; fail "$name does not build"; }
  rm -f "$log"
  say "built $name in $((SECONDS - seconds)) s"
}

# The image's own ENTRYPOINT with other arguments than CMD, as "docker run IMAGE ARGUMENTS" does it.
run() {
  local container
  container=$(buildah from localhost/media-aggregator)
  trap 'buildah rm "$container" >/dev/null' EXIT
  mapfile -t entry < <(image_list media-aggregator Entrypoint)
  buildah run --isolation chroot "$container" -- "${entry[@]}" "$@"
}

# One word a line of a field of the image's configuration.
image_list() {
  buildah inspect --type image "localhost/$1" | node -e '
    const { Docker } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
    for (const word of Docker.config[process.argv[1]] ?? []) console.log(word);
  ' "$2"
}

check() {
  node scripts/check-image.mjs
}

clean() {
  local id
  for id in $(buildah containers --quiet --filter ancestor=localhost/media-aggregator) \
    $(buildah containers --quiet --filter ancestor=localhost/streaming-engine); do
    buildah rm "$id" >/dev/null
  done
  for id in localhost/media-aggregator localhost/streaming-engine "$base"; do
    buildah rmi --force "$id" >/dev/null 2>&1 || true
  done
}

case ${1:-} in
  tools | base | build | check | clean) "$1" ;;
  run) shift && run "$@" ;;
  all) tools && base && build && check ;;
  *) sed -n '2,17s/^# \{0,1\}//p' "$0" && exit 64 ;;
esac
