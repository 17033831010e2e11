import { everyAddress } from '../../address/every-address.js';
import { locatedNetworksType } from '../lists.js';
import { table } from '../setting.js';
import { hostType, httpUrlType, portType, textType } from '../values.js';

/** Where it listens, what it is called, and who is told of it. */
export const addressTable = table({
  /** 0: any free port. */
  rtmpPort: {
    key: 'rtmp-port',
    type: portType(),
    default: 1935,
    description: 'Port for cameras and viewers (RTMP); 0 takes any free port',
  },
  /** Port for RTMP inside TLS; 0: any free port; undefined: there is none. */
  rtmpsPort: {
    key: 'rtmps-port',
    type: portType(),
    default: undefined,
    description: 'Port for cameras and viewers with TLS (RTMPS), beside rtmp-port; 0 takes any free port',
  },
  /** PEM files, set together with the port. */
  rtmpsCert: {
    key: 'rtmps-cert',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'Certificate for rtmps-port with its chain (PEM); the file is read again when it changes',
  },
  rtmpsKey: {
    key: 'rtmps-key',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'Private key of rtmps-cert (PEM, without a password)',
  },
  /** UDP port for encoders that publish by SRT; 0: any free port; undefined: there is none. */
  srtPort: {
    key: 'srt-port',
    type: portType(),
    default: undefined,
    description: 'UDP port for encoders that publish by SRT; 0 takes any free port',
  },
  srtPassphraseFile: {
    key: 'srt-passphrase-file',
    type: textType(1024, '<file>'),
    default: undefined,
    description:
      'File with the passphrase (10 to 79 characters) that SRT encoders must encrypt with; if not set, they must not',
  },
  /** 0: any free port. */
  apiPort: {
    key: 'api-port',
    type: portType(),
    default: 5000,
    description: 'Port of the HTTP API; 0 takes any free port',
  },
  /** The address that both ports listen on; IPv6 without brackets. */
  host: {
    key: 'host',
    type: hostType(),
    default: undefined,
    fallback: { words: '`::`, or `0.0.0.0` without IPv6', value: everyAddress },
    description: 'Address that all ports listen on; `::` is IPv6 and IPv4, `0.0.0.0` IPv4 only',
  },
  /** As the user wrote it: relative paths start at the working folder. */
  dataDir: {
    key: 'data-dir',
    type: textType(1024, '<folder>'),
    default: './data',
    description: 'Folder for state.json and runtime.json; `none` stores nothing on disk, to try the program out',
  },
  /** A file of keys, 64 to 128 hexadecimal digits each: the first seals, the others open. Undefined: nothing is sealed. */
  sealKey: {
    key: 'seal-key',
    type: textType(1024, '<file>'),
    default: undefined,
    description:
      'File with the key that seals URLs (stream keys, passwords) in state.json and its journal (create it with: openssl rand -hex 32); if not set, they are in plain text',
  },
  /** The host that cameras are told to publish to; undefined when nobody said it. IPv6 without brackets. */
  advertiseHost: {
    key: 'advertise-host',
    type: hostType(),
    default: undefined,
    seedEnvironment: ['{name}_{vendor}_{version}_rtmp_ip'],
    description: 'Host in the URLs that cameras publish to; if not set, the address of this machine',
  },
  /** Where this aggregator is, in the operator's words. */
  location: {
    key: 'location',
    type: textType(128),
    default: undefined,
    seedEnvironment: ['event'],
    description: 'Location of this aggregator; engines at the same location are chosen first',
  },
  /** Which networks are where; undefined: nobody said it. */
  locationNetworks: {
    key: 'location-networks',
    type: locatedNetworksType(),
    default: undefined,
    description:
      'Locations of networks (LOCATION=NETWORK,...): if a call names no location, engines and nodes near the address of the viewer or caller are chosen',
  },
  /** The content manager's URL, without a slash at its end: `http://HOST:50000`; undefined: there is none to tell. */
  contentManager: {
    key: 'content-manager',
    type: httpUrlType(50_000),
    default: undefined,
    seedEnvironment: ['CMS_IP'],
    description: 'Content manager to announce this aggregator to, by POST to /configure; the default port is 50000',
  },
});
