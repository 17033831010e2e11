import { status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { EtcdClient } from '../../src/etcd/client.js';
import { EtcdError } from '../../src/etcd/etcd-error.js';
import { freePort } from '../support/ports.js';

const endpoint = '10.0.0.1:2379';
const failure = (code: number, details: string): EtcdError =>
  EtcdError.of(Object.assign(new Error(details), { code, details }), endpoint);
const unsent = (reason: string): EtcdError =>
  failure(status.UNAVAILABLE, `No connection established. Last error: ${reason} Resolution note: `);

describe('what is said of an etcd that does not do what it is asked', () => {
  test.each([
    ['Error: unable to verify the first certificate.', /unable to verify the first certificate; --cluster-ca is to be/],
    ['Error: self-signed certificate in certificate chain.', /--cluster-ca is to be the authority/],
    [
      'Error [ERR_TLS_CERT_ALTNAME_INVALID]: Hostname/IP is not in the list.',
      /^etcd at 10\.0\.0\.1:2379: Hostname\/IP is/,
    ],
    ['Failed to connect (2026-11-29T21:40:55.977Z).', /a member with TLS is etcds:\/\/ in --cluster/],
    [
      'Error: Client network socket disconnected before secure TLS connection was established.',
      /a member without TLS is etcd:\/\/ in --cluster/,
    ],
    ['Error: connect ECONNREFUSED 10.0.0.1:2379.', /: connect ECONNREFUSED 10\.0\.0\.1:2379$/],
  ])('%s', (reason, message) => {
    expect(unsent(reason)).toMatchObject({ message: expect.stringMatching(message), isUncertain: false });
  });

  test('a user that is missing, wrong, or may not write is a denial; what is short of room is none', () => {
    expect(failure(status.INVALID_ARGUMENT, 'etcdserver: user name is empty')).toMatchObject({
      isDenied: true,
      message: expect.stringContaining('--cluster-user-file'),
    });
    const wrong = 'etcdserver: authentication failed, invalid user ID or password';
    expect(failure(status.INVALID_ARGUMENT, wrong).isDenied).toBe(true);
    expect(failure(status.PERMISSION_DENIED, 'etcdserver: permission denied').isDenied).toBe(true);
    const full = failure(status.RESOURCE_EXHAUSTED, 'etcdserver: mvcc: database space exceeded');
    expect(full).toMatchObject({ isFull: true, isDenied: false });
    expect(failure(status.INVALID_ARGUMENT, 'etcdserver: key is not provided').isDenied).toBe(false);
  });

  // A member with another certificate "did not answer in time", as its connection was being tried anew at the deadline.
  test('a call that runs out of time says why the member was not reached, and stays as certain as it is', async (context) => {
    const client = new EtcdClient({ endpoints: [`127.0.0.1:${await freePort()}`] });
    context.onTestFinished(() => client.close());
    for (let call = 0; call < 3; call += 1) {
      const failed = client.range({ key: Buffer.from('x') }, 1100);
      await expect(failed).rejects.toThrow(/connect ECONNREFUSED/);
    }
    const late = failure(status.DEADLINE_EXCEEDED, 'Deadline exceeded');
    const said = late.saying(unsent('Error: connect ECONNREFUSED 10.0.0.1:2379.'));
    expect(said).toMatchObject({ isUncertain: true, message: expect.stringContaining('ECONNREFUSED') });
    expect(late.saying(undefined)).toBe(late);
  });
});
