import type { Directive } from '../../nginx-conf/parser.js';

/** What a configuration must have besides nginx's consent, so that the aggregator can work with it. */
export interface Requirements {
  /** Port of cameras and viewers. */
  readonly rtmpPort: number;
  /** Port of the statistics. */
  readonly statPort: number;
  readonly statPath: string;
  readonly pidFile: string;
}

/**
 * What is missing, in words; null when nothing is. nginx takes a file that was cut off behind `events {}`: then every
 * listener is gone after the reload.
 */
export function missingIn(directives: readonly Directive[], required: Requirements): string | null {
  const rtmp = blocks(directives, 'rtmp');
  if (rtmp.length === 0) return 'it has no rtmp block';
  const rtmpServers = rtmp.flatMap((block) => blocks(block, 'server'));
  if (!rtmpServers.some((server) => listensOn(server, required.rtmpPort))) {
    return `no server in its rtmp block listens on port ${required.rtmpPort}`;
  }
  const autoPush = directives.find(({ name }) => name === 'rtmp_auto_push');
  if (autoPush?.args[0] === 'on') {
    return 'it has "rtmp_auto_push on", with which a reload can crash the worker and drop every camera';
  }
  if (!directives.some(({ name, args }) => name === 'pid' && args[0] === required.pidFile)) {
    return `it has no "pid ${required.pidFile};"`;
  }
  const httpServers = blocks(directives, 'http').flatMap((block) => blocks(block, 'server'));
  const hasStatistics = httpServers.some(
    (server) =>
      listensOn(server, required.statPort) &&
      server.some(
        ({ name, args, block }) => name === 'location' && args.at(-1) === required.statPath && block !== undefined,
      ),
  );
  if (hasStatistics) return null;
  return `no server in its http block has "listen 127.0.0.1:${required.statPort}" and "location = ${required.statPath}"`;
}

function blocks(directives: readonly Directive[], name: string): (readonly Directive[])[] {
  return directives.flatMap((each) => (each.name === name && each.block !== undefined ? [each.block] : []));
}

/** A port alone, or an address, name or `unix:` with it. */
function listensOn(server: readonly Directive[], port: number): boolean {
  return server.some(({ name, args }) => {
    const address = name === 'listen' ? args[0] : undefined;
    return address !== undefined && /(?:^|:)(\d+)$/.exec(address)?.[1] === String(port);
  });
}
