import { expect, test } from 'vitest';
import { PushPolicy } from '../../../src/address/push-policy.js';
import { HostNames } from '../../../src/backend/nginx/host-names.js';
import { forbidden, pushTarget } from '../../../src/backend/nginx/push-target.js';

test('a push is kept from nginx by its address, its name, or any address that its name has', async () => {
  const policy = new PushPolicy({ pushDeny: ['10.0.0.66', 'bad.example'] });
  const addresses: Record<string, string[]> = {
    'good.example': ['10.0.0.1'],
    'mixed.example': ['10.0.0.1', '10.0.0.66'],
  };
  const hosts = new HostNames(async (host) => addresses[host] ?? []);
  await hosts.look(new Set(Object.keys(addresses)));
  const verdict = (host: string): string | undefined => {
    const target = pushTarget(`rtmp://${host}/live/cam`);
    if ('code' in target) throw new Error(target.message);
    return forbidden(target, policy, hosts)?.code;
  };
  for (const host of ['good.example', 'unknown.example', '10.0.0.65'])
    expect([host, verdict(host)]).toEqual([host, undefined]);
  for (const host of ['mixed.example', 'bad.example', '10.0.0.66', '169.254.169.254', '[::ffff:10.0.0.66]']) {
    expect([host, verdict(host)]).toEqual([host, 'TARGET_FORBIDDEN']);
  }
});
