import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiProblem, Client, NoAnswer } from '../../src/client/index.js';
import { startTestApi, type TestApi } from '../api/harness.js';

let test: TestApi;
let client: Client;
beforeAll(async () => {
  test = await startTestApi({ apiRateLimit: 1 });
  client = new Client({ base: `${test.base}/` });
});
afterAll(() => test.close());

describe('the client', () => {
  it('makes calls by the id of the operation, and hands on entity tags', async () => {
    const made = await client.call('declareCamera', { path: { name: 'gate-1' }, body: { type: '360' } });
    expect([made.status, made.body.name, made.body.type]).toEqual([201, 'gate-1', '360']);
    const { etag } = await client.call('getCamera', { path: { name: 'gate-1' } });
    expect(etag).toBe(made.etag);
    const change = { path: { name: 'gate-1' }, body: { type: null } };
    await client.call('changeCamera', change, { ifMatch: etag ?? '' });
    await expect(client.call('changeCamera', change, { ifMatch: etag ?? '' })).rejects.toMatchObject({
      name: 'ApiProblem',
      status: 412,
      code: 'PRECONDITION_FAILED',
    });
    const gone = await client.call('removeCamera', { path: { name: 'gate-1' } });
    expect([gone.status, gone.body]).toEqual([204, undefined]);
  });

  it.each([
    ['localhost:5000', 'write "http://localhost:5000" or https'],
    ['10.0.0.5', 'has no scheme; write "http://10.0.0.5"'],
    ['ftp://host/x', 'has the scheme "ftp"; write "http://host/x"'],
    ['rtmp://host', 'has the scheme "rtmp"'],
    ['http://', 'is no URL'],
    ['http://host:99999', 'is no URL'],
    ['http://host/?a=b', 'must end with its path'],
  ])('takes no base like %s', (base, hint) => {
    expect(() => new Client({ base })).toThrow(hint);
    expect(() => new Client({ base })).toThrow(TypeError);
  });

  it('says which operation or part of a path is wrong', async () => {
    const call = (...args: unknown[]): Promise<unknown> => Reflect.apply(client.call, client, args);
    await expect(call('listCamera')).rejects.toThrow(
      '"listCamera" is no operation of this API; did you mean "listCameras"?',
    );
    await expect(call('toString')).rejects.toThrow('is no operation');
    await expect(call('makeCoffee')).rejects.toThrow('the type OperationId names all');
    await expect(call('getCamera')).rejects.toThrow('getCamera: path.name is missing');
    await expect(call('getPush', { path: { name: 'a' } })).rejects.toThrow('getPush: path.id is missing');
    await expect(call('getCamera', { path: { name: 7 } })).rejects.toThrow(TypeError);
    for (const base of ['', '/aggregator/', 'HTTP://host', 'https://host:5000/below/']) {
      expect(() => new Client({ base })).not.toThrow();
    }
  });

  it('goes through all pages', async () => {
    for (const name of ['p1', 'p2', 'p3', 'q1']) await client.call('addCamera', { body: { name } });
    const names: string[] = [];
    for await (const { name } of client.each('listCameras', { query: { prefix: 'p', limit: 2 } })) names.push(name);
    expect(names).toEqual(['p1', 'p2', 'p3']);
  });

  it('puts names into paths and queries as they are, and says what was refused', async () => {
    const refused = client.call('getCamera', { path: { name: '../tokens?x=#' } });
    await expect(refused).rejects.toBeInstanceOf(ApiProblem);
    await expect(refused).rejects.toMatchObject({ status: 400, code: 'INVALID_NAME', field: 'name' });
  });

  it('waits as long as it is told when it calls too often, and gives up in the end', async () => {
    const elsewhere = (given: number) => {
      const asked: number[] = [];
      const through: typeof fetch = async (url, init) => {
        const headers = { ...Object(init?.headers), 'x-forwarded-for': '192.0.2.1' };
        const response = await fetch(url, { ...init, headers });
        asked.push(response.status);
        return response;
      };
      return { asked, client: new Client({ base: test.base, fetch: through, retries: given }) };
    };
    const patient = elsewhere(5);
    for (let index = 0; index < 12; index += 1) await patient.client.call('isAlive');
    expect(patient.asked).toContain(429);
    expect(patient.asked.filter((status) => status === 200)).toHaveLength(12);
    const hasty = elsewhere(0);
    const refusals = async () => {
      for (let index = 0; index < 20; index += 1) await hasty.client.call('isAlive');
    };
    await expect(refusals()).rejects.toMatchObject({ status: 429, code: 'RATE_LIMITED' });
  });

  it('says when there is no answer, or none of an aggregator', async () => {
    const nobody = new Client({ base: 'http://127.0.0.1:9' });
    await expect(nobody.call('isAlive')).rejects.toBeInstanceOf(NoAnswer);
    const page: typeof fetch = async () => new Response('<html>', { status: 200 });
    await expect(new Client({ base: '', fetch: page }).call('isAlive')).rejects.toThrow(/other than JSON/);
    const gateway: typeof fetch = async () => new Response('Bad Gateway', { status: 502 });
    await expect(new Client({ base: '', fetch: gateway }).call('isAlive')).rejects.toThrow(/502/);
    const aborted = AbortSignal.abort();
    await expect(client.call('isAlive', {}, { signal: aborted })).rejects.toBeInstanceOf(NoAnswer);
  });

  it('sends the token that is there when a call is made', async () => {
    let token: string | undefined = 'wrong';
    const changing = new Client({ base: test.base, token: () => token });
    await expect(changing.call('getSession')).rejects.toMatchObject({ status: 401 });
    token = undefined;
    expect((await changing.call('getSession')).body).toMatchObject({ caller: 'local' });
  });
});
