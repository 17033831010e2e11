import { table } from '../setting.js';
import { booleanType, choiceType, integerType, portType, textType } from '../values.js';

/** What moves the media. */
export const backendTable = table({
  backend: {
    key: 'backend',
    type: choiceType('native', 'nginx'),
    default: 'native',
    description:
      'What handles the media: native: this program; nginx: an nginx with the RTMP module, run by this program',
  },
  /** Processes that move media apart from this one; 0: this one does. Only for the backend native. */
  workers: {
    key: 'workers',
    type: integerType(0, 256, '<n>'),
    default: 0,
    description:
      'With --backend native: number of separate processes that handle the media; 0: everything in one process',
  },
  /** The nginx to run; undefined: the first on PATH. As are the four below, only for the backend nginx. */
  nginxBinary: {
    key: 'nginx-binary',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'With --backend nginx: the nginx to run; if not set, the one on PATH',
  },
  /** A template of nginx.conf; undefined: the built-in one. */
  nginxTemplate: {
    key: 'nginx-template',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'With --backend nginx: template of nginx.conf to use instead of the built-in one',
  },
  /** Where nginx.conf is kept; undefined: in the data folder. */
  nginxConf: {
    key: 'nginx-conf',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'With --backend nginx: path of nginx.conf; if not set, it is in the data folder',
  },
  /** Of 127.0.0.1; 0: any free port. */
  nginxStatPort: {
    key: 'nginx-stat-port',
    type: portType(),
    default: 0,
    description: "With --backend nginx: port of nginx's statistics on 127.0.0.1; 0 takes any free port",
  },
  /** True: nginx.conf is written and the statistics are read, but somebody else runs nginx. */
  nginxExternal: {
    key: 'nginx-external',
    type: booleanType(),
    default: false,
    description: 'With --backend nginx: only write nginx.conf and read the statistics; something else runs nginx',
  },
});
