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
  /** True: a port of ours may be taken, by our own nginx. */
  readonly isRunning: boolean;
  /** True: nothing listens here that could be asked. */
  readonly isExternal: boolean;
}

/** @throws CodedError ADDRESS_IN_USE, or what the system says when the RTMP port cannot be had */
export async function chooseOnce(options: ChoiceOptions): Promise<Choices> {
  const { paths, host, isRunning, isExternal } = options;
  const before = await readRecord(paths.choices);
  const pick = async (wanted: number, key: 'rtmpPort' | 'statPort', address: string): Promise<number> => {
    if (isExternal) return wanted;
    const known = isPort(before?.[key]) ? before[key] : undefined;
    if (wanted !== 0) return isRunning && known === wanted ? wanted : tryPort(address, wanted);
    if (known === undefined) return tryPort(address, 0);
    return isRunning ? known : tryPort(address, known).catch(() => tryPort(address, 0));
  };
  const token = before?.token;
  const choices: Choices = {
    rtmpPort: await pick(options.rtmpPort, 'rtmpPort', host),
    statPort: await pick(options.statPort, 'statPort', '127.0.0.1'),
    token: typeof token === 'string' && /^[0-9a-f]{32}$/.test(token) ? token : randomBytes(16).toString('hex'),
  };
  await writeWhole(paths.choices, `${JSON.stringify(choices)}\n`);
  return choices;
}

function isPort(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 65_536;
}

/** Listens for a moment. Resolves to the port; 0 asks for any. */
function tryPort(host: string, port: number): Promise<number> {
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
      server.close(() => resolve(found));
    });
  });
}
