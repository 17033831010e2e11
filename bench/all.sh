#!/bin/sh
# Measures what the tables and plots of docs/performance.md show, and writes them there. About 25 minutes. On a machine with
# other work, as root: chrt -r 10 npm run bench:all. With SRS=/path/to/srs it has SRS too.
set -eu
cd "$(dirname "$0")/.."
results=bench/dist/results
rm -rf "$results"
npm run bench --silent -- --rounds 3 --seconds 6 --out "$results/1.json" \
  --system ours --system nginx-rtmp --system nginx-rtmp+nodelay
npm run bench --silent -- --rounds 3 --seconds 6 --scenario 20x8,100x1,100x8 --out "$results/2.json" \
  --system ours --system 'ours:--flush-window 350ms' --system nginx-rtmp --system srs
# Three processes compile what one does: until they have, workers seem to cost half as much again.
npm run bench --silent -- --rounds 2 --seconds 6 --warm-up 50 --scenario 20x8,100x1 --out "$results/3.json" \
  --system ours --system 'ours:--workers 2'
npm run bench --silent -- --rounds 2 --seconds 6 --scenario 100x1 --out "$results/4.json" \
  --system ours --system node-media-server
npm run bench:tables --silent -- "$results"/*.json
