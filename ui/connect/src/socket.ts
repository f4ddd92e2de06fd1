/** The socket on which the server says how an authorization ended. */

import type { Outcome } from './popup';

export interface Socket {
  /** The name the authorization carries; null when there is no socket to be had. */
  name: Promise<string | null>;
  close(): void;
}

const ACK_MS = 8000;

export function openSocket(url: URL, onOutcome: (outcome: Outcome) => void): Socket {
  let socket: WebSocket;
  try {
    socket = new WebSocket(url);
  } catch {
    return { name: Promise.resolve(null), close: () => {} };
  }
  const name = new Promise<string | null>((resolve) => {
    const timer = setTimeout(() => resolve(null), ACK_MS);
    const settle = (value: string | null) => {
      clearTimeout(timer);
      resolve(value);
    };
    socket.onerror = () => settle(null);
    socket.onclose = () => settle(null);
    socket.onmessage = (event) => {
      const said = read(event.data);
      if (said.message_type === 'connection_ack') settle(text(said.ws_client_id));
      const outcome = outcomeOf(said);
      if (outcome !== null) onOutcome(outcome);
    };
  });
  return { name, close: () => socket.close() };
}

export function socketUrl(base: URL, path: string | undefined): URL {
  const url = new URL(path?.replace(/^\/+/, '') ?? '', base);
  url.protocol = base.protocol === 'https:' ? 'wss:' : 'ws:';
  return url;
}

export function outcomeOf(said: Record<string, unknown>): Outcome | null {
  if (said.message_type === 'success') {
    return {
      ok: true,
      connected: {
        providerConfigKey: text(said.provider_config_key) ?? '',
        connectionId: text(said.connection_id) ?? '',
        ...(said.is_pending === true ? { isPending: true } : {}),
      },
    };
  }
  if (said.message_type !== 'error') return null;
  return { ok: false, code: text(said.error_type) ?? 'unknown_error', message: text(said.error_desc) ?? '' };
}

function read(data: unknown): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(String(data));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);
