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

export type Track = (event: TelemetryEvent, integration?: string) => void;

/** The token goes in the body: a beacon has no header of its own. */
export function tracker(api: Api): Track {
  const url = api.url('connect/telemetry');
  return (event, integration) => {
    try {
      const body = JSON.stringify({
        token: api.token,
        event,
        timestamp: new Date().toISOString(),
        ...(integration === undefined ? {} : { dimensions: { integration } }),
      });
      const blob = new Blob([body], { type: 'application/json' });
      if (navigator.sendBeacon?.(url, blob)) return;
      void fetch(url, { method: 'POST', body: blob, keepalive: true, credentials: 'omit' }).catch(() => {});
    } catch {
      // an old or strict browser: nobody is told
    }
  };
}
