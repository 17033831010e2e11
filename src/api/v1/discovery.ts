import Type, { type Static } from 'typebox';
import type { Control } from '../../control/control.js';
import { parsePlace } from '../../discovery/device-place.js';
import { type Discovery, maxAddresses, type Scan } from '../../discovery/discovery.js';
import { streamKinds } from '../../discovery/found.js';
import { InputError } from '../../errors.js';
import { CameraTypeSchema, NameSchema } from '../../model/schema.js';
import type { App } from '../app.js';
import { CameraViewSchema } from '../camera-schemas.js';
import { v1Responses } from '../schemas.js';
import { optionalBody } from '../validation.js';

const closed = { additionalProperties: false };
const orNull = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()]);

const StreamSchema = Type.Object(
  {
    stream: Type.Unsafe<(typeof streamKinds)[number]>(
      Type.String({ enum: [...streamKinds], description: '`main`: the largest picture; `sub`: the next smaller one.' }),
    ),
    profile: Type.String({ description: 'The token of its ONVIF profile.' }),
    name: Type.String(),
    codec: Type.String({ description: 'As the device says it: `H264`, `H265`; empty: it does not.' }),
    width: Type.Integer({ minimum: 0 }),
    height: Type.Integer({ minimum: 0 }),
    framesPerSecond: orNull(Type.Number({ minimum: 0 })),
    kbps: orNull(Type.Number({ minimum: 0 })),
  },
  { title: 'FoundStream' },
);

const DeviceSchema = Type.Object(
  {
    address: Type.String({ description: 'By which it is tried and added.' }),
    reference: Type.String({ description: 'What it calls itself in WS-Discovery; empty: it did not say.' }),
    name: Type.String(),
    maker: Type.String(),
    model: Type.String(),
    firmware: Type.String(),
    serial: Type.String({ description: 'Empty: not known, as without a login.' }),
    clockAheadSeconds: orNull(Type.Integer({ description: "How far its clock is ahead of this machine's." })),
    streams: Type.Array(StreamSchema),
    sameSerialAs: orNull(Type.String({ description: 'The address of another one with the same serial number.' })),
    problem: orNull(Type.Object({ code: Type.String(), message: Type.String() })),
    camera: orNull(Type.String({ description: 'The registered camera that it is.' })),
  },
  { title: 'FoundDevice', description: 'An ONVIF device of the network, in its own words.' },
);

const ScanSchema = Type.Object(
  {
    at: Type.String({ description: 'When it began.' }),
    durationMs: Type.Integer({ minimum: 0 }),
    devices: Type.Array(DeviceSchema),
    interfaces: Type.Array(Type.String(), { description: 'The addresses of this machine that it looked from.' }),
    hints: Type.Array(Type.String(), { description: 'What an operator should know, such as why nothing was found.' }),
  },
  { title: 'DiscoveryScan' },
);

const loginFields = {
  username: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
  password: Type.Optional(
    Type.String({ maxLength: 256, description: 'Only a digest of it is sent, and it is not kept. With `username`.' }),
  ),
};
const AddressSchema = Type.String({
  minLength: 1,
  maxLength: 512,
  description: 'HOST or HOST:PORT of a device, or the URL of its device service.',
});

const NewScan = Type.Object(
  {
    addresses: Type.Optional(
      Type.Array(AddressSchema, {
        minItems: 1,
        maxItems: maxAddresses,
        description: 'Ask these in place of the whole network.',
      }),
    ),
    waitMs: Type.Optional(
      Type.Integer({ minimum: 100, maximum: 15_000, description: 'How long answers are waited for; 3000.' }),
    ),
    ...loginFields,
  },
  { ...closed, title: 'NewDiscoveryScan' },
);
const deviceFields = {
  address: AddressSchema,
  stream: Type.Optional(
    Type.Unsafe<'main' | 'sub'>(Type.String({ enum: ['main', 'sub'], description: 'Which stream; `main`.' })),
  ),
  ...loginFields,
};
const WantedPicture = Type.Object(
  {
    ...deviceFields,
    fromStream: Type.Optional(
      Type.Boolean({
        description: 'True: decode one out of the stream, also where the device gives a picture itself.',
      }),
    ),
  },
  { ...closed, title: 'WantedPicture' },
);
const PictureSchema = Type.Object(
  {
    type: Type.Literal('image/jpeg'),
    width: Type.Integer({ minimum: 0 }),
    height: Type.Integer({ minimum: 0 }),
    bytes: Type.Integer({ minimum: 0 }),
    from: Type.Unsafe<'snapshot' | 'stream'>(
      Type.String({ enum: ['snapshot', 'stream'], description: 'Given by the device, or decoded out of its stream.' }),
    ),
    data: Type.String({ description: 'The picture, in base64.' }),
  },
  { title: 'DevicePicture' },
);
const AddedDevice = Type.Object(
  {
    ...deviceFields,
    name: NameSchema,
    type: Type.Optional(CameraTypeSchema),
    mode: Type.Optional(
      Type.Unsafe<'always' | 'on-demand'>(
        Type.String({ enum: ['always', 'on-demand'], description: 'As that of a source; `always`.' }),
      ),
    ),
    transport: Type.Optional(
      Type.Unsafe<'tcp' | 'udp'>(Type.String({ enum: ['tcp', 'udp'], description: 'As that of a source; `tcp`.' })),
    ),
  },
  { ...closed, title: 'NewDeviceCamera' },
);

/** What these calls cost of a caller's rate: they have others work. */
const units = { scan: 20, picture: 5, add: 1 };

const tags = ['discovery'];

/** Finding ONVIF cameras in the network of this node, and adding them. */
export function addDiscoveryRoutes(app: App, control: Control, discovery: Discovery): void {
  const shown = (scan: Scan): Static<typeof ScanSchema> => {
    const cameraOf = control.devices.finder();
    const devices = scan.devices.map((device) => {
      const { host } = parsePlace(device.address, 'address').address;
      const { problem, serial, reference } = device;
      const camera = cameraOf({ serial, reference, host }) ?? null;
      return { ...device, streams: [...device.streams], problem: problem === null ? null : { ...problem }, camera };
    });
    return { ...scan, devices, interfaces: [...scan.interfaces], hints: [...scan.hints] };
  };

  app.get(
    '/v1/discovery',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'getDiscovery',
        summary: 'The last look for ONVIF cameras by this node; null: there was none since its start',
        tags,
        response: v1Responses({ 200: Type.Object({ scan: orNull(ScanSchema) }, { title: 'Discovery' }) }),
      },
    },
    async () => ({ scan: discovery.last === null ? null : shown(discovery.last) }),
  );

  app.post(
    '/v1/discovery/scan',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'scanNetwork',
        summary: 'Look for ONVIF cameras in the networks of this node, or at addresses; answered when it is done',
        tags,
        body: optionalBody(NewScan),
        response: v1Responses({ 200: ScanSchema }, 400, 413, 415, 429),
      },
    },
    async (request) => {
      request.charge?.(units.scan);
      const { addresses, waitMs, ...login } = request.body ?? {};
      return shown(
        await discovery.scan({
          ...(addresses === undefined ? {} : { addresses }),
          ...(waitMs === undefined ? {} : { timeoutMs: waitMs }),
          login: loginOf(login),
        }),
      );
    },
  );

  app.post(
    '/v1/discovery/picture',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'takeDevicePicture',
        summary: 'A picture of a camera of the network that need not be registered',
        tags,
        body: WantedPicture,
        response: v1Responses({ 200: PictureSchema }, 400, 404, 413, 415, 429, 502, 503),
      },
    },
    async (request) => {
      request.charge?.(units.picture);
      const { address, stream = 'main', fromStream = false, ...login } = request.body;
      const { jpeg, ...facts } = await discovery.picture(address, stream, loginOf(login), { onlyStream: fromStream });
      return { type: 'image/jpeg' as const, ...facts, bytes: jpeg.length, data: jpeg.toString('base64') };
    },
  );

  app.post(
    '/v1/discovery/add',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'addDevice',
        summary: 'Register a camera of the network, pulled from its main or sub stream; the same again changes nothing',
        tags,
        body: AddedDevice,
        response: v1Responses(
          { 200: CameraViewSchema, 201: CameraViewSchema },
          ...[400, 404, 409, 413, 415, 429, 502, 503],
        ),
      },
    },
    async (request, reply) => {
      request.charge?.(units.add);
      const { address, stream = 'main', name, type, mode, transport, ...login } = request.body;
      const { url, serial, reference } = await discovery.stream(address, stream, loginOf(login));
      const device = control.devices.known(name, serial) ?? { serial, ...(reference === '' ? {} : { reference }) };
      const source = { url, mode, transport, ...(serial === '' ? {} : { device }) };
      const { created, view } = await control.cameras.add({ name, type, source }, request.headers.host);
      if (created) reply.code(201).header('location', `/v1/cameras/${view.name}`);
      return view;
    },
  );
}

/** @throws InputError INVALID_REQUEST */
function loginOf({ username, password }: { username?: string; password?: string }) {
  if (username === undefined && password !== undefined) {
    throw new InputError('INVALID_REQUEST', 'username: a password needs a user name; give both', { field: 'username' });
  }
  return username === undefined ? null : { username, password: password ?? '' };
}
