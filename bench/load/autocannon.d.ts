// What the benches use of autocannon, which brings no types.
declare module 'autocannon' {
  type Options = {
    url: string;
    headers?: Record<string, string>;
    connections?: number;
    /** Seconds. */ duration?: number;
  };
  type Result = {
    requests: { total: number };
    /** Seconds. */ duration: number;
    non2xx: number;
    errors: number;
    latency: { p50: number; p99: number };
  };
  const autocannon: (options: Options) => Promise<Result>;
  export = autocannon;
}
