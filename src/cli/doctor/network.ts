import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { createServer, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { isLoopbackAddress } from '../../address/plain-address.js';
import type { Settings } from '../../config/index.js';
import { advertisedHost } from '../../control/advertise.js';
import { findPortHolder } from '../port-holder.js';
import { type Check, fail, ok, warn } from './check.js';
import type { HeldPorts } from './held-ports.js';

const lookupTimeoutMs = 5_000;

/** Whether the ports can be listened on, or are by the aggregator that runs on this data folder. */
export async function checkPorts(settings: Settings, held: HeldPorts | undefined): Promise<Check[]> {
  const { host, rtmpsPort, srtPort } = settings;
  return [
    await checkPort('RTMP port', settings.host, settings.rtmpPort, '--rtmp-port', held?.rtmpPort, held),
    ...(rtmpsPort === undefined
      ? []
      : [await checkPort('RTMPS port', host, rtmpsPort, '--rtmps-port', held?.rtmpsPort, held)]),
    ...(srtPort === undefined ? [] : [await checkUdpPort(host, srtPort, held)]),
    await checkPort('API port', settings.host, settings.apiPort, '--api-port', held?.apiPort, held),
  ];
}

async function checkPort(
  name: string,
  host: string,
  port: number,
  flag: string,
  ownPort: number | undefined,
  held: HeldPorts | undefined,
): Promise<Check> {
  if (port === 0) {
    return ok(name, ownPort === undefined ? 'any free port is taken' : `${ownPort}, held by ${holderOf(held)}`);
  }
  const code = await tryListen(host, port);
  switch (code) {
    case undefined:
      return ok(name, `${port} is free on ${families(host)}`);
    case 'EADDRINUSE': {
      if (port === ownPort) {
        return ok(name, `${port} is held by ${holderOf(held)}`);
      }
      const holder = findPortHolder(port) ?? 'another program';
      return fail(name, `${port} is taken by ${holder}`, `Stop it, or use another port with ${flag}.`);
    }
    case 'EACCES':
      return fail(name, `this user may not listen on ${port}`, `Use a port of 1024 and above with ${flag}.`);
    case 'EADDRNOTAVAIL':
      return fail(
        name,
        `${host} is no address of this machine`,
        'Give one of its addresses with --host, or leave --host out.',
      );
    default:
      return fail(name, `${port} cannot be listened on: ${code}`, `Try another port with ${flag}.`);
  }
}

async function checkUdpPort(host: string, port: number, held: HeldPorts | undefined): Promise<Check> {
  const name = 'SRT port';
  if (held?.srtPort === port) return ok(name, `UDP ${port} is held by ${holderOf(held)}`);
  const code = await tryBind(host, port);
  if (code === undefined) return ok(name, `UDP ${port} is free on ${families(host)}`);
  const why = code === 'EADDRINUSE' ? 'is taken by another program' : `cannot be listened on: ${code}`;
  return fail(name, `UDP ${port} ${why}`, 'Use another port with --srt-port.');
}

function holderOf(held: HeldPorts | undefined): string {
  return held?.pid === undefined ? 'our aggregator' : `our aggregator (pid ${held.pid})`;
}

function families(host: string): string {
  if (host === '::') return 'IPv4 and IPv6';
  return host === '0.0.0.0' ? 'IPv4' : host;
}

/** On which families cameras are heard, beside those that the machine has. */
export function checkFamilies({ host }: Settings, interfaces = networkInterfaces()): Check {
  const name = 'address families';
  const addresses = Object.values(interfaces).flatMap((entries) => entries ?? []);
  const reached = addresses.filter(({ address }) => !isLoopbackAddress(address) && !address.startsWith('fe80:'));
  const hasFour = reached.some(({ address }) => isIP(address) === 4);
  const hasSix = reached.some(({ address }) => isIP(address) === 6);
  if (host === '0.0.0.0' && hasSix) {
    const advice = 'Leave --host out, or give --host ::, which hears both.';
    const text = `this machine has IPv6, and --host ${host} hears IPv4 alone`;
    return hasFour ? warn(name, text, advice) : fail(name, `${text}, which it has not`, advice);
  }
  return ok(name, `listens on ${families(host)}`);
}

/** The error's code, or undefined when it works. */
function tryListen(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

/** As `tryListen`, for UDP. */
function tryBind(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(isIP(host) === 6 ? 'udp6' : 'udp4');
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close();
      resolve(error.code ?? error.message);
    });
    socket.bind({ address: host, port, exclusive: true }, () => socket.close(() => resolve(undefined)));
  });
}

/** Whether cameras can be expected to reach the address that they are told. */
export async function checkAdvertisedHost(settings: Settings): Promise<Check> {
  const name = 'advertised address';
  const host = advertisedHost({ advertiseHost: settings.advertiseHost, listenHost: settings.host });
  const chosen = settings.advertiseHost === undefined ? ' (found; --advertise-host says another)' : '';
  const addresses = isIP(host) === 0 ? await resolveHost(host) : [host];
  if (addresses.length === 0) {
    return fail(name, `${host} does not resolve`, 'Cameras cannot find it: correct --advertise-host, or the DNS.');
  }
  if (addresses.every((address) => /^(127\.|::1$)/.test(address))) {
    const advice = 'Give the address that cameras reach with --advertise-host; for a try on one machine it is right.';
    return warn(name, `${host} is this machine only${chosen}`, advice);
  }
  const own = Object.values(networkInterfaces()).flatMap((entries) => entries?.map((entry) => entry.address) ?? []);
  const where = addresses.some((address) => own.includes(address))
    ? 'an address of this machine'
    : `${addresses.join(', ')}, not of this machine: NAT or a load balancer must lead here`;
  return ok(name, `${host}${chosen} is ${where}`);
}

async function resolveHost(host: string): Promise<string[]> {
  const none = new Promise<string[]>((resolve) => {
    setTimeout(() => resolve([]), lookupTimeoutMs).unref();
  });
  const found = lookup(host, { all: true }).then(
    (entries) => entries.map((entry) => entry.address),
    () => [],
  );
  return Promise.race([found, none]);
}
