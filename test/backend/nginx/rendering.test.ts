import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mergeParts } from '../../../src/backend/nginx/parts.js';
import { pushTarget, targetOf } from '../../../src/backend/nginx/push-target.js';
import { quoteValue } from '../../../src/backend/nginx/quote.js';
import { missingIn } from '../../../src/backend/nginx/structure.js';
import { defaultTemplate, Template, type TemplateFacts } from '../../../src/backend/nginx/template.js';
import { parseDump } from '../../../src/nginx-conf/dump.js';
import { type Directive, parseNginxText } from '../../../src/nginx-conf/parser.js';

const facts: Omit<TemplateFacts, 'cameras'> = {
  module: '/m.so',
  pidFile: '/run/nginx.pid',
  errorLog: '/log',
  temporaryFolder: '/tmp/',
  temporaryPaths: ['proxy_temp_path'],
  listen: ['1935'],
  statListen: '127.0.0.1:8080',
  statPath: '/stat',
  controlPath: '/control',
};
const template = new Template(defaultTemplate);

/** Directives as their words and their blocks, wherever they stand. */
function plain(directives: readonly Directive[]): unknown[] {
  return directives.map(({ name, args, block }) => [[name, ...args], block === undefined ? null : plain(block)]);
}

function render(cameras: Record<string, readonly string[]>, changes: Partial<TemplateFacts> = {}): string {
  const list = Object.entries(cameras).map(([name, urls]) => ({
    name,
    pushes: urls.map((url) => {
      const target = pushTarget(url);
      if ('code' in target) throw new Error(target.message);
      return { parameters: target.parameters };
    }),
  }));
  return template.render({ ...facts, ...changes, cameras: list });
}

function merge(present: string | undefined, rendered: string) {
  const merged = mergeParts(present, rendered);
  if ('unplaceable' in merged) throw new Error(merged.unplaceable);
  return merged;
}

describe('values', () => {
  test('any text without control characters is one word, and comes back as it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.string({ maxLength: 40 }), (one, two) => {
        for (const text of [one, two, `${one}"\\${two}`, `${one}; } {`]) {
          if (/[\p{Cc}\p{Cs}]/u.test(text)) {
            expect(() => quoteValue(text)).toThrow(/control character/);
            continue;
          }
          expect(plain(parseNginxText(`a { push ${quoteValue(text)} x; } b;`))).toEqual([
            [['a'], [[['push', text, 'x'], null]]],
            [['b'], null],
          ]);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('plain ones stand as the original has them, others in quotes', () => {
    expect(quoteValue('rtmp://1.1.1.1:1935/live/example1')).toBe('rtmp://1.1.1.1:1935/live/example1');
    expect(quoteValue('/a b/"c"')).toBe('"/a b/\\"c\\""');
    expect(() => quoteValue(undefined)).toThrow(/outputs undefined/);
  });

  test('a push is the URL; an application of several parts is named apart, because nginx takes the first part', () => {
    expect(pushTarget('rtmp://Host.example/live/cam?key=1')).toMatchObject({
      host: 'host.example',
      parameters: ['rtmp://host.example:1935/live/cam?key=1'],
      address: 'host.example:1935/live/cam?key=1',
    });
    expect(pushTarget('rtmp://[::1]:1936/live/inst/cam')).toMatchObject({
      host: null,
      parameters: [
        'rtmp://[::1]:1936/live/inst/cam',
        'app=live/inst',
        'playPath=cam',
        'tcUrl=rtmp://[::1]:1936/live/inst',
      ],
    });
    expect(pushTarget('rtmps://a/b/c')).toMatchObject({ code: 'TARGET_UNSUPPORTED' });
    expect(targetOf({ url: 'rtmp://192.0.2.1/live/a', audio: 'aac' })).toMatchObject({ code: 'TARGET_UNSUPPORTED' });
    expect(targetOf({ url: 'rtmp://192.0.2.1/live/a' })).toMatchObject({ ip: '192.0.2.1' });
    expect(pushTarget('rtmp://u:p@a/b/c')).toMatchObject({ code: 'TARGET_UNSUPPORTED' });
    expect(pushTarget('http://a/b/c')).toMatchObject({ code: 'INVALID_ADDRESS' });
  });
});

describe('the built-in template', () => {
  test('has the shape of the original', () => {
    const text = render({ example1: ['rtmp://1.1.1.1:1935/live/example1', 'rtmp://2.2.2.2:1935/live/example1'] });
    expect(text).toContain(`        # camera example1
        application example1 {
            live on;
            record off;
            push rtmp://1.1.1.1:1935/live/example1;
            push rtmp://2.2.2.2:1935/live/example1;
        }
`);
    for (const line of ['listen 1935;', 'chunk_size 4096;', 'rtmp_auto_push off;', 'worker_processes 1;']) {
      expect(text).toContain(line);
    }
  });

  test('a template that fails, or is none, is named as such', () => {
    expect(() => new Template('<% if (')).toThrow(expect.objectContaining({ code: 'NGINX_TEMPLATE' }));
    const broken = new Template('<%= it.nothing.at.all %>');
    expect(() => broken.render({ ...facts, cameras: [] })).toThrow(expect.objectContaining({ code: 'NGINX_TEMPLATE' }));
  });
});

describe('edits by hand', () => {
  const both = render({ a: ['rtmp://h/l/a'], b: ['rtmp://h/l/b'] });
  const first = merge(undefined, both).text;

  test('what nobody edited is rendered: the same again is the same file', () => {
    expect(merge(first, both)).toEqual({ text: first, kept: [], lost: [] });
    const more = render({ a: ['rtmp://h/l/a'], b: [], c: [] });
    expect(merge(first, more)).toEqual({ text: merge(undefined, more).text, kept: [], lost: [] });
    const port = render({ a: [] }, { listen: ['1936'] });
    expect(merge(first, port)).toEqual({ text: merge(undefined, port).text, kept: [], lost: [] });
  });

  test('an edit stays while others change, also after several renderings, and goes when its own part changes', () => {
    const edited = first
      .replace('push rtmp://h:1935/l/a;', 'push rtmp://other/l/a;')
      .replace('chunk_size 4096', 'chunk_size 8192');
    let merged = merge(edited, both);
    expect(merged).toEqual({ text: edited, kept: ['', 'a'], lost: [] });
    merged = merge(merged.text, render({ a: ['rtmp://h/l/a'], b: ['rtmp://h/l/new'], c: [] }));
    expect(merged).toMatchObject({ kept: ['', 'a'], lost: [] });
    for (const kept of ['rtmp://other/l/a;', 'chunk_size 8192', 'rtmp://h:1935/l/new;', 'application c {']) {
      expect(merged.text).toContain(kept);
    }
    merged = merge(merged.text, render({ a: [], b: ['rtmp://h/l/new'], c: [] }, { listen: ['1936'] }));
    expect(merged).toMatchObject({ kept: [], lost: ['', 'a'] });
    expect(merged.text).toBe(
      merge(undefined, render({ a: [], b: ['rtmp://h/l/new'], c: [] }, { listen: ['1936'] })).text,
    );
  });

  test('an edited camera that is removed is told as lost; a part that is taken out by hand comes back', () => {
    const edited = first.replace('push rtmp://h:1935/l/a;', '');
    expect(merge(edited, render({ b: ['rtmp://h/l/b'] }))).toMatchObject({ lost: ['a'] });
    const without = first.replace(/ *# camera a [\s\S]*?(?= *# camera b )/, '');
    expect(without).not.toContain('application a');
    expect(merge(without, both)).toMatchObject({ text: first, lost: [] });
  });

  test('a file without the line where cameras go, or an empty one, is nobody to write into', () => {
    for (const text of ['events {}\n', '  \n', first.slice(0, first.indexOf('# end of cameras'))]) {
      expect(mergeParts(text, both)).toHaveProperty('unplaceable');
    }
  });

  test("an operator's own file takes the cameras where it says", () => {
    const own = 'events {}\nrtmp { server { listen 1935;\n# end of cameras\n} }\n';
    const merged = merge(own, both);
    expect(merged).toMatchObject({ kept: [''], lost: [] });
    expect(merged.text).toMatch(/^events \{\}\nrtmp \{ server \{ listen 1935;\n {8}# camera a /);
    expect(merge(merged.text, both).text).toBe(merged.text);
  });

  test('a template without marks makes a file of one part', () => {
    const rendered = 'rtmp { a }\n';
    const sealed = merge(undefined, rendered).text;
    expect(merge(sealed, rendered)).toEqual({ text: sealed, kept: [], lost: [] });
    const edited = sealed.replace('a', 'a b');
    expect(merge(edited, rendered)).toMatchObject({ text: edited, kept: [''] });
    expect(merge(edited, 'rtmp { c }\n')).toMatchObject({ lost: [''] });
  });
});

describe('what nginx has read', () => {
  const required = { rtmpPort: 1935, statPort: 8080, statPath: '/stat', pidFile: '/run/nginx.pid' };
  const good = render({ cam: [] });
  const missing = (text: string) => missingIn(parseDump(`# configuration file /c/nginx.conf:\n${text}`), required);

  test('a rendering lacks nothing; what is taken away is named', () => {
    expect(missing(good)).toBeNull();
    expect(missing(good.slice(0, good.indexOf('rtmp {')))).toContain('rtmp block');
    expect(missing(good.replace('listen 1935', 'listen 1936'))).toContain('port 1935');
    expect(missing(good.replace('listen 1935', 'listen [::]:1935'))).toBeNull();
    expect(missing(good.replace('auto_push off', 'auto_push on'))).toContain('rtmp_auto_push');
    expect(missing(good.replace('pid /run', 'pid /var'))).toContain('pid /run/nginx.pid');
    expect(missing(good.replace('location = /stat', 'location = /other'))).toContain('/stat');
    expect(missing(good.replace('listen 127.0.0.1:8080', 'listen 8081'))).toContain('8080');
    expect(missing(good.replace('rtmp {', '# rtmp {'))).not.toBeNull();
  });

  test('includes stand where they are included', () => {
    const dump = `# configuration file /c/nginx.conf:
pid /run/nginx.pid;
include parts/*.conf;
http { include /c/stat.conf; }

# configuration file /c/parts/r.conf:
rtmp { server { listen 1935; } }
# configuration file /c/stat.conf:
server { listen 127.0.0.1:8080; location = /stat { rtmp_stat all; } }
`;
    expect(missingIn(parseDump(dump), required)).toBeNull();
  });

  test('what stands before a block that is not understood is read all the same', () => {
    const lua = `${good}http { server { content_by_lua_block { ngx.say("it's") } } }\n`;
    expect(missing(lua)).toBeNull();
    expect(missing(lua.replace('listen 1935', 'listen 1936'))).toContain('port 1935');
  });

  test('quotes, escapes and comments are those of nginx', () => {
    const text = `a "x;y" 'it''s' p\\;q r#s ${'$'}{v} # c }\n { "b\\"c"; }`;
    // A quote ends its word; nginx itself wants a space behind it.
    expect(() => parseNginxText(text)).toThrow(/closing quote/);
    expect(plain(parseNginxText(text.replace("it''s", 'it s')))).toEqual([
      [['a', 'x;y', 'it s', 'p\\;q', 'r#s', `${'$'}{v}`], [[['b"c'], null]]],
    ]);
  });
});

test('docs/nginx-backend.md shows the built-in template as it is', () => {
  const page = readFileSync(new URL('../../../docs/nginx-backend.md', import.meta.url), 'utf8');
  expect(page).toContain(`\n\`\`\`\n${defaultTemplate}\`\`\`\n`);
});
