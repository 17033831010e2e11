import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TestCertificate } from './certificates.js';
import type { Scope } from './scope.js';

/** A small JPEG: a picture of one pixel. */
export const tinyJpeg = Buffer.from(
  '/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////////////wAALCAABAAEBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAACf/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AVN//2Q==',
  'base64',
);

export interface DeviceOptions {
  readonly serial?: string;
  readonly name?: string;
  /** Undefined: nobody needs a login. */
  readonly login?: { readonly username: string; readonly password: string };
  /** How the login is checked. */
  readonly auth?: 'wsse' | 'http-digest' | 'http-digest-sha256' | 'basic';
  /** How far its clock is ahead, milliseconds. */
  readonly clockAheadMs?: number;
  /** Only Media1, as older devices; without GetServices as well, as the oldest. */
  readonly media?: 'both' | 'first' | 'oldest';
  /** In the place of its own address in what it names. */
  readonly namesHost?: string;
  /** Where its RTSP server is: `rtsp://HOST:PORT/PATH`; `%s` is the token of the profile. */
  readonly rtsp?: string;
  /** What it answers in place of SOAP. */
  readonly answer?: (request: IncomingMessage, response: ServerResponse, call: string) => boolean;
  readonly host?: string;
  readonly snapshot?: boolean;
  /** It speaks HTTPS. */
  readonly certificate?: TestCertificate;
  /** Nothing is told without a login, the time neither. */
  readonly isShy?: boolean;
}

export interface TestDevice {
  readonly host: string;
  readonly port: number;
  readonly address: string;
  /** The calls that it took, in order: `GetProfiles 200`. */
  readonly calls: string[];
  /** How many questions were open at once at most. */
  mostAtOnce: number;
  /** The URN by which it is known. */
  readonly reference: string;
}

const names = {
  device: 'http://www.onvif.org/ver10/device/wsdl',
  media: 'http://www.onvif.org/ver10/media/wsdl',
  media2: 'http://www.onvif.org/ver20/media/wsdl',
};
/** They work without a login (ONVIF Core, 5.9.4.3: PRE_AUTH). */
const open = new Set(['GetSystemDateAndTime', 'GetServices', 'GetCapabilities']);
/** A digest holds for so long. */
const digestSeconds = 10;

/** A camera as the specifications of ONVIF have it, for tests: it shares no code with what asks it. */
export async function startOnvifDevice(scope: Scope, options: DeviceOptions = {}): Promise<TestDevice> {
  const { auth = 'wsse', login, host = '127.0.0.1' } = options;
  const nonces = new Set<string>();
  const calls: string[] = [];
  let underWay = 0;
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    underWay++;
    device.mostAtOnce = Math.max(device.mostAtOnce, underWay);
    response.once('close', () => underWay--);
    const parts: Buffer[] = [];
    request.on('data', (data: Buffer) => void parts.push(data));
    request.on('end', () => take(request, response, Buffer.concat(parts).toString()));
    request.on('error', () => {});
  };
  const { certificate } = options;
  const pem = (file: string): Buffer => readFileSync(file);
  const server =
    certificate === undefined
      ? createServer(onRequest)
      : createSecureServer({ cert: pem(certificate.certFile), key: pem(certificate.keyFile) }, onRequest);
  await once(server.listen(0, host), 'listening');
  scope.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const serial = options.serial ?? 'SN-0001';
  const reference = `urn:uuid:${createHash('md5')
    .update(serial)
    .digest('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')}`;
  const device: TestDevice = { host, port, address: `${host}:${port}`, calls, mostAtOnce: 0, reference };
  const base = `${options.certificate === undefined ? 'http' : 'https'}://${options.namesHost ?? `${host}:${port}`}`;

  function take(request: IncomingMessage, response: ServerResponse, body: string): void {
    const call = /<(?:\w+:)?Body[^>]*>\s*<(?:\w+:)?(\w+)/.exec(body)?.[1] ?? `${request.method} ${request.url}`;
    if (options.answer?.(request, response, call) === true) {
      calls.push(`${call} odd`);
      return;
    }
    if (login !== undefined && (options.isShy === true || !open.has(call))) {
      const refusal = auth === 'wsse' && request.method === 'POST' ? checkToken(body) : checkHeader(request);
      if (refusal !== null) {
        calls.push(`${call} ${refusal.status}`);
        response.writeHead(refusal.status, refusal.headers).end(refusal.body);
        return;
      }
    }
    if (request.method === 'GET') {
      const isThere = request.url?.startsWith('/snapshot') === true && options.snapshot !== false;
      calls.push(`GET ${isThere ? 200 : 404}`);
      response.writeHead(isThere ? 200 : 404, { 'content-type': 'image/jpeg' }).end(isThere ? tinyJpeg : '');
      return;
    }
    const answer = answerTo(call, body, request.url ?? '');
    calls.push(`${call} ${answer === null ? 400 : 200}`);
    if (answer === null)
      response.writeHead(400).end(fault('ter:ActionNotSupported', 'Optional Action Not Implemented'));
    else response.writeHead(200, { 'content-type': 'application/soap+xml' }).end(envelope(answer));
  }

  function checkToken(body: string): { status: number; headers: Record<string, string>; body: string } | null {
    const refuse = { status: 400, headers: {}, body: fault('ter:NotAuthorized', 'Sender not Authorized') };
    const read = (name: string): string => new RegExp(`<(?:\\w+:)?${name}(?:\\s[^>]*)?>([^<]*)<`).exec(body)?.[1] ?? '';
    const [nonce, created, given, user] = [read('Nonce'), read('Created'), read('Password'), read('Username')];
    const nowMs = Date.now() + (options.clockAheadMs ?? 0);
    if (Math.abs(Date.parse(created) - nowMs) > digestSeconds * 1000 || nonces.has(nonce)) return refuse;
    nonces.add(nonce);
    const wanted = createHash('sha1')
      .update(Buffer.concat([Buffer.from(nonce, 'base64'), Buffer.from(created), Buffer.from(login?.password ?? '')]))
      .digest('base64');
    const decoded = user.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)));
    return decoded === login?.username && given === wanted ? null : refuse;
  }

  function checkHeader(
    request: IncomingMessage,
  ): { status: number; headers: Record<string, string | string[]>; body: string } | null {
    const nonce = 'c2VjcmV0';
    const algorithm = auth === 'http-digest-sha256' ? 'SHA-256' : 'MD5';
    const digest = `Digest realm="a \\"cam\\", x", qop="auth,auth-int", nonce="${nonce}", opaque="5c", algorithm=${algorithm}`;
    const challenges = auth === 'basic' ? ['Basic realm="cam"'] : [`Basic realm="cam"`, digest];
    const refuse = { status: 401, headers: { 'www-authenticate': challenges }, body: '' };
    const header = request.headers.authorization ?? '';
    const read = (name: string): string =>
      new RegExp(`\\b${name}=(?:"((?:[^"\\\\]|\\\\.)*)"|([^,\\s]+))`)
        .exec(header)
        ?.slice(1)
        .find((each) => each !== undefined) ?? '';
    if (!header.startsWith('Digest ') || read('nonce') !== nonce || read('uri') !== request.url) return refuse;
    const hash = (text: string): string =>
      createHash(algorithm === 'MD5' ? 'md5' : 'sha256')
        .update(text)
        .digest('hex');
    const first = hash(`${login?.username}:a "cam", x:${login?.password}`);
    const second = hash(`${request.method}:${request.url}`);
    const wanted = hash(`${first}:${nonce}:${read('nc')}:${read('cnonce')}:auth:${second}`);
    return read('response') === wanted &&
      Buffer.from(read('username').replace(/\\(.)/g, '$1'), 'latin1').toString() === login?.username
      ? null
      : refuse;
  }

  function answerTo(call: string, body: string, path: string): string | null {
    const isSecond = path === '/onvif/media2';
    if (call === 'GetSystemDateAndTime') return timeAnswer(Date.now() + (options.clockAheadMs ?? 0));
    if (call === 'GetDeviceInformation') {
      return `<t:GetDeviceInformationResponse xmlns:t="${names.device}"><t:Manufacturer>Acme</t:Manufacturer><t:Model>Dome 4K &amp; more</t:Model><t:FirmwareVersion>1.2</t:FirmwareVersion><t:SerialNumber>${serial}</t:SerialNumber><t:HardwareId>7</t:HardwareId></t:GetDeviceInformationResponse>`;
    }
    const { media = 'both' } = options;
    if (call === 'GetServices' && media !== 'oldest') {
      const service = (namespace: string, at: string): string =>
        `<t:Service><t:Namespace>${namespace}</t:Namespace><t:XAddr>${base}${at}</t:XAddr><t:Version/></t:Service>`;
      const second = media === 'both' ? service(names.media2, '/onvif/media2') : '';
      return `<t:GetServicesResponse xmlns:t="${names.device}">${service(names.device, '/onvif/device_service')}${service(names.media, '/onvif/media')}${second}</t:GetServicesResponse>`;
    }
    if (call === 'GetCapabilities') {
      return `<t:GetCapabilitiesResponse xmlns:t="${names.device}"><t:Capabilities xmlns:s="http://www.onvif.org/ver10/schema"><s:Media><s:XAddr>${base}/onvif/media</s:XAddr></s:Media></t:Capabilities></t:GetCapabilitiesResponse>`;
    }
    if (call === 'GetProfiles') return isSecond ? profiles2 : profiles1;
    const token = /ProfileToken>([^<]*)</.exec(body)?.[1] ?? '';
    const wrap = (uri: string): string =>
      isSecond ? `<m:Uri>${uri}</m:Uri>` : `<m:MediaUri><m:Uri>${uri}</m:Uri></m:MediaUri>`;
    if (call === 'GetStreamUri') {
      const uri = (options.rtsp ?? `rtsp://${options.namesHost ?? host}:554/%s?a=1&b=2`)
        .replace('%s', token)
        .replaceAll('&', '&amp;');
      return `<m:GetStreamUriResponse xmlns:m="x">${wrap(uri)}</m:GetStreamUriResponse>`;
    }
    if (call === 'GetSnapshotUri' && options.snapshot !== false) {
      return `<m:GetSnapshotUriResponse xmlns:m="x">${wrap(`${base}/snapshot?token=${token}`)}</m:GetSnapshotUriResponse>`;
    }
    return null;
  }
  return device;
}

function timeAnswer(ms: number): string {
  const at = new Date(ms);
  return `<t:GetSystemDateAndTimeResponse xmlns:t="${names.device}" xmlns:s="http://www.onvif.org/ver10/schema"><t:SystemDateAndTime><s:DateTimeType>Manual</s:DateTimeType><s:UTCDateTime><s:Time><s:Hour>${at.getUTCHours()}</s:Hour><s:Minute>${at.getUTCMinutes()}</s:Minute><s:Second>${at.getUTCSeconds()}</s:Second></s:Time><s:Date><s:Year>${at.getUTCFullYear()}</s:Year><s:Month>${at.getUTCMonth() + 1}</s:Month><s:Day>${at.getUTCDate()}</s:Day></s:Date></s:UTCDateTime></t:SystemDateAndTime></t:GetSystemDateAndTimeResponse>`;
}

const rate = (fps: number, kbps: number): string =>
  `<s:RateControl><s:FrameRateLimit>${fps}</s:FrameRateLimit><s:EncodingInterval>1</s:EncodingInterval><s:BitrateLimit>${kbps}</s:BitrateLimit></s:RateControl>`;
const size = (width: number, height: number): string =>
  `<s:Resolution><s:Width>${width}</s:Width><s:Height>${height}</s:Height></s:Resolution>`;
const profile1 = (token: string, codec: string, more: string): string =>
  `<m:Profiles token="${token}" fixed="true"><s:Name>${token}</s:Name><s:VideoEncoderConfiguration token="e"><s:Encoding>${codec}</s:Encoding>${more}</s:VideoEncoderConfiguration></m:Profiles>`;
const profile2 = (token: string, codec: string, more: string): string =>
  `<m:Profiles token="${token}" fixed="true"><m:Name>${token}</m:Name><m:Configurations><m:VideoEncoder token="e"><s:Encoding>${codec}</s:Encoding>${more}</m:VideoEncoder></m:Configurations></m:Profiles>`;
const xmlns = 'xmlns:m="x" xmlns:s="http://www.onvif.org/ver10/schema"';
const profiles1 = `<m:GetProfilesResponse ${xmlns}>${profile1('sub', 'H264', size(640, 360) + rate(15, 512))}${profile1('main', 'H264', size(1920, 1080) + rate(25, 4096))}${profile1('jpeg', 'JPEG', size(1920, 1080))}<m:Profiles token="empty"><s:Name>empty</s:Name></m:Profiles></m:GetProfilesResponse>`;
const profiles2 = `<m:GetProfilesResponse ${xmlns}>${profile2('main', 'H265', size(3840, 2160) + rate(25, 8192))}${profile2('sub', 'H264', size(640, 360) + rate(15, 512))}</m:GetProfilesResponse>`;

function envelope(body: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?><SOAP-ENV:Envelope xmlns:SOAP-ENV="http://www.w3.org/2003/05/soap-envelope"><SOAP-ENV:Body>${body}</SOAP-ENV:Body></SOAP-ENV:Envelope>`;
}

function fault(code: string, reason: string): string {
  return envelope(
    `<SOAP-ENV:Fault><SOAP-ENV:Code><SOAP-ENV:Value>SOAP-ENV:Sender</SOAP-ENV:Value><SOAP-ENV:Subcode><SOAP-ENV:Value>${code}</SOAP-ENV:Value></SOAP-ENV:Subcode></SOAP-ENV:Code><SOAP-ENV:Reason><SOAP-ENV:Text xml:lang="en">${reason}</SOAP-ENV:Text></SOAP-ENV:Reason></SOAP-ENV:Fault>`,
  );
}

/** What stands in for the network: devices that answer a probe, each as often and as it is told. */
export interface ProbeAnswer {
  readonly xaddrs: string;
  readonly reference: string;
  readonly name?: string;
  /** Undefined: the id of the question. */
  readonly relatesTo?: string;
  readonly times?: number;
  readonly raw?: Buffer;
}

/** Listens for probes at an address of the loopback and answers. @returns the port */
export async function startProbeAnswerer(
  scope: Scope,
  answers: (type: string) => readonly ProbeAnswer[],
  { host = '127.0.0.1', port = 0, group }: { host?: string; port?: number; group?: string } = {},
): Promise<number> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  let isOver = false;
  scope.defer(() => {
    isOver = true;
    socket.close();
  });
  socket.bind(port, group ?? host);
  await once(socket, 'listening');
  if (group !== undefined) socket.addMembership(group, host);
  socket.on('message', (data, from) => {
    const text = data.toString();
    const id = /MessageID>([^<]*)</.exec(text)?.[1] ?? '';
    const type = /Types>\w+:(\w+)</.exec(text)?.[1] ?? '';
    for (const answer of answers(type)) {
      const message = answer.raw ?? Buffer.from(matchMessage(answer, answer.relatesTo ?? id));
      // In portions that a receiver can take.
      let left = answer.times ?? 1;
      const send = (): void => {
        for (let count = 0; count < 50 && left > 0 && !isOver; count++, left--)
          socket.send(message, from.port, from.address);
        if (left > 0 && !isOver) setTimeout(send, 1);
      };
      send();
    }
  });
  return socket.address().port;
}

function matchMessage({ xaddrs, reference, name = 'Gate%20Cam' }: ProbeAnswer, id: string): string {
  return `<?xml version="1.0"?><E:Envelope xmlns:E="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><E:Header><a:RelatesTo>${id}</a:RelatesTo></E:Header><E:Body><d:ProbeMatches><d:ProbeMatch><a:EndpointReference><a:Address>${reference}</a:Address></a:EndpointReference><d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>onvif://www.onvif.org/type/video_encoder onvif://www.onvif.org/name/${name} onvif://www.onvif.org/hardware/D4K</d:Scopes><d:XAddrs>${xaddrs}</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion></d:ProbeMatch></d:ProbeMatches></E:Body></E:Envelope>`;
}
