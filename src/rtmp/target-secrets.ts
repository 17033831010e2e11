import type { RtmpUrl } from '../address/rtmp-url.js';

/** The shortest text that is taken for a key: shorter ones stand in too much else. */
const shortestSecret = 4;

/**
 * What of a URL must not be repeated: user name and password, values of the query, as written and decoded, and a stream
 * name that is hidden. Long ones first.
 * @param shownUrl the URL as it may be shown
 */
export function secretsOf({ app, streamName, username = '', password = '' }: RtmpUrl, shownUrl: string): string[] {
  const secrets = new Set<string>([username, password]);
  const [name = ''] = streamName.split('?', 1);
  // Where there is no stream name, the application is what is shown in part.
  for (const text of name === '' ? [app.split('?', 1)[0] ?? ''] : [name]) {
    if (!shownUrl.includes(`/${text}`)) secrets.add(text);
  }
  for (const text of [app, streamName]) {
    const query = text.slice(text.indexOf('?') + 1);
    if (query.length === text.length) continue;
    for (const pair of query.split(/[&;?]/)) {
      secrets.add(pair.slice(pair.indexOf('=') + 1));
    }
    for (const value of new URLSearchParams(query).values()) secrets.add(value);
  }
  // Long ones first: one may be part of another.
  return [...secrets].filter((secret) => secret.length >= shortestSecret).sort((a, b) => b.length - a.length);
}
