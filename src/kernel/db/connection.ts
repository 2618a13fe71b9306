// A Kysely dialect over one function that executes a compiled query: both engines hand theirs in, so that
// connection handling, statement caching and transactions stay ours and are the same for both.
import {
  type CompiledQuery,
  type DatabaseConnection,
  DefaultQueryExecutor,
  type Dialect,
  type DialectAdapter,
  type Driver,
  Kysely,
  PostgresAdapter,
  PostgresQueryCompiler,
  type QueryCompiler,
  type QueryResult,
  SqliteAdapter,
  SqliteQueryCompiler,
} from 'kysely';
import type { Tables } from './index.ts';

export type Execute = (query: CompiledQuery) => Promise<QueryResult<unknown>>;

const never = async (): Promise<void> => {
  throw new Error('transactions are begun by Database.tx');
};

/** Runs what waited for a commit. The commit stands whatever they do: one that throws is a warning, and the others run. */
export function runAfterCommit(hooks: readonly (() => void)[]): void {
  for (const hook of hooks) {
    try {
      hook();
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : String(error));
    }
  }
}

const dialects: Readonly<
  Record<'sqlite' | 'postgres', { compiler: QueryCompiler; adapter: DialectAdapter }>
> = {
  sqlite: { compiler: new SqliteQueryCompiler(), adapter: new SqliteAdapter() },
  postgres: { compiler: new PostgresQueryCompiler(), adapter: new PostgresAdapter() },
};

/**
 * A query surface whose every query goes through `execute`, with nothing in between: Kysely's own driver would
 * let the queries of an engine without a pool wait for each other, and all of them wake with each answer.
 */
export function queriesOver(engine: 'sqlite' | 'postgres', execute: Execute): Kysely<Tables> {
  const connection: DatabaseConnection = {
    executeQuery: <R>(query: CompiledQuery) => execute(query) as Promise<QueryResult<R>>,
    // eslint-disable-next-line require-yield
    async *streamQuery() {
      throw new Error('streaming queries are not offered; page instead');
    },
  };
  const driver: Driver = {
    init: async () => {},
    acquireConnection: async () => connection,
    beginTransaction: never,
    commitTransaction: never,
    rollbackTransaction: never,
    releaseConnection: async () => {},
    destroy: async () => {},
  };
  const { compiler, adapter } = dialects[engine];
  const dialect: Dialect = {
    createDriver: () => driver,
    createQueryCompiler: () => compiler,
    createAdapter: () => adapter,
    createIntrospector: () => {
      throw new Error('introspection is not offered');
    },
  };
  const executor = new DefaultQueryExecutor(compiler, adapter, {
    provideConnection: (use) => use(connection),
  });
  executor.executeQuery = connection.executeQuery;
  return new Kysely<Tables>({ config: { dialect }, dialect, driver, executor });
}
