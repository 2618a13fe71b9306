// A route is data: method, path, policy, schemas, and the handler. The route table is what the server
// registers, what /docs shows, and what the cross-tenant matrix and the fuzzer are generated from.
import type { IncomingMessage } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import { Type, type Static, type TObject, type TSchema } from 'typebox';
import type { Migration } from '../db/index.ts';
import type { Ctx } from '../platform.ts';
import type { Policies } from '../policy.ts';
import type { WorkHandler } from '../work.ts';
import type { Fault } from './faults.ts';

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** 'a' | 'b' for '/x/:a/y/:b'. */
export type ParamNames<P extends string> = P extends `${string}:${infer Rest}`
  ? Rest extends `${infer Name}/${infer Tail}`
    ? Name | ParamNames<Tail>
    : Rest
  : never;

export type Reply = {
  status?: number;
  headers?: Record<string, string>;
  /** An object is encoded as JSON; a string or Buffer is sent as it is (Content-Type: application/json unless headers say otherwise). */
  body?: object | string | Buffer | Readable;
};

export type Call<Params, Query, Body> = {
  ctx: Ctx;
  params: Params;
  query: Query;
  body: Body;
  /** The query as it came, for next-page links. */
  rawQuery: Readonly<Record<string, string | string[]>>;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Network address of the client. */
  address: string;
  /** The request's content, on routes with `streams: true`. */
  stream: Readable;
};

/** What the kernel keeps of a route once its types are checked. */
export type Route = {
  method: Method;
  /** Below the service's prefix, with :parameters. */
  path: string;
  /** Name in the service's policies. */
  policy: string;
  summary: string;
  /** Path parameter -> the resource it names ('server', 'network' ...), or 'none' for keys that are not ids. */
  ids: Readonly<Record<string, string>>;
  /** For `POST .../action` bodies with one key: the key. Routes that share a path each name theirs. */
  action?: string;
  query?: TObject;
  body?: TSchema;
  /** Success status; default 200. */
  status?: number;
  /** Microversions that know the route. */
  since?: string;
  until?: string;
  /** A list that clients also ask for with a slash at the end; elsewhere that names an item whose id is empty. */
  trailingSlash?: boolean;
  /** The address holds a secret: logs show the route in its place. */
  secretPath?: boolean;
  /** The handler reads the request as a stream instead of JSON. */
  streams?: boolean;
  handler(call: Call<Record<string, string>, Record<string, unknown>, unknown>): Promise<Reply>;
};

type Definition<P extends string, Q extends TObject, B extends TSchema> = Omit<
  Route,
  'path' | 'ids' | 'query' | 'body' | 'handler'
> & {
  path: P;
  query?: Q;
  body?: B;
  handler(call: Call<Record<ParamNames<P>, string>, Static<Q>, Static<B>>): Promise<Reply>;
} & ([ParamNames<P>] extends [never] ? { ids?: never } : { ids: Record<ParamNames<P>, string> });

const noQuery = Type.Object({});
const noBody = Type.Undefined();

/** Defines a route. Without a policy, or with an unnamed path parameter, it does not type-check. */
export function route<
  const P extends string,
  Q extends TObject = typeof noQuery,
  B extends TSchema = typeof noBody,
>(definition: Definition<P, Q, B>): Route {
  return { ids: {}, ...definition } as unknown as Route;
}

/** WebSockets beside the routes. They authenticate themselves, and check where a browser comes from. */
export type Sockets = {
  /** The whole path, e.g. '/console'. */
  path: string;
  accept(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Ends those that are open; called before the server stops. */
  close(): Promise<void>;
};

export type Service = {
  /** Folder name, e.g. 'compute'. */
  name: string;
  /** Service type in the catalog, e.g. 'compute', 'image', 'network'. */
  type: string;
  /** Other names of the same type, e.g. 'volumev3'. */
  typeAliases?: readonly string[];
  /** e.g. '/compute'. */
  prefix: string;
  /** An older version of the API: the same routes below another path, always at the default microversion. */
  formerly?: { path: string; now: string };
  /** Further prefixes that answer the same, e.g. '/networking'. */
  aliases?: readonly string[];
  fault: Fault;
  /** Present where the service negotiates microversions. */
  microversions?: {
    /** The name in `OpenStack-API-Version: compute 2.1`. */
    type: string;
    min: string;
    max: string;
    /** e.g. 'x-openstack-nova-api-version'. */
    legacyHeader?: string;
    /** Paths without versioning (discovery). */
    default: string;
  };
  policies: Policies;
  routes: readonly Route[];
  migrations: readonly Migration[];
  /** Work kinds that this service handles. */
  work: Readonly<Record<string, WorkHandler>>;
  sockets?: Sockets;
  /** Default quota limits of its resources. */
  quotas?: Readonly<Record<string, number>>;
};
