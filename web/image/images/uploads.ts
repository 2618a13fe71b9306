// Uploads go on while their user looks at other pages, and stop where something fails until somebody says to try again.
// The image API takes a content whole or not at all: trying again begins at the first byte, for the same image.

export type Upload = {
  /** Of the image that waits for it. */
  id: string;
  name: string;
  file: Blob;
  /** Who began it: nobody else is shown it. */
  userId: string;
  /**
   * `waiting`: the cloud has not yet noticed that the last try ended. `checking`: all is sent, the cloud looks at it.
   * `stopped`: by its user.
   */
  state: 'waiting' | 'sending' | 'checking' | 'failed' | 'stopped' | 'done';
  /** Bytes. */
  sent: number;
  /** Milliseconds since 1970, of this try. */
  startedAt: number;
  error: unknown;
};

export type Deps = {
  /** Rejects with what the cloud answered. */
  send(id: string, file: Blob, onSent: (bytes: number) => void, signal: AbortSignal): Promise<void>;
  /** Of the image; rejects when it is gone. */
  statusOf(id: string): Promise<string>;
  now(): number;
  /** Milliseconds. */
  wait(ms: number): Promise<void>;
};

/** While the cloud holds the image for a try whose connection was lost. */
const AGAIN_MS = 2_000;

export function createUploads(deps: Deps) {
  let uploads: readonly Upload[] = [];
  const stops = new Map<string, AbortController>();
  const listeners = new Set<() => void>();

  const set = (next: readonly Upload[]): void => {
    uploads = next;
    for (const listener of listeners) listener();
  };
  const change = (id: string, part: Partial<Upload>): void =>
    set(uploads.map((upload) => (upload.id === id ? { ...upload, ...part } : upload)));

  /** true: there is nothing left to send. */
  async function taken(id: string, signal: AbortSignal): Promise<boolean> {
    for (;;) {
      const status = await deps.statusOf(id);
      signal.throwIfAborted();
      if (status !== 'saving') return status === 'active';
      change(id, { state: 'waiting' });
      await deps.wait(AGAIN_MS);
      signal.throwIfAborted();
    }
  }

  async function run(id: string): Promise<void> {
    const upload = uploads.find((one) => one.id === id);
    if (upload === undefined || stops.has(id)) return;
    const stop = new AbortController();
    stops.set(id, stop);
    change(id, { state: 'waiting', sent: 0, error: null });
    try {
      // A try whose answer was lost may have arrived.
      if (!(await taken(id, stop.signal))) {
        change(id, { state: 'sending', startedAt: deps.now() });
        const sent = (bytes: number): void =>
          change(id, { sent: bytes, state: bytes < upload.file.size ? 'sending' : 'checking' });
        await deps.send(id, upload.file, sent, stop.signal);
      }
      change(id, { state: 'done', sent: upload.file.size });
    } catch (error) {
      change(id, stop.signal.aborted ? { state: 'stopped' } : { state: 'failed', error });
    } finally {
      stops.delete(id);
    }
  }

  return {
    list: (): readonly Upload[] => uploads,
    subscribe(listener: () => void): () => void {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    start(upload: Pick<Upload, 'id' | 'name' | 'file' | 'userId'>): Promise<void> {
      const fresh: Upload = { ...upload, state: 'waiting', sent: 0, startedAt: deps.now(), error: null };
      set([...uploads.filter(({ id }) => id !== upload.id), fresh]);
      return run(upload.id);
    },
    again: run,
    stop(id: string): void {
      stops.get(id)?.abort();
    },
    /** Forgets it; what is under way is stopped. */
    dismiss(id: string): void {
      stops.get(id)?.abort();
      set(uploads.filter((upload) => upload.id !== id));
    },
  };
}

export const isUnderWay = ({ state }: Upload): boolean => ['waiting', 'sending', 'checking'].includes(state);

/** Bytes a second since this try began, and seconds that are left at this pace; null: too early to tell. */
export function paceOf(upload: Upload, now: number): { rate: number; left: number } | null {
  const seconds = (now - upload.startedAt) / 1000;
  if (seconds < 1 || upload.sent === 0) return null;
  const rate = upload.sent / seconds;
  return { rate, left: (upload.file.size - upload.sent) / rate };
}
