// Prometheus figures of the control plane, served at /metrics to operators.
import { collectDefaultMetrics, Counter, Histogram, Registry } from 'prom-client';

export type Telemetry = {
  /** `seconds`: from first byte in to last byte out. */
  request(route: string, status: number, seconds: number): void;
  /** The text exposition format and its content type. */
  expose(): Promise<{ contentType: string; text: string }>;
};

export function createTelemetry(): Telemetry {
  const registry = new Registry();
  let defaults = false;
  const requests = new Counter({
    name: 'strata_http_requests_total',
    help: 'Requests by route and status.',
    labelNames: ['route', 'status'],
    registers: [registry],
  });
  const durations = new Histogram({
    name: 'strata_http_request_seconds',
    help: 'Time to answer, by route.',
    labelNames: ['route'],
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
    registers: [registry],
  });
  return {
    request(route, status, seconds) {
      requests.inc({ route, status: String(status) });
      durations.observe({ route }, seconds);
    },
    async expose() {
      if (!defaults) {
        defaults = true;
        collectDefaultMetrics({ register: registry });
      }
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
}
