import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { describeContent, filledPushes, readCameraList } from '../../src/import/camera-list.js';

const read = (text: string) => {
  const { format, cameras, problems } = readCameraList(text);
  const plain = cameras.map(({ name, type, pushes }) => [
    name,
    type,
    ...pushes.map(({ url, engine }) => url ?? engine),
  ]);
  return { format, cameras: plain, problems };
};

describe('a list of cameras', () => {
  test.each([
    [
      'names',
      'a\n\n# spare\n  b \r\nc',
      [
        ['a', undefined],
        ['b', undefined],
        ['c', undefined],
      ],
    ],
    [
      'CSV',
      'name,type,engine,url\na,360,paris,\nb,,,"rtmp://h/live/b?x=1,2"\n',
      [
        ['a', '360', 'paris'],
        ['b', undefined, 'rtmp://h/live/b?x=1,2'],
      ],
    ],
    ['CSV', 'Camera;Kind;Engine 1;Engine 2\na;x;paris;rome\n', [['a', 'x', 'paris', 'rome']]],
    ['CSV', 'name\ttarget\na\tparis\na\trtmp://h/a/b\n', [['a', undefined, 'paris', 'rtmp://h/a/b']]],
    ['CSV', '\ufeffname,engine\r\na,"paris; rome"\r\n', [['a', undefined, 'paris', 'rome']]],
    [
      'CSV',
      'a,360,paris,rtmp://h/a/b\nb,,rome',
      [
        ['a', '360', 'paris', 'rtmp://h/a/b'],
        ['b', undefined, 'rome'],
      ],
    ],
    [
      'JSON lines',
      '{"name":"a","engine":"paris"}\n{"name":"b","urls":["rtmp://h/a/b"]}\n',
      [
        ['a', undefined, 'paris'],
        ['b', undefined, 'rtmp://h/a/b'],
      ],
    ],
    ['JSON lines', '{"name":"a"}', [['a', undefined]]],
    [
      'JSON',
      '["a", {"name": 7, "type": "360", "pushes": [{"engine": "paris", "enabled": false}]}]',
      [
        ['a', undefined],
        ['7', '360', 'paris'],
      ],
    ],
    ['JSON', '{\n "name": "a"\n}', [['a', undefined]]],
  ])('as %s: %j', (format, text, cameras) => {
    expect(read(text)).toEqual({ format, cameras, problems: [] });
  });

  test.each([
    ['name,colour\na,red', 'line 1', 'unknown column "colour"'],
    ['name,type\na,360\na,plane', 'line 3', 'has the type 360 in line 2'],
    ['name,type\n,360', 'line 2', 'no name'],
    ['name,type\n"a', 'line 2', 'has no end'],
    ['name,type\n"a"b,c', 'line 2', 'must be followed by'],
    ['[{"name":"a","colour":"red"}]', 'entry 1', 'unknown key "colour"'],
    ['[{"name":"a","engin":"x"}]', 'entry 1', 'did you mean "engine"'],
    ['[{"type":"a"}]', 'entry 1', 'no "name"'],
    ['["a"', 'line 1', 'a comma or "]"'],
    ['{"name":"a"}\n{"name":', 'line 2', 'a value must stand here'],
    ['{"version":1,"cameras":{}}', 'line 1', 'restore'],
    ['{\n "version":1,"cameras":{}}', 'entry 1', 'restore'],
  ])('%j: told with its place', (text, place, message) => {
    expect(read(text).problems).toEqual([{ place, message: expect.stringContaining(message) }]);
  });

  test('what cannot be used keeps nothing else from being read', () => {
    const { cameras, problems } = read('{"name":"a"}\nnonsense\n{"name":"b"}');
    expect([cameras.length, problems.length]).toEqual([2, 1]);
  });

  test('places of a template are filled', () => {
    const [camera] = readCameraList('[{"name":"a","type":"360","url":"rtmp://h/{type}/{name}"}]').cameras;
    expect(camera === undefined ? [] : filledPushes(camera)).toEqual([{ url: 'rtmp://h/360/a' }]);
  });

  test('any text is read without a throw', () => {
    const unit = fc.constantFrom('a', ',', '"', '\n', '{', '}', '[', ']', ':', ';', '#', ' ', '\r', 'name', '1');
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 40 }), (text) => void readCameraList(text)),
      { numRuns: 2000 },
    );
  });

  test.each([
    [Buffer.alloc(0), 'an empty file'],
    [Buffer.from([0x1f, 0x8b, 8, 0]), 'a gzip archive'],
    [Buffer.from('PK\u0003\u0004'), 'a ZIP archive'],
    [Buffer.from([1, 2, 0, 3]), 'a binary file'],
    [Buffer.from('<?xml version="1.0"?>'), 'XML or HTML'],
    [Buffer.from('paths:\n  cam:\n'), 'YAML'],
    [Buffer.from('hello world'), 'text of another kind'],
  ])('what is none is named: %#', (bytes, words) => {
    expect(describeContent(bytes)).toContain(words);
  });
});

test('the column audio is said of every push of its row', () => {
  const { cameras, problems } = readCameraList('name,engine,url,audio\na,paris rome,,silence\nb,,rtmp://h/live/b,\n');
  expect(problems).toEqual([]);
  expect(cameras.map(({ pushes }) => pushes)).toEqual([
    [
      { engine: 'paris', audio: 'silence' },
      { engine: 'rome', audio: 'silence' },
    ],
    [{ url: 'rtmp://h/live/b' }],
  ]);
});
