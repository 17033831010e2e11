import { AmfEcmaArray, encodeAmf0 } from '../../src/wire/amf0.js';
import type { Message } from './chunk-model.js';
import type { Seed } from './seeds.js';

const publishStream = 1;
/** librtmp sends a stream's commands, audio, video and data all on its one chunk stream. */
const mediaChunkStream = 4;

/**
 * What OBS Studio says, whose output is a librtmp of its own: a plain handshake, chunk size 4096 announced before
 * `connect`, releaseStream and FCPublish with null, all media on chunk stream 4 behind a full header.
 * @param media a seed whose audio and video are borrowed
 */
export function obsLikeSession(media: Seed): Seed {
  const chunkSize = Buffer.alloc(4);
  chunkSize.writeUInt32BE(4096);
  const command = (streamId: number, ...values: Parameters<typeof encodeAmf0>): Message => ({
    csid: streamId === 0 ? 3 : mediaChunkStream,
    type: 20,
    timestampMs: 0,
    streamId,
    payload: encodeAmf0(...values),
  });
  const url = 'rtmp://127.0.0.1:1935/live';
  const properties = {
    ...{ duration: 0, fileSize: 0, width: 48, height: 32, videocodecid: 7, videodatarate: 2500, framerate: 10 },
    ...{ audiocodecid: 10, audiodatarate: 160, audiosamplerate: 44100, audiosamplesize: 16, audiochannels: 2 },
    ...{ stereo: true, '2.1': false, '3.1': false, '4.0': false, '4.1': false, '5.1': false, '7.1': false },
    encoder: 'obs-output module (libobs version 30.2.3)',
  };
  const opening: Message[] = [
    { csid: 2, type: 1, timestampMs: 0, streamId: 0, payload: chunkSize },
    command(0, 'connect', 1, {
      ...{ app: 'live', type: 'nonprivate', flashVer: 'FMLE/3.0 (compatible; FMSc/1.0)', swfUrl: url, tcUrl: url },
    }),
    command(0, 'releaseStream', 2, null, 'cam'),
    command(0, 'FCPublish', 3, null, 'cam'),
    command(0, 'createStream', 4, null),
    command(publishStream, 'publish', 5, null, 'cam', 'live'),
  ];
  const metadata: Message = {
    ...{ csid: mediaChunkStream, type: 18, timestampMs: 0, streamId: publishStream },
    payload: encodeAmf0('@setDataFrame', 'onMetaData', new AmfEcmaArray(properties)),
  };
  const frames = media.messages
    .filter(({ type }) => type === 8 || type === 9)
    .map((message) => ({ ...message, csid: mediaChunkStream, streamId: publishStream }));
  const goodbye = [command(0, 'FCUnpublish', 6, null, 'cam'), command(0, 'deleteStream', 7, null, publishStream)];
  const handshake = Buffer.concat([Buffer.from([3]), Buffer.alloc(8), Buffer.alloc(3064, 0x37)]);
  return {
    name: 'obs-like-client',
    handshake,
    messages: [...opening, metadata, ...frames, ...goodbye],
    opening: opening.length,
  };
}
