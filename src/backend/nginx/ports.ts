import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { CodedError } from '../../errors.js';
import { writeWhole } from '../../files/write.js';
import { type NginxPaths, readRecord } from './files.js';

/** What is chosen once and stays, so that the configuration is the same after each start. */
export interface Choices {
  readonly rtmpPort: number;
  readonly statPort: number;
  /** Part of the path of the control interface: who does not know it drops no cameras. */
  readonly token: string;
}

export interface ChoiceOptions {
  readonly paths: NginxPaths;
  readonly host: string;
  /** As set: 0 for any. */
  readonly rtmpPort: number;
  readonly statPort: number;
  /** What other parts of this program listen on later, as set: 0 says nothing. */
  readonly apiPort: number;
  /** True: a port of ours may be taken, by our own nginx. */
  readonly isRunning: boolean;
  /** True: nothing listens here that could be asked. */
  readonly isExternal: boolean;
}

/** @throws CodedError ADDRESS_IN_USE, or what the system says when the RTMP port cannot be had */
export async function chooseOnce(options: ChoiceOptions): Promise<Choices> {
  const { paths, host, isRunning, isExternal } = options;
  // nginx listens later than all others, so nothing keeps two of them from the same port.
  const promised = new Set([options.apiPort, options.rtmpPort, options.statPort]);
  const before = await readRecord(paths.choices);
  const pick = async (wanted: number, key: 'rtmpPort' | 'statPort', address: string): Promise<number> => {
    if (isExternal) return wanted;
    const known = isPort(before?.[key]) ? before[key] : undefined;
    if (wanted !== 0) return isRunning && known === wanted ? wanted : tryPort(address, wanted);
    if (known !== undefined && isRunning) return known;
    const again = known === undefined || promised.has(known) ? undefined : tryPort(address, known);
    return (await again?.catch(() => undefined)) ?? anyPort(address, promised);
  };
  const rtmpPort = await pick(options.rtmpPort, 'rtmpPort', host);
  promised.add(rtmpPort);
  const token = before?.token;
  const choices: Choices = {
    rtmpPort,
    statPort: await pick(options.statPort, 'statPort', '127.0.0.1'),
    token: typeof token === 'string' && /^[0-9a-f]{32}$/.test(token) ? token : randomBytes(16).toString('hex'),
  };
  await writeWhole(paths.choices, `${JSON.stringify(choices)}\n`);
  return choices;
}

function isPort(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 65_536;
}

/** A free port, but none of these. One that is not wanted is held until there is another, which is then another one. */
async function anyPort(host: string, promised: ReadonlySet<number>): Promise<number> {
  let next: Promise<number> | undefined;
  const port = await tryPort(host, 0, async (offered) => {
    if (promised.has(offered)) next = anyPort(host, promised);
    await next;
  });
  return next ?? port;
}

/** Listens for a moment. Resolves to the port; 0 asks for any. @param meanwhile is done before it is free again */
function tryPort(
  host: string,
  port: number,
  meanwhile: (offered: number) => Promise<void> = async () => {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE';
      const message = `port ${port} on ${host} is in use by another program`;
      reject(taken ? new CodedError('ADDRESS_IN_USE', message, { cause: error }) : error);
    });
    server.listen({ host, port }, () => {
      const address = server.address();
      const found = typeof address === 'object' && address !== null ? address.port : port;
      const close = (then: () => void): void => void server.close(then);
      meanwhile(found).then(
        () => close(() => resolve(found)),
        (error: unknown) => close(() => reject(error)),
      );
    });
  });
}
