import { totalmem } from 'node:os';
import type { Settings } from '../../config/index.js';
import { formatSize } from '../../config/values.js';
import { type Check, ok, warn } from './check.js';

const MB = 1 << 20;

/** Node.js itself, the program, its heap at rest, and the memory of slabs that waits to be used again. */
const baseBytes = 192 * MB;

/** A media worker: Node.js, the parts that move media, and slabs that wait to be used again. */
const workerBytes = 128 * MB;

/** A registered camera with a few pushes: state, text of the file, API view. */
const cameraBytes = 16 * 1024;

/** What Node and the kernel's interface hold of a socket beyond what limits count: buffers of one read and one write. */
const socketBytes = 128 * 1024;

/** Readers of /v1/events, and what waits for each (src/api/v1/event-stream.ts, event-client.ts). */
const eventReaders = 64;
const eventReaderBytes = 4 * MB;

/**
 * The parts that the limits in force allow the process to take, with its media workers, in bytes. The limits are for all
 * workers together.
 */
export function memoryBudget(settings: Settings): { total: number; parts: readonly (readonly [string, number])[] } {
  const { media, maxCameras, maxHttpViewers, historyMaxBytes } = settings;
  const workers = settings.backend === 'native' ? settings.workers : 0;
  const connection = socketBytes + 2 * media.maxCommandBytes;
  const parts = [
    ['the program', baseBytes],
    ...(workers > 0 ? ([[`workers ${workers}`, workers * workerBytes]] as const) : []),
    [`max-cameras ${maxCameras}`, maxCameras * cameraBytes],
    [`media-max-bytes ${formatSize(media.mediaMaxBytes)}`, media.mediaMaxBytes],
    [`max-connections ${media.maxConnections}`, media.maxConnections * connection],
    [`max-http-viewers ${maxHttpViewers}`, maxHttpViewers * socketBytes],
    [`history-max-bytes ${formatSize(historyMaxBytes)}`, historyMaxBytes],
    ['readers of /v1/events', eventReaders * eventReaderBytes],
  ] as const;
  return { total: parts.reduce((sum, [, bytes]) => sum + bytes, 0), parts };
}

/** What the process may take at worst under its limits, against what the machine (or the container) has. */
export function checkMemory(settings: Settings, machineBytes: number = availableBytes()): Check {
  const name = 'memory';
  const { total, parts } = memoryBudget(settings);
  const sum = parts.map(([what, bytes]) => `${rounded(bytes)} for ${what}`).join(', ');
  const frame = formatSize(2 * settings.media.maxMessageBytes);
  const message =
    `the limits allow ${rounded(total)} of this machine's ${rounded(machineBytes)}: ${sum}; ` +
    `and up to ${frame} for each camera whose frame of max-message-bytes is on its way`;
  if (total <= machineBytes) return ok(name, message);
  return warn(name, message, 'Lower --media-max-bytes or --max-connections, or give it more memory.');
}

function availableBytes(): number {
  const constrained = process.constrainedMemory?.() ?? 0;
  return constrained > 0 && constrained < totalmem() ? constrained : totalmem();
}

function rounded(bytes: number): string {
  return bytes >= 1024 * MB ? `${(bytes / (1024 * MB)).toFixed(1)} GB` : `${Math.round(bytes / MB)} MB`;
}
