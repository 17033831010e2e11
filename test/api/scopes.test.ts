import { expect, it } from 'vitest';
import { Access } from '../../src/access/access.js';
import { buildApi } from '../../src/api/server.js';
import { silentLogger } from '../../src/log/log.js';
import { startControl, testSettings } from '../control/harness.js';

it('every route says which scope it asks for', async () => {
  const test = await startControl();
  const { control, folder } = test;
  const access = await Access.open({ dataDir: folder, apiAuth: 'auto', jwtScopeClaim: 'scope' }, silentLogger);
  const app = await buildApi({ access, control, settings: testSettings, log: silentLogger, version: '0.0.0' });
  try {
    const routes = app.routeScopes().map(({ method, url, scope }) => `${method} ${url}: ${scope}`);
    expect(routes.length).toBeGreaterThan(20);
    expect(routes.filter((route) => route.endsWith(': undefined'))).toEqual([]);
    // What needs no token shows nothing of cameras, targets and settings.
    const open = app
      .routeScopes()
      .filter(({ scope }) => scope === 'public')
      .map(({ url }) => url);
    expect([...new Set(open)].sort()).toEqual(['/docs', '/healthz', '/openapi.json', '/readyz']);
    const changing = app.routeScopes().filter(({ method }) => !['GET', 'HEAD'].includes(method));
    // A ticket changes nothing, and neither does a long question.
    const mild = changing.filter(({ scope }) => scope !== 'operate' && scope !== 'admin');
    expect(mild.map(({ url }) => url).sort()).toEqual(['/v1/cluster/holders', '/v1/session']);
  } finally {
    await app.close();
    access.close();
    await test.close();
  }
});
