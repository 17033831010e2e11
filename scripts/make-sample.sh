#!/usr/bin/env bash
# Makes samples/clip.flv: six seconds of a test pattern with a counter and a tone, H.264 and AAC, a key frame every
# second and no B-frames, so that any reader of the file can start at any second. Needs ffmpeg with libx264.
#
#   scripts/make-sample.sh [OUTPUT.flv]
set -euo pipefail
cd "$(dirname "$0")/.."
output=${1:-samples/clip.flv}
mkdir -p "$(dirname "$output")"

# Bit-exact flags and one thread: the same ffmpeg makes the same bytes, so a new run shows no difference in git.
ffmpeg -hide_banner -loglevel error -y \
  -f lavfi -i testsrc2=size=320x240:rate=25 \
  -f lavfi -i sine=frequency=440:sample_rate=44100 \
  -t 6 \
  -c:v libx264 -profile:v main -preset veryfast -threads 1 -bf 0 -g 25 -keyint_min 25 -sc_threshold 0 \
  -b:v 180k -maxrate 220k -bufsize 220k -pix_fmt yuv420p \
  -c:a aac -b:a 64k -ac 1 \
  -fflags +bitexact -flags:v +bitexact -flags:a +bitexact -map_metadata -1 \
  -f flv "$output"

printf '%s: %s bytes\n' "$output" "$(stat -c %s "$output")"
