import type { ApiClient } from '../client.js';
import type { Runtime } from '../runtime-file.js';

/** The ports of the aggregator that runs on a data folder, as far as they are known. */
export type HeldPorts = Partial<Pick<Runtime, 'pid' | 'rtmpPort' | 'rtmpsPort' | 'srtPort' | 'apiPort'>>;

/**
 * As an aggregator says itself: a full disk took no runtime.json of it.
 * @param find its API. @returns undefined: none runs, or it does not answer, which other checks tell
 */
export async function askForPorts(find: () => Pick<ApiClient, 'nodes' | 'config'>): Promise<HeldPorts | undefined> {
  try {
    const client = find();
    const [[node], { settings }] = [await client.nodes(), await client.config()];
    const api = settings.apiPort?.value;
    return {
      ...(node?.rtmp == null ? {} : { rtmpPort: node.rtmp.port }),
      ...(node?.rtmps == null ? {} : { rtmpsPort: node.rtmps.port }),
      ...(node?.srt == null ? {} : { srtPort: node.srt.port }),
      // 0 is any that was free.
      ...(typeof api === 'number' && api > 0 ? { apiPort: api } : {}),
    };
  } catch {
    return undefined;
  }
}
