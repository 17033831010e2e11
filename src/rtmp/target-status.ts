import { type AmfObject, type AmfValue, propertiesOf } from '../wire/amf0.js';
import { stringOf } from './command.js';

/** What a target says with a status, a result or an error. */
export type StatusMeaning = 'start' | 'refused' | 'ended' | 'nothing';

/** Words for a refusal, at the end of a code: the level beside it is `status` at some targets, and left out at others. */
const refusals =
  /(?:Bad\w*|Denied|Fail(?:ed|ure)?|Rejected|Refused|Error|Forbidden|Unauthori[sz]ed|Invalid\w*|NoAccess|NotAllowed|NotFound|InUse|Conflict|Already\w*)$/;
const ends =
  /^(?:NetConnection\.Connect\.(?:Closed|AppShutdown|IdleTimeOut)|NetStream\.Connect\.Closed|NetStream\.Unpublish\.\w+|NetStream\.Publish\.(?:Closed|Stop|Unpublish\w*))$/;
/** What may fail at a target without an end of the stream: it records, says how it is, or does not know a call of ours. */
const besideThePoint =
  /^(?:NetConnection\.Call\.|NetStream\.(?:Record|Play|Pause|Seek|Buffer|Data|Video|Infra|Publish\.Idle|Publish\.Reset))/;
const ofTheStream = /^Net(?:Stream|Connection)\./;

/**
 * What a status means, by its code (RTMP 1.0, 7.2.2; the codes are Flash Player's `NetStatusEvent`). The level decides only
 * about codes that nobody knows: servers exist that refuse at level `status`.
 */
export function meaningOf({ code, level }: AmfObject): StatusMeaning {
  const text = stringOf(code);
  if (text === 'NetStream.Publish.Start') return 'start';
  if (ends.test(text)) return 'ended';
  if (besideThePoint.test(text)) return 'nothing';
  if (ofTheStream.test(text) && refusals.test(text)) return 'refused';
  return level === 'error' ? 'refused' : 'nothing';
}

/** The object that says what happened: the second argument, or the one with a code where a target leaves the first out. */
export function infoOf(args: readonly AmfValue[]): AmfObject {
  const second = propertiesOf(args[1]);
  if (second?.code !== undefined) return second;
  for (const value of args) {
    const properties = propertiesOf(value);
    if (properties !== undefined && typeof properties.code === 'string') return properties;
  }
  return second ?? {};
}

/**
 * Where a refused connection is sent instead: `NetConnection.Connect.Rejected` with `ex.code` 302 and `ex.redirect`, a
 * tcUrl, as Adobe's server, Wowza and SRS say it. Undefined for all other refusals.
 */
export function redirectOf(info: AmfObject): string | undefined {
  if (!/^NetConnection\.Connect\./.test(stringOf(info.code))) return undefined;
  const ex = propertiesOf(info.ex) ?? info;
  const status = Number(ex.code ?? Number.NaN);
  if (ex !== info && !Number.isNaN(status) && (status < 300 || status > 399)) return undefined;
  const url = stringOf(ex.redirect);
  return url === '' ? undefined : url;
}

/** The application is accepted. Servers exist that say so without the transaction of `connect`. */
export function isConnected(args: readonly AmfValue[]): boolean {
  return stringOf(infoOf(args).code) === 'NetConnection.Connect.Success';
}

/**
 * The number of a createStream's answer, which some write as text: the second argument, or the first where the command
 * object is left out.
 */
export function streamIdOf(args: readonly AmfValue[]): number | undefined {
  const found = args
    .map((value) => (typeof value === 'string' && /^[0-9]{1,10}$/.test(value) ? Number(value) : value))
    .find((value) => typeof value === 'number');
  const isUsable = typeof found === 'number' && Number.isInteger(found) && found >= 0 && found <= 0xffffffff;
  return isUsable ? found : undefined;
}
