import { cameraInApplication } from '../address/stream-place.js';
import { type CodedError, codeOf, messageOf } from '../errors.js';
import type { ServerSession } from './server-session.js';
import type { Peer, PublisherRefusal } from './stream-host.js';

/** What is told of a publisher that was refused. */
export function refusalOf({ code, message }: CodedError, asked: 'connect' | 'publish', peer: Peer): PublisherRefusal {
  const { app, flashVer } = peer.connect;
  // Behind the name of the application there may be a key.
  const name = app.split(/[?&]/, 1)[0] ?? '';
  const camera = cameraInApplication(app) || null;
  return { address: peer.address, name, camera, asked, code, message, encoder: flashVer };
}

/** Tells who asked to publish or play on a message stream why it may not. */
export function tellRefusal(session: ServerSession, what: 'publish' | 'play', streamId: number, error: unknown): void {
  if (what === 'publish') {
    session.refusePublish(streamId, 'NetStream.Publish.BadName', messageOf(error));
    return;
  }
  const why = codeOf(error) === 'PLAY_NOT_FOUND' ? 'StreamNotFound' : 'Failed';
  session.refusePlay(streamId, `NetStream.Play.${why}`, messageOf(error));
}
