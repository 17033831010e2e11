import type { AmfObject, AmfValue } from '../wire/amf0.js';
import { abilitiesOf, ownAbilities, type PeerAbilities } from './abilities.js';
import { objectArgument, stringOf, textOf } from './command.js';

export const maxNameLength = 1024;

/** What a client said in `connect` (RTMP 1.0, section 7.2.1.1). */
export interface ConnectInfo {
  /** The application as the client wrote it, its query included. */
  readonly app: string;
  readonly tcUrl: string;
  readonly flashVer: string;
  readonly swfUrl: string;
  readonly pageUrl: string;
  /** The aggregators that what it publishes came through, in the publisher's words; empty when it says none. */
  readonly via: string;
  /** What it said of Enhanced RTMP; undefined: nothing. */
  readonly abilities?: PeerAbilities;
}

/** What is known of a client that has not said it. */
export const noConnectInfo: ConnectInfo = { app: '', tcUrl: '', flashVer: '', swfUrl: '', pageUrl: '', via: '' };

/** What is kept for as long as the client stays: of each text a copy, at most 1,024 characters. */
export function keptConnectInfo({ app, tcUrl, flashVer, swfUrl, pageUrl, via, abilities }: ConnectInfo): ConnectInfo {
  return {
    ...(abilities === undefined ? {} : { abilities }),
    app: ownText(app),
    tcUrl: ownText(tcUrl),
    flashVer: ownText(flashVer),
    swfUrl: ownText(swfUrl),
    pageUrl: ownText(pageUrl),
    via: ownText(via),
  };
}

/** A copy: a piece of a string keeps the whole string alive, a megabyte perhaps. */
function ownText(text: string): string {
  return Buffer.from(text.slice(0, maxNameLength)).toString();
}

/** The command object of `connect`; where the transaction is left out, or something stands before it, too. */
export function connectArguments(args: readonly AmfValue[]): AmfObject {
  const index = args.findIndex((each) => typeof each === 'object' && each !== null);
  return objectArgument(args, Math.max(0, index));
}

/** What it says. The application is not shortened: too long a one is to be refused. */
export function connectInfoOf(asked: AmfObject): ConnectInfo {
  const abilities = abilitiesOf(asked);
  return {
    ...(abilities.isSaid ? { abilities } : {}),
    app: textOf(asked.app),
    tcUrl: stringOf(asked.tcUrl).slice(0, maxNameLength),
    flashVer: stringOf(asked.flashVer).slice(0, 128),
    swfUrl: stringOf(asked.swfUrl).slice(0, maxNameLength),
    pageUrl: stringOf(asked.pageUrl).slice(0, maxNameLength),
    via: stringOf(asked.mediaAggregatorPath),
  };
}

/** The two objects of the answer that accepts `connect`. */
export function connectResult(asked: AmfObject): [AmfObject, AmfObject] {
  // Enhanced RTMP is spoken of only to those who did.
  const enhanced = abilitiesOf(asked).isSaid ? ownAbilities() : {};
  return [
    { fmsVer: 'FMS/3,0,1,123', capabilities: 31, ...enhanced },
    {
      level: 'status',
      code: 'NetConnection.Connect.Success',
      description: 'Connection succeeded.',
      // What is spoken here, whatever was asked for. AMF3 is read all the same.
      objectEncoding: 0,
    },
  ];
}
