import { connect } from 'node:net';
import { expect, it } from 'vitest';
import { Access } from '../../src/access/access.js';
import { startApi } from '../../src/api/server.js';
import { silentLogger } from '../../src/log/log.js';
import { startControl, testSettings } from '../control/harness.js';

it('took a port of the system on which nginx was to listen a moment later', async () => {
  const control = await startControl({});
  const access = await Access.open({ dataDir: control.folder, apiAuth: 'auto', jwtScopeClaim: 'scope' }, silentLogger);
  const offered: number[] = [];
  const api = await startApi({
    access,
    control: control.control,
    settings: { ...testSettings, apiPort: 0 },
    log: silentLogger,
    version: '0.0.0',
    isPromised: (port) => offered.push(port) < 3,
  });
  try {
    expect(offered).toHaveLength(3);
    expect(api.port).toBe(offered[2]);
    expect(new Set(offered).size).toBe(3);
    expect((await fetch(`http://127.0.0.1:${api.port}/healthz`)).status).toBe(200);
    for (const port of offered.slice(0, 2)) {
      const refused = await new Promise((resolve) => {
        connect(port, '127.0.0.1').once('error', resolve);
      });
      expect(refused).toMatchObject({ code: 'ECONNREFUSED' });
    }
  } finally {
    await api.close();
    access.close();
    await control.close();
  }
});
