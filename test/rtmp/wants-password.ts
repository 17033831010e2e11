import { createHash, randomBytes } from 'node:crypto';
import { type Behaviour, serve } from '../push/targets.js';

export interface PasswordTarget {
  readonly behaviour: Behaviour;
  /** The applications that connections asked for, in order. */
  readonly apps: string[];
}

/**
 * A target that takes one user, as Wowza and Flash Media Server ask (`authmod=adobe`). test/e2e/target-auth.test.ts shows
 * with ffmpeg that it asks as they do.
 */
export function wantsPassword(user: string, password: string, options: { opaque?: boolean } = {}): PasswordTarget {
  const apps: string[] = [];
  const salt = randomBytes(6).toString('base64');
  const asked = new Set<string>();
  const behaviour: Behaviour = (socket, target) => {
    let decide: (info: { app: string }) => void = () => {};
    serve(socket, target, {
      session: (session) => {
        decide = ({ app }) => {
          apps.push(app);
          const reject = (text: string): void => {
            session.refuseConnect('NetConnection.Connect.Rejected', `[ AccessManager.Reject ] : [ ${text}`);
            socket.end();
          };
          const [, query = ''] = app.split('?', 2);
          const given = new Map(query.split('&').map((pair) => [pair.split('=', 1)[0], pair.replace(/^[^=]*=/, '')]));
          if (given.get('authmod') !== 'adobe') return reject('code=403 need auth; authmod=adobe ] : ');
          if (given.get('user') !== user) return reject('authmod=adobe ] : ?reason=nosuchuser');
          const response = given.get('response');
          if (response === undefined) {
            const challenge = randomBytes(6).toString('base64');
            asked.add(challenge);
            const opaque = options.opaque === false ? '' : `&opaque=${challenge}`;
            const values = `user=${user}&salt=${salt}&challenge=${challenge}${opaque}`;
            return reject(`authmod=adobe ] : ?reason=needauth&${values}`);
          }
          const own = given.get('challenge') ?? '';
          const isRight = [...asked].some((challenge) => {
            const right = md5(md5(user + salt + password) + challenge + own);
            return right === response && [undefined, challenge].includes(given.get('opaque'));
          });
          if (!isRight) return reject('authmod=adobe ] : ?reason=authfailed&user=');
          session.acceptConnect();
        };
      },
      onConnect: (info) => decide(info),
    });
  };
  return { behaviour, apps };
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('base64');
}
