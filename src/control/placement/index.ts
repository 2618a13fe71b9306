// Placement: which host a server goes to, and the claim of its resources there. The scheduler is a pure
// function of a snapshot; the claim is part of the caller's transaction.
import type { Tx } from '../../kernel/db/index.ts';
import { placementFault } from '../../kernel/http/faults.ts';
import type { Service } from '../../kernel/http/route.ts';
import type { Platform } from '../../kernel/platform.ts';
import { createClaims } from './claims.ts';
import { placementPolicies, placementRoutes } from './routes.ts';
import { placementMigrations } from './table.ts';

export type PlacementRequest = {
  serverId: string;
  type: 'vm' | 'container';
  vcpus: number;
  memoryMib: number;
  /** GiB on the host's disk. */
  diskGib: number;
  /** null: any. */
  zone: string | null;
  /** Only this host (operators: zone:host or the `host` field); null: any. */
  hostname: string | null;
  /** e.g. 'x86_64', from the image; null: any. */
  architecture: string | null;
  /** Capabilities that the guest driver must have, e.g. ['suspend']. */
  capabilities: readonly string[];
  /** Server group policy: hosts that the other members are on. */
  group: {
    policy: 'affinity' | 'anti-affinity' | 'soft-affinity' | 'soft-anti-affinity';
    hostIds: readonly string[];
    /** Of anti-affinity: members that one host may have; absent: 1. */
    maxPerHost?: number;
  } | null;
  /** Hosts that servers named by the user are on: one of `among` (null: any), none of `not`. */
  hinted?: { among: readonly string[] | null; not: readonly string[] } | undefined;
};

/** Why: how many hosts each filter refused, and the first few by name with value and rule; for the winner its scores. */
export type PlacementExplanation = {
  considered: number;
  /** filter -> number of hosts that it refused, in the order in which filters run. */
  refused: Record<string, number>;
  /** At most 20 examples, e.g. { host: 'node-1', filter: 'memory', reason: 'memory 512 MiB requested, 128 of 2048 MiB free' }. */
  examples: { host: string; filter: string; reason: string }[];
  /** Of the chosen host: weigher -> score. */
  scores: Record<string, number>;
};

export type Placed =
  | { placed: true; hostId: string; hostname: string; zone: string; explanation: PlacementExplanation }
  | { placed: false; explanation: PlacementExplanation };

/** Where servers would go, one entry a server that has a host; fewer than asked for when the others find none. */
export type Preview = {
  hosts: readonly { hostname: string; zone: string }[];
  /** Of the last server that was looked at. */
  explanation: PlacementExplanation;
};

/** vCPUs, MiB, GiB. */
export type Claimed = Pick<PlacementRequest, 'vcpus' | 'memoryMib' | 'diskGib'>;

export type PlacementApi = {
  /** Chooses and claims in `tx`; a lost race is rescheduled inside. */
  claim(tx: Tx, request: PlacementRequest): Promise<Placed>;
  /** Where `count` servers would go if they were claimed now; claims nothing. Of equal hosts the claim may take another. */
  preview(tx: Tx, request: Omit<PlacementRequest, 'serverId'>, count: number): Promise<Preview>;
  /** What one consumer has claimed is another's from now on; returns what that was. */
  move(tx: Tx, from: string, to: string): Promise<Claimed>;
  /** Gives back what the server had claimed, and answers what that was; null: nothing. */
  release(tx: Tx, serverId: string): Promise<Claimed | null>;
};

export type PlacementService = { service: Service; api: PlacementApi };

export function createPlacementService(platform: Platform): PlacementService {
  return {
    api: createClaims(platform),
    service: {
      name: 'placement',
      type: 'placement',
      prefix: '/placement',
      fault: placementFault,
      microversions: { type: 'placement', min: '1.0', max: '1.39', default: '1.0' },
      policies: placementPolicies,
      routes: placementRoutes(platform),
      migrations: placementMigrations,
      work: {},
    },
  };
}
