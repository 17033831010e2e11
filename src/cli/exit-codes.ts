import { codeOf, type ErrorCode } from '../errors.js';

/** What the commands answer to the shell; part of the help. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, unreachable: 3 } as const;

const usageCodes: readonly ErrorCode[] = ['USAGE', 'CONFIG_INVALID_VALUE', 'CONFIG_UNKNOWN_KEY', 'CONFIG_UNREADABLE'];
const unreachableCodes: readonly ErrorCode[] = ['NOT_RUNNING', 'API_UNREACHABLE'];

export function exitCodeOf(error: unknown): number {
  const code = codeOf(error);
  if (usageCodes.includes(code)) {
    return exitCodes.usage;
  }
  return unreachableCodes.includes(code) ? exitCodes.unreachable : exitCodes.failed;
}
