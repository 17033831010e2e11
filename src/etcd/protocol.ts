import type { MethodDefinition } from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';

/*
 * The part of etcd's API that is used here: Range, Txn, Watch, Lease, Authenticate and a member's status, of etcd 3.4 and later. Numbers of
 * fields as in etcd's api/etcdserverpb/rpc.proto and api/mvccpb/kv.proto. Unknown fields are skipped, as Protocol Buffers
 * want it. 64-bit integers come as decimal strings: ids of clusters and leases do not fit into a number.
 */

const bytes = (id: number) => ({ type: 'bytes', id });
const int64 = (id: number) => ({ type: 'int64', id });
const uint64 = (id: number) => ({ type: 'uint64', id });
const bool = (id: number) => ({ type: 'bool', id });
const text = (id: number) => ({ type: 'string', id });
const of = (type: string, id: number) => ({ type, id });
const many = (type: string, id: number) => ({ rule: 'repeated', type, id });
const call = (request: string, response: string) => ({ requestType: request, responseType: response, comment: '' });
const stream = (request: string, response: string) => ({
  ...call(request, response),
  requestStream: true,
  responseStream: true,
});

const definition = fromJSON(
  {
    nested: {
      mvccpb: {
        nested: {
          KeyValue: {
            fields: {
              key: bytes(1),
              createRevision: int64(2),
              modRevision: int64(3),
              version: int64(4),
              value: bytes(5),
              lease: int64(6),
            },
          },
          Event: { fields: { type: of('EventType', 1), kv: of('KeyValue', 2) } },
          EventType: { values: { PUT: 0, DELETE: 1 } },
        },
      },
      etcdserverpb: {
        nested: {
          ResponseHeader: { fields: { clusterId: uint64(1), memberId: uint64(2), revision: int64(3) } },
          RangeRequest: {
            fields: {
              key: bytes(1),
              rangeEnd: bytes(2),
              limit: int64(3),
              revision: int64(4),
              serializable: bool(7),
              keysOnly: bool(8),
              countOnly: bool(9),
            },
          },
          RangeResponse: {
            fields: {
              header: of('ResponseHeader', 1),
              kvs: many('mvccpb.KeyValue', 2),
              more: bool(3),
              count: int64(4),
            },
          },
          PutRequest: { fields: { key: bytes(1), value: bytes(2), lease: int64(3) } },
          PutResponse: { fields: { header: of('ResponseHeader', 1) } },
          DeleteRangeRequest: { fields: { key: bytes(1), rangeEnd: bytes(2) } },
          DeleteRangeResponse: { fields: { header: of('ResponseHeader', 1), deleted: int64(2) } },
          RequestOp: {
            oneofs: { request: { oneof: ['requestRange', 'requestPut', 'requestDeleteRange'] } },
            fields: {
              requestRange: of('RangeRequest', 1),
              requestPut: of('PutRequest', 2),
              requestDeleteRange: of('DeleteRangeRequest', 3),
            },
          },
          ResponseOp: {
            oneofs: { response: { oneof: ['responseRange', 'responsePut', 'responseDeleteRange'] } },
            fields: {
              responseRange: of('RangeResponse', 1),
              responsePut: of('PutResponse', 2),
              responseDeleteRange: of('DeleteRangeResponse', 3),
            },
          },
          Compare: {
            oneofs: { targetUnion: { oneof: ['version', 'createRevision', 'modRevision', 'value', 'lease'] } },
            fields: {
              result: of('CompareResult', 1),
              target: of('CompareTarget', 2),
              key: bytes(3),
              version: int64(4),
              createRevision: int64(5),
              modRevision: int64(6),
              value: bytes(7),
              lease: int64(8),
              rangeEnd: bytes(64),
            },
            nested: {
              CompareResult: { values: { EQUAL: 0, GREATER: 1, LESS: 2, NOT_EQUAL: 3 } },
              CompareTarget: { values: { VERSION: 0, CREATE: 1, MOD: 2, VALUE: 3, LEASE: 4 } },
            },
          },
          TxnRequest: {
            fields: { compare: many('Compare', 1), success: many('RequestOp', 2), failure: many('RequestOp', 3) },
          },
          TxnResponse: {
            fields: { header: of('ResponseHeader', 1), succeeded: bool(2), responses: many('ResponseOp', 3) },
          },
          WatchRequest: {
            oneofs: { requestUnion: { oneof: ['createRequest', 'progressRequest'] } },
            fields: { createRequest: of('WatchCreateRequest', 1), progressRequest: of('WatchProgressRequest', 3) },
          },
          WatchCreateRequest: {
            fields: { key: bytes(1), rangeEnd: bytes(2), startRevision: int64(3), progressNotify: bool(4) },
          },
          WatchProgressRequest: { fields: {} },
          WatchResponse: {
            fields: {
              header: of('ResponseHeader', 1),
              watchId: int64(2),
              created: bool(3),
              canceled: bool(4),
              compactRevision: int64(5),
              cancelReason: text(6),
              events: many('mvccpb.Event', 11),
            },
          },
          LeaseGrantRequest: { fields: { TTL: int64(1), ID: int64(2) } },
          LeaseGrantResponse: {
            fields: { header: of('ResponseHeader', 1), ID: int64(2), TTL: int64(3), error: text(4) },
          },
          LeaseRevokeRequest: { fields: { ID: int64(1) } },
          LeaseRevokeResponse: { fields: { header: of('ResponseHeader', 1) } },
          LeaseTimeToLiveRequest: { fields: { ID: int64(1) } },
          LeaseTimeToLiveResponse: { fields: { header: of('ResponseHeader', 1), ID: int64(2), TTL: int64(3) } },
          LeaseKeepAliveRequest: { fields: { ID: int64(1) } },
          LeaseKeepAliveResponse: { fields: { header: of('ResponseHeader', 1), ID: int64(2), TTL: int64(3) } },
          AuthenticateRequest: { fields: { name: text(1), password: text(2) } },
          AuthenticateResponse: { fields: { header: of('ResponseHeader', 1), token: text(2) } },
          StatusRequest: { fields: {} },
          StatusResponse: {
            fields: {
              header: of('ResponseHeader', 1),
              version: text(2),
              dbSize: int64(3),
              leader: uint64(4),
              errors: many('string', 8),
              isLearner: bool(10),
            },
          },
          KV: {
            methods: { Range: call('RangeRequest', 'RangeResponse'), Txn: call('TxnRequest', 'TxnResponse') },
          },
          Watch: { methods: { Watch: stream('WatchRequest', 'WatchResponse') } },
          Lease: {
            methods: {
              LeaseGrant: call('LeaseGrantRequest', 'LeaseGrantResponse'),
              LeaseRevoke: call('LeaseRevokeRequest', 'LeaseRevokeResponse'),
              LeaseTimeToLive: call('LeaseTimeToLiveRequest', 'LeaseTimeToLiveResponse'),
              LeaseKeepAlive: stream('LeaseKeepAliveRequest', 'LeaseKeepAliveResponse'),
            },
          },
          Maintenance: { methods: { Status: call('StatusRequest', 'StatusResponse') } },
          Auth: { methods: { Authenticate: call('AuthenticateRequest', 'AuthenticateResponse') } },
        },
      },
    },
  },
  { longs: String, enums: String, bytes: Buffer, arrays: true, defaults: true, oneofs: false, keepCase: true },
);

/** A call, with the functions that turn its messages into bytes and back. */
export type Method<Request, Response> = Pick<
  MethodDefinition<Request, Response>,
  'path' | 'requestSerialize' | 'responseDeserialize'
>;

function methodOf<Request, Response>(service: string, name: string): Method<Request, Response> {
  const found = definition[`etcdserverpb.${service}`] as unknown as Record<string, Method<Request, Response>>;
  const method = found[name];
  if (method === undefined) throw new Error(`no method ${service}.${name}`);
  return method;
}

/** 64-bit, decimal. */
type Int64 = string;

export interface ResponseHeader {
  readonly clusterId: Int64;
  readonly memberId: Int64;
  readonly revision: Int64;
}
export interface KeyValue {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly createRevision: Int64;
  readonly modRevision: Int64;
  readonly lease: Int64;
}
export interface WatchEvent {
  readonly type: 'PUT' | 'DELETE';
  readonly kv: KeyValue;
}
export interface RangeRequest {
  readonly key: Buffer;
  readonly rangeEnd?: Buffer;
  readonly limit?: number;
  readonly revision?: number;
}
export interface RangeResponse {
  readonly header: ResponseHeader;
  readonly kvs: readonly KeyValue[];
  readonly more: boolean;
  readonly count: Int64;
}
export type RequestOp =
  | { readonly requestRange: RangeRequest }
  | { readonly requestPut: { readonly key: Buffer; readonly value: Buffer; readonly lease?: Int64 } }
  | { readonly requestDeleteRange: { readonly key: Buffer; readonly rangeEnd?: Buffer } };
export interface Compare {
  readonly result: 'EQUAL' | 'GREATER' | 'LESS' | 'NOT_EQUAL';
  readonly target: 'VERSION' | 'CREATE' | 'MOD' | 'VALUE' | 'LEASE';
  readonly key: Buffer;
  readonly rangeEnd?: Buffer;
  readonly createRevision?: number;
  readonly modRevision?: number;
  readonly value?: Buffer;
  readonly lease?: Int64;
}
export interface TxnRequest {
  readonly compare: readonly Compare[];
  readonly success: readonly RequestOp[];
  readonly failure: readonly RequestOp[];
}
export interface TxnResponse {
  readonly header: ResponseHeader;
  readonly succeeded: boolean;
  readonly responses: readonly { readonly responseRange?: RangeResponse | null }[];
}
export type WatchRequest =
  | {
      readonly createRequest: {
        readonly key: Buffer;
        readonly rangeEnd: Buffer;
        readonly startRevision: number;
        readonly progressNotify: boolean;
      };
    }
  | { readonly progressRequest: Record<string, never> };
export interface WatchResponse {
  readonly header: ResponseHeader;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compactRevision: Int64;
  readonly cancelReason: string;
  readonly events: readonly WatchEvent[];
}
export interface LeaseResponse {
  readonly header: ResponseHeader;
  readonly ID: Int64;
  readonly TTL: Int64;
}
/** What a member says of itself. */
export interface MemberStatus {
  readonly header: ResponseHeader;
  readonly version: string;
  /** Of its database on disk, bytes. */
  readonly dbSize: Int64;
  /** The member that leads; "0": none. */
  readonly leader: Int64;
  /** Alarms, as `memberID:1 alarm:NOSPACE`, and that there is no leader. */
  readonly errors: readonly string[];
  /** It has no vote, and answers no reads as a majority has them. */
  readonly isLearner: boolean;
}

export const methods = {
  range: methodOf<RangeRequest, RangeResponse>('KV', 'Range'),
  txn: methodOf<TxnRequest, TxnResponse>('KV', 'Txn'),
  watch: methodOf<WatchRequest, WatchResponse>('Watch', 'Watch'),
  leaseGrant: methodOf<{ readonly TTL: number }, LeaseResponse>('Lease', 'LeaseGrant'),
  leaseRevoke: methodOf<{ readonly ID: Int64 }, { readonly header: ResponseHeader }>('Lease', 'LeaseRevoke'),
  leaseTimeToLive: methodOf<{ readonly ID: Int64 }, LeaseResponse>('Lease', 'LeaseTimeToLive'),
  leaseKeepAlive: methodOf<{ readonly ID: Int64 }, LeaseResponse>('Lease', 'LeaseKeepAlive'),
  status: methodOf<Record<string, never>, MemberStatus>('Maintenance', 'Status'),
  authenticate: methodOf<
    { readonly name: string; readonly password: string },
    { readonly header: ResponseHeader; readonly token: string }
  >('Auth', 'Authenticate'),
};

/** The end of the range of all keys that begin with `prefix`, which must not end with the byte 0xff. */
export function prefixEnd(prefix: string): Buffer {
  const end = Buffer.from(prefix);
  end[end.length - 1]! += 1;
  return end;
}
