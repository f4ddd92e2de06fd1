/** A code the person types in on another device: get it, then look until it was used. */

import { type Api, ApiError } from './api';
import type { Connected, DeviceCode, DeviceStanding } from './wire';

export interface Watch {
  cancel: () => void;
}

interface Telling {
  onCode: (code: DeviceCode) => void;
  onConnected: (connected: Connected) => void;
  onError: (error: ApiError) => void;
  /** Exchanged by tests. */
  wait?: (seconds: number, signal: AbortSignal) => Promise<void>;
}

const PATIENCE = 5;

export function watchDevice(
  api: Pick<Api, 'device' | 'deviceStanding'>,
  path: string,
  body: unknown,
  telling: Telling,
): Watch {
  const stop = new AbortController();
  const wait = telling.wait ?? pause;
  const run = async () => {
    const code = await api.device(path, body, stop.signal);
    if (stop.signal.aborted) return;
    telling.onCode(code);
    let misses = 0;
    while (!stop.signal.aborted) {
      await wait(code.interval, stop.signal);
      let standing: DeviceStanding;
      try {
        standing = await api.deviceStanding(code.id, stop.signal);
        misses = 0;
      } catch (error) {
        misses += 1;
        const passing = error instanceof ApiError && (error.code === 'offline' || error.status >= 500);
        if (!passing || misses > PATIENCE) throw error;
        continue;
      }
      if (stop.signal.aborted) return;
      if (standing.status === 'connected') {
        telling.onConnected({
          providerConfigKey: standing.provider_config_key,
          connectionId: standing.connection_id,
        });
        return;
      }
      if (standing.status === 'failed') throw new ApiError(standing.error.code, standing.error.message);
    }
  };
  run().catch((error: unknown) => {
    if (!stop.signal.aborted)
      telling.onError(error instanceof ApiError ? error : new ApiError('unknown_error', ''));
  });
  return { cancel: () => stop.abort() };
}

const pause = (seconds: number, signal: AbortSignal) =>
  new Promise<void>((done) => {
    const timer = setTimeout(done, seconds * 1000);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      done();
    });
  });

/** Only the web: an address of another kind could run something. */
export const webAddress = (url: string | null | undefined): string | null =>
  url && /^https?:\/\//i.test(url) ? url : null;
