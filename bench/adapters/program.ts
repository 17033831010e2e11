import { accessSync, constants } from 'node:fs';
import { resolve } from 'node:path';

/** A server that no package manager installs: where its program lies is said by a variable of the environment. */
export interface GivenProgram {
  /** The name of the variable. */
  readonly variable: string;
  /** How to come by the program. */
  readonly advice: string;
}

/** Why the program cannot be run; undefined when it can. */
export function missingProgram({ variable, advice }: GivenProgram): string | undefined {
  const file = process.env[variable];
  if (file === undefined || file === '') return `${variable} is not set to the path of its program: ${advice}`;
  try {
    accessSync(file, constants.X_OK);
    return undefined;
  } catch {
    return `${variable} is ${file}, which is no program that can be run: ${advice}`;
  }
}

/** The absolute path of the program. @throws Error when it cannot be run */
export function givenProgram(program: GivenProgram): string {
  const missing = missingProgram(program);
  if (missing !== undefined) throw new Error(missing);
  return resolve(process.env[program.variable] ?? '');
}
