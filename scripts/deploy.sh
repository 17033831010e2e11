#!/usr/bin/env bash
# Runs what deploy/ has, for real: the two compose files by a Docker daemon, the chart by Helm, the chart's pods by Docker.
# Needs the images of scripts/image.sh (or of "docker build"), ffmpeg, openssl and npm's packages.
#
#   scripts/deploy.sh chart       lints and renders the chart by Helm, with every value, and with wrong ones      (10 s)
#   scripts/deploy.sh compose     compose.yaml and compose.cluster.yaml: streams, a kill, a drain, an end     (5 minutes)
#   scripts/deploy.sh pods        the containers of the chart's pods: user, volumes, probes, SIGTERM            (1 minute)
#   scripts/deploy.sh all         these three; "npm run test:deploy" is the same
#   scripts/deploy.sh manifests   has Kubernetes's own code read what the chart makes: validation, Pod Security (needs Go and
#                                 the modules of Kubernetes; some minutes to build)
#   scripts/deploy.sh clean       removes the daemon and the images of these runs, and what one that was cut off left
#
# Of Docker it needs the command "docker" with its Compose plugin (COMPOSE names another, such as "docker-compose"), and a
# daemon: the one that DOCKER_HOST names, else, for root where "dockerd" is installed, one of its own in a network namespace
# of its own, which touches neither the network nor the containers of the machine. Containers, volumes and networks that a
# daemon has are left alone but for those whose names begin with "media-aggregator-trial". HELM names the Helm (3 or 4) to use.
# ETCD_IMAGE names an image of etcd; without it, and without a registry, one is made of Debian's etcd.
# Exit code 69: this machine cannot do it, and the last line says why; 1: it can, and something is wrong.
set -euo pipefail
cd "$(dirname "$0")/.."

here=${DEPLOY_DIR:-/var/tmp/media-aggregator-deploy}
namespace=media-aggregator-deploy
export HELM=${HELM:-helm} COMPOSE=${COMPOSE:-docker compose}
# How commands get into the network of the daemon, where that is one of its own.
inside=()

say() { printf 'deploy: %s\n' "$*"; }
cannot() { say "NOT POSSIBLE HERE: $*" >&2; exit 69; }
need() { command -v "$1" >/dev/null || cannot "$1 is not installed"; }

# A daemon, in DOCKER_HOST.
daemon() {
  need docker
  if [ -n "${DOCKER_HOST:-}" ]; then
    docker version >/dev/null 2>&1 || cannot "no Docker daemon answers at $DOCKER_HOST"
    return
  fi
  [ "$(id -u)" = 0 ] || cannot 'it needs root for a Docker daemon of its own, or DOCKER_HOST'
  command -v dockerd >/dev/null || cannot 'dockerd is not installed (Debian: docker.io), and DOCKER_HOST names no daemon'
  need ip
  need nsenter
  alone
  # That of a run that was cut off.
  end_daemon
  ip netns add "$namespace" 2>/dev/null || [ -e "/run/netns/$namespace" ] || cannot 'network namespaces cannot be made here'
  inside=(nsenter "--net=/run/netns/$namespace")
  "${inside[@]}" ip link set lo up
  export DOCKER_HOST=unix://$here/docker.sock
  trap end_daemon EXIT
  "${inside[@]}" dockerd --data-root "$here/data" --exec-root "$here/exec" --pidfile "$here/docker.pid" -H "$DOCKER_HOST" \
    >"$here/dockerd.log" 2>&1 9>&- &
  local i
  for i in $(seq 60); do
    docker version >/dev/null 2>&1 && return
    kill -0 $! 2>/dev/null || break
    sleep 1
  done
  tail -3 "$here/dockerd.log" >&2
  cannot 'dockerd does not start here'
}

# One run at a time has a daemon there.
alone() {
  mkdir -p "$here"
  exec 9>"$here/lock"
  flock -n 9 || cannot "another run of it is under way ($here)"
}

end_daemon() {
  local pid i
  pid=$(cat "$here/docker.pid" 2>/dev/null || true)
  # What was left by a run that was cut off may be the number of another program by now.
  if [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ]; then
    kill "$pid" 2>/dev/null || true
    for i in $(seq 30); do [ -e "/proc/$pid" ] && sleep 1; done
  fi
  ip netns del "$namespace" 2>/dev/null || true
  rm -f "$here/docker.sock" "$here/docker.pid"
  unmount
}

# A daemon leaves its network namespace mounted, and what was cut off its containers' file systems. The last mount goes first.
unmount() {
  local at
  awk -v here="$here/" 'index($5, here) == 1 { print $5 }' /proc/self/mountinfo | tac | while read -r at; do
    umount "$at" 2>/dev/null || umount --lazy "$at" || true
  done
}

# Images of buildah into the daemon, where it has none of that name. They are read in again when they were built anew.
images() {
  local name
  for name in media-aggregator streaming-engine; do image "$name"; done
  if [ -z "${ETCD_IMAGE:-}" ]; then
    export ETCD_IMAGE=media-aggregator-etcd
    if command -v buildah >/dev/null && ! buildah inspect --type image localhost/$ETCD_IMAGE >/dev/null 2>&1; then
      say 'building an image of etcd'
      buildah bud --isolation chroot --format docker --build-arg BASE=localhost/media-aggregator-base:bookworm \
        --tag localhost/$ETCD_IMAGE --file scripts/deploy/etcd.Dockerfile scripts/deploy >/dev/null 2>&1 \
        || cannot 'the image of etcd cannot be built; ETCD_IMAGE names one'
    fi
    if ! command -v buildah >/dev/null && ! docker image inspect $ETCD_IMAGE >/dev/null 2>&1; then
      docker build --quiet --tag $ETCD_IMAGE --file scripts/deploy/etcd.Dockerfile scripts/deploy >/dev/null \
        || cannot 'the image of etcd cannot be built; ETCD_IMAGE names one'
    fi
    image $ETCD_IMAGE
  fi
}

image() {
  local built there archive
  built=$(buildah inspect --type image --format '{{.FromImageID}}' "localhost/$1" 2>/dev/null || true)
  there=$(docker image inspect --format '{{.Id}}' "$1" 2>/dev/null || true)
  if [ -z "$built" ]; then
    [ -n "$there" ] || cannot "there is no image $1: scripts/image.sh build, or docker build (deploy/README.md)"
  elif [ "$there" != "sha256:$built" ]; then
    say "reading the image $1 into the daemon"
    archive=$(mktemp -d)
    buildah push --quiet "localhost/$1" "docker-archive:$archive/image.tar:$1:latest"
    docker load --quiet --input "$archive/image.tar" >/dev/null
    rm -rf "$archive"
  fi
}

story() { "${inside[@]}" node "scripts/deploy/$1.mjs"; }

# A tool and its version, or the end.
helm_there() { "$HELM" version >/dev/null 2>&1 || cannot 'Helm is not installed; HELM names it'; }
compose_there() { $COMPOSE version >/dev/null 2>&1 || cannot "\"$COMPOSE\" is not installed; COMPOSE names another"; }

chart() { helm_there && node scripts/deploy/chart.mjs; }
compose() { compose_there && need ffmpeg && need openssl && daemon && images && story compose; }
pods() { helm_there && need ffmpeg && need openssl && daemon && images && story pods; }
all() { helm_there && compose_there && need ffmpeg && need openssl && chart && daemon && images && story compose && story pods; }

manifests() {
  helm_there
  need go
  local version=1.34.4 module
  mkdir -p "$here/manifests"
  cp scripts/deploy/manifests/main.go "$here/manifests/"
  say "building it from the modules of Kubernetes $version"
  (
    cd "$here/manifests"
    module=$(go mod download -json "k8s.io/kubernetes@v$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
    [ -n "$module" ] || exit 1
    # What lies in one repository there are modules of their own, whose versions begin with 0.
    sed -E "s#^module .*#module manifests#; s#=> \./staging/src/(k8s.io/[a-z0-9-]+)#=> \1 v0.${version#*.}#" "$module/go.mod" >go.mod
    cp "$module/go.sum" go.sum
    chmod u+w go.sum
    go mod edit -require="k8s.io/kubernetes@v$version"
    CGO_ENABLED=0 GOFLAGS=-mod=mod go build -o manifests .
  ) >"$here/manifests/build.log" 2>&1 || { tail -5 "$here/manifests/build.log" >&2; cannot 'Go cannot build it here'; }
  MANIFESTS=$here/manifests/manifests node scripts/deploy/chart.mjs
}

clean() {
  unset DOCKER_HOST
  # Containers outlive a daemon that was killed, and end by the next one.
  if [ -d "$here/data" ]; then
    daemon
    docker ps --all --quiet | xargs --no-run-if-empty docker rm --force --volumes >/dev/null
  fi
  alone
  end_daemon
  rm -rf "$here"
}

case ${1:-} in
  chart | compose | pods | all | manifests | clean) "$1" ;;
  *) sed -n '2,21s/^# \{0,1\}//p' "$0" && exit 64 ;;
esac
