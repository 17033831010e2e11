"""FFmpeg 8, by the libraries that the wheel of PyAV brings along, as an encoder that publishes and as a reader.

ffmpeg8.py version                what it is
ffmpeg8.py write INPUT OUTPUT     copies every stream of a file into FLV, or onto rtmp:// at the pace of its timestamps
ffmpeg8.py read RESULT INPUT...   writes JSON (-: to stdout): of each input its streams, the MD5 of each packet, what the decoder says of them
"""

import hashlib
import json
import sys
import time

import av


def write(source: str, target: str) -> None:
    is_live = target.startswith("rtmp")
    options = {"flvflags": "no_duration_filesize"} if is_live else {}
    with av.open(source) as clip, av.open(target, "w", format="flv", options=options) as out:
        streams = {}
        for stream in clip.streams:
            copy = streams[stream.index] = out.add_stream_from_template(stream, opaque=True)
            # Channels whose order is unknown would get a channel configuration, which the writer of FLV has not for G.711.
            if stream.type == "audio" and stream.codec_context.channels <= 2:
                copy.codec_context.layout = "mono" if stream.codec_context.channels == 1 else "stereo"
        begun = None
        for packet in clip.demux():
            if packet.dts is None:
                continue
            if is_live:
                at = float(packet.dts * packet.time_base)
                now = time.monotonic()
                begun = now - at if begun is None else begun
                if begun + at > now:
                    time.sleep(begun + at - now)
            packet.stream = streams[packet.stream.index]
            out.mux(packet)


def read(source: str) -> list:
    options = {"rw_timeout": "30000000"} if "://" in source else {"probesize": "20000000", "analyzeduration": "9000000"}
    found = {}
    has_picture = False
    with av.open(source, options=options, format="flv" if not source.startswith("rtmp") else None) as clip:
        while True:
            try:
                for packet in clip.demux():
                    if packet.size == 0 or packet.stream.type not in ("video", "audio"):
                        continue
                    # FFmpeg takes colours for a frame where they are not written as it writes them itself.
                    if bytes(packet).startswith(b"\x02\x00\x09colorInfo"):
                        continue
                    if packet.stream.index not in found:
                        found[packet.stream.index] = new_entry(packet)
                    entry = found[packet.stream.index]
                    has_picture = has_picture or entry["kind"] == "video"
                    if not has_picture:
                        entry["beforePicture"] += 1
                    take(entry, packet)
                break
            except IndexError:
                # Such a frame of colours, of a stream that PyAV did not know when it began; the next packet follows.
                continue
            except av.error.FFmpegError as error:
                # A server that ends a stream closes the connection.
                if "://" not in source:
                    raise
                print(f"the stream ended: {error}", file=sys.stderr)
                break
    for entry in found.values():
        decoder = entry.pop("decoder")
        try:
            entry["frames"] += len(decoder.decode(None))
        except av.error.FFmpegError as error:
            entry["errors"].append(f"end: {error}")
        if entry["kind"] == "video":
            entry["size"] = [decoder.width, decoder.height]
        else:
            entry["channels"] = decoder.channels
    return [found[index] for index in sorted(found)]


def take(entry: dict, packet: av.Packet) -> None:
    if packet.is_keyframe:
        entry["keys"].append(len(entry["packets"]))
    entry["packets"].append(hashlib.md5(bytes(packet)).hexdigest())
    try:
        entry["frames"] += len(entry["decoder"].decode(packet))
    except av.error.FFmpegError as error:
        entry["errors"].append(f"packet {len(entry['packets']) - 1}: {error}")


def new_entry(packet: av.Packet) -> dict:
    stream = packet.stream
    decoder = av.CodecContext.create(stream.codec_context.codec.name, "r")
    decoder.thread_count = 1
    if stream.codec_context.extradata:
        decoder.extradata = stream.codec_context.extradata
    if stream.type == "audio":
        decoder.sample_rate = stream.codec_context.sample_rate or 8000
        decoder.layout = stream.codec_context.layout.name if stream.codec_context.channels else "mono"
    return {
        "kind": stream.type,
        "codec": stream.codec_context.codec.canonical_name,
        "beforePicture": 0,
        "packets": [],
        "keys": [],
        "frames": 0,
        "errors": [],
        "decoder": decoder,
    }


if __name__ == "__main__":
    command, *rest = sys.argv[1:]
    if command == "version":
        print(av.ffmpeg_version_info)
    elif command == "write":
        write(*rest)
    else:
        result, *sources = rest
        streams = [read(source) for source in sources]
        with sys.stdout if result == "-" else open(result, "w") as file:
            json.dump(streams, file)
