# etcd of Debian, in place of etcd's own image where no registry of images is reached: for scripts/deploy.sh alone.
ARG BASE=debian:bookworm-slim
FROM ${BASE}
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends etcd-client etcd-server \
    && rm -rf /var/lib/apt/lists/*
CMD ["etcd"]
