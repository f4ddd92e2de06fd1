/** Which steps people take. Whether it arrives never matters to them. */

import type { Api } from './api';

export type TelemetryEvent =
  | 'open'
  | 'view:list'
  | 'view:integration'
  | 'view:unknown_error'
  | 'view:credentials_error'
  | 'view:success'
  | 'click:integration'
  | 'click:doc'
  | 'click:doc_section'
  | 'click:connect'
  | 'click:close'
  | 'click:finish'
  | 'click:outside'
  | 'popup:blocked_by_browser'
  | 'popup:closed_early';

/** Resolves once it is sent; never rejects. */
export type Track = (event: TelemetryEvent, integration?: string) => Promise<void>;

/** The session ends after it: only an answer tells that it arrived before. */
const LAST: TelemetryEvent = 'click:finish';

/** The token goes in the body: a beacon has no header of its own. */
export function tracker(api: Api): Track {
  const url = api.url('connect/telemetry');
  return async (event, integration) => {
    try {
      const body = JSON.stringify({
        token: api.token,
        event,
        timestamp: new Date().toISOString(),
        ...(integration === undefined ? {} : { dimensions: { integration } }),
      });
      const blob = new Blob([body], { type: 'application/json' });
      if (event !== LAST && navigator.sendBeacon?.(url, blob)) return;
      await fetch(url, { method: 'POST', body: blob, keepalive: true, credentials: 'omit' });
    } catch {
      // an old or strict browser, or no network: nobody is told
    }
  };
}
