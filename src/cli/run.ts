import { CommanderError } from 'commander';
import { CodedError, codeOf, messageOf } from '../errors.js';
import { isErrno } from '../files/errno.js';
import { cleanText } from '../log/pino.js';
import { ApiError } from './client.js';
import { exitCodeOf, exitCodes } from './exit-codes.js';
import { type CliIo, cleanIo, painter, processIo } from './io.js';
import { buildProgram } from './program.js';

/**
 * Runs one command line.
 * @param args what stands after the program's name
 * @returns the exit code
 */
export async function run(args: readonly string[], given: CliIo = processIo()): Promise<number> {
  const io = cleanIo(given);
  let exitCode: number = exitCodes.ok;
  const program = buildProgram(io, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
    const lost = await io.out.written?.();
    // `media-aggregator camera list | head`: whoever read is gone, and nobody is left to complain to.
    if (lost !== undefined && !isErrno(lost, 'EPIPE')) {
      const message = `standard output could not be written: ${lost.message}. The command itself was carried out`;
      throw new CodedError('OUTPUT_FAILED', message, { cause: lost });
    }
    return exitCode;
  } catch (error) {
    return reportError(error, io);
  }
}

function reportError(error: unknown, io: CliIo): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0 || error.code === 'commander.help') {
      return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    }
    const message = error.message.replace(/^error: /, '').replaceAll('\n', ' ');
    return reportError(
      new CodedError('USAGE', `${message}${/[.)]$/.test(message) ? '' : '.'} Add --help for help.`),
      io,
    );
  }
  const code = error instanceof ApiError ? error.apiCode : codeOf(error);
  const paint = painter(io.err, io.env);
  io.err.write(`${paint('red', 'error')}: ${cleanText(code)}: ${cleanText(messageOf(error))}\n`);
  return exitCodeOf(error);
}
