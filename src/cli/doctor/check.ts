export type CheckStatus = 'ok' | 'warn' | 'fail';

/** What one look at the machine found. */
export interface Check {
  readonly name: string;
  readonly status: CheckStatus;
  /** What was seen. */
  readonly message: string;
  /** What to do about it; undefined when nothing is to be done. */
  readonly advice?: string;
}

export const ok = (name: string, message: string): Check => ({ name, status: 'ok', message });
export const warn = (name: string, message: string, advice: string): Check => ({
  name,
  status: 'warn',
  message,
  advice,
});
export const fail = (name: string, message: string, advice: string): Check => ({
  name,
  status: 'fail',
  message,
  advice,
});
