import { hostname } from 'node:os';
import { logLevels } from '../../log/levels.js';
import { table } from '../setting.js';
import { choiceType, durationType, textType } from '../values.js';

/** The process: its name, its log, its end. */
export const processTable = table({
  /** What the content manager knows this aggregator by. */
  resourceId: {
    key: 'resource-id',
    type: textType(253),
    default: undefined,
    fallback: { words: 'the host name; in a cluster node-id', value: hostname },
    seedEnvironment: ['container_name'],
    description: 'Id of this aggregator in the answers to the content manager',
  },
  logLevel: {
    key: 'log-level',
    type: choiceType(...logLevels),
    default: 'info',
    description: 'Lowest level that is logged',
  },
  logFormat: {
    key: 'log-format',
    type: choiceType('auto', 'human', 'json'),
    default: 'auto',
    description: 'Format of the log; auto is human on a terminal and json elsewhere',
  },
  /** As the user wrote it; undefined: standard error. */
  logFile: {
    key: 'log-file',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'File that the log is appended to, instead of standard error; SIGHUP reopens it',
  },
  /** Between the signal to stop and the closing of listeners, milliseconds. */
  drainDelayMs: {
    key: 'drain-delay',
    type: durationType('0ms', '10m'),
    default: 0,
    description: 'After SIGTERM, how long /readyz answers 503 before anything is closed, for load balancers',
  },
});
