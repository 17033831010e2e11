import { cameraInApplication } from '../address/stream-place.js';
import type { CodedError } from '../errors.js';
import type { Peer, PublisherRefusal } from './stream-host.js';

/** What is told of a publisher that was refused. */
export function refusalOf({ code, message }: CodedError, asked: 'connect' | 'publish', peer: Peer): PublisherRefusal {
  const { app, flashVer } = peer.connect;
  // Behind the name of the application there may be a key.
  const name = app.split(/[?&]/, 1)[0] ?? '';
  const camera = cameraInApplication(app) || null;
  return { address: peer.address, name, camera, asked, code, message, encoder: flashVer };
}
